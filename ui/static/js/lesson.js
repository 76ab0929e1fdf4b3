// The replay page: picture and sound, the screen beside it, what lies along its time, keys, and where one stopped.
// While the lesson is live it can be watched from its beginning.

import { setLanguage } from "../vendor/media-chrome/dist/utils/i18n.js";
import "../vendor/media-chrome/dist/lang/fr.js";
import { Beside, setUpSound } from "./replay-beside.js";
import { ReplaySource, endOf } from "./replay-hls.js";
import { Marks } from "./replay-marks.js";
import { setUpKeys } from "./replay-keys.js";
import { Place, worthOffering } from "./replay-place.js";
import { ReplayScreen, setUpViews } from "./replay-screen.js";
import { SoundOnly } from "./replay-sound.js";
import { chapterAt, drawMarks, follow, gapText, listPlaces, passed } from "./replay-timeline.js";
import { clock, text } from "./strings.js";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
const KEPT_SPEED = "preau-speed";
const KEPT_SCREEN_SOUND = "preau-screen-sound";
const KEPT_TALK = "preau-talk";
const KEPT_RUNG = "preau-replay-picture";
const TOLD_MS = 4000;
const BEFORE_CHAPTER_S = 2;
const part = (id) => document.getElementById(id);
const video = part("video");
const player = document.querySelector(".player");
const base = document.body.dataset.base;
let timeline = JSON.parse(part("timeline").textContent);

// The controls name themselves when they are made: their language has to be set before.
setLanguage(document.documentElement.lang);
await import("../vendor/media-chrome/dist/index.js");
// It says whether captions are shown by aria-checked, which buttons have not.
document.querySelector("media-captions-button")?.setAttribute("role", "switch");

let silence = 0;
function tell(words) {
  part("told").textContent = words;
  clearTimeout(silence);
  silence = setTimeout(() => (part("told").textContent = ""), TOLD_MS);
}

const pictures = `${base}/${timeline.low ? "master" : "index"}.m3u8`;
const source = new ReplaySource(video, pictures, (news) => {
  part("said").hidden = news === "playing";
  part("said").textContent = news === "playing" ? "" : text(news === "gone" ? "gone" : "unplayable");
});
const live = () => timeline.state === "live";
const end = () => endOf(video) || timeline.duration_s;

function seekTo(time) {
  video.currentTime = Math.max(0, Math.min(end(), time));
  tell(`${clock(video.currentTime)} / ${clock(end())}`);
}

function goToEdge() {
  source.goToEdge();
  tell(text("edge"));
}

// --- speed, with the pitch kept ---

function setSpeed(speed) {
  video.preservesPitch = true;
  // A source that is opened anew takes the default one.
  video.defaultPlaybackRate = video.playbackRate = speed;
}
const keptSpeed = Number(localStorage.getItem(KEPT_SPEED));
setSpeed(SPEEDS.includes(keptSpeed) ? keptSpeed : 1);
video.addEventListener("ratechange", () => {
  // The screen's catching up is its own; hls.js changes nothing here.
  if (video.readyState && SPEEDS.includes(video.playbackRate)) {
    video.defaultPlaybackRate = video.playbackRate;
    localStorage.setItem(KEPT_SPEED, String(video.playbackRate));
  }
});

// --- the picture's rung, where there are two ---

const rung = part("rung");
if (rung) {
  rung.parentElement.hidden = !ReplaySource.choosable;
  const known = [...rung.options].map((option) => option.value);
  const kept = localStorage.getItem(KEPT_RUNG);
  rung.value = known.includes(kept) ? kept : "automatic";
  source.choose(rung.value);
  rung.addEventListener("change", () => {
    localStorage.setItem(KEPT_RUNG, rung.value);
    source.choose(rung.value);
  });
}

// --- what lies along the time ---

function show() {
  drawMarks(part("marks"), timeline, Math.max(end(), timeline.duration_s));
  listPlaces(part("missing"), timeline.gaps.map((gap) => ({ at: gap.at_s, label: gapText(gap) })), (at) => seekTo(at - 5));
  listPlaces(part("chapters"), timeline.chapters.map(({ at_s: at, text: label }) => ({ at, label })), seekTo);
  part("length").textContent = clock(timeline.duration_s);
  part("get-sound").hidden = !timeline.sound;
  part("files").hidden = !part("files").querySelector("a:not([hidden])");
  document.body.dataset.lesson = timeline.state;
}

let before = 0;
video.addEventListener("timeupdate", () => {
  const now = video.currentTime;
  const gap = video.seeking ? null : passed(timeline.gaps, before, now);
  if (gap) tell(gapText(gap));
  before = now;
  const current = chapterAt(timeline.chapters, now);
  [...part("chapters").querySelectorAll("button")].forEach((button, index) => {
    if (index === current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
});
video.addEventListener("durationchange", show);
const marks = new Marks(video, base, timeline);

function chapter(step) {
  const { chapters } = timeline;
  const now = video.currentTime;
  const current = chapterAt(chapters, now);
  // Back goes to the beginning of this chapter first, as players do.
  const again = step < 0 && current >= 0 && now - chapters[current].at_s > BEFORE_CHAPTER_S;
  const wanted = chapters[current + (again ? 0 : step)];
  if (wanted) seekTo(wanted.at_s);
}

// --- the screen beside it ---

let views = null;
let screen = null;
if (part("screen")) {
  screen = new ReplayScreen(player, video, part("screen"));
  views = setUpViews(player, document.querySelectorAll("#views button"), part("swap"), (name) => tell(text(name)));
  setUpSound(screen, part("screen-sound"), KEPT_SCREEN_SOUND);
}

// --- pupils' voices beside it ---

const talk = new Beside(video, part("talk"), "talk", 'audio/mp4; codecs="opus"');
setUpSound(talk, part("talk-sound"), KEPT_TALK);

function besides() {
  screen?.take(timeline.screen, base, live());
  talk.take(timeline.talk, base, live());
  part("talk-sound").hidden = !timeline.talk.length;
}

// --- the sound alone ---

const soundOnly = new SoundOnly(part("sound-only"), part("sound-picture"), (on) => {
  source.change(on ? `${base}/sound.m3u8` : pictures, !on);
  screen?.rest(on);
  soundOnly.follow(source.place, base);
  tell(text(on ? "soundAlone" : "withPicture"));
});
video.addEventListener("timeupdate", () => soundOnly.follow(video.currentTime, base));

function hear(found) {
  if (!found) {
    part("said").textContent = text("gone");
    part("said").hidden = false;
    return;
  }
  if (live() && found.state !== "live") tell(text("over"));
  timeline = found;
  source.update(timeline.silent);
  soundOnly.take(timeline);
  besides();
  marks.take(timeline);
  show();
}

// --- where one stopped ---

const place = new Place(video, base.split("/").pop(), () => [source.place, end()]);
const offered = live() ? 0 : place.kept;
if (worthOffering(offered, timeline.duration_s)) {
  part("stopped-at").textContent = text("stoppedAt", { at: clock(offered) });
  part("resume").hidden = false;
}
const decide = (time) => {
  part("resume").hidden = true;
  if (time === 0) place.forget();
  seekTo(time);
  video.play().catch(() => {});
};
part("go-on").addEventListener("click", () => decide(offered));
part("from-start").addEventListener("click", () => decide(0));
video.addEventListener("play", () => (part("resume").hidden = true), { once: true });

// --- keys and buttons ---

const deeds = {
  play: () => (video.paused ? video.play().catch(() => {}) : video.pause()),
  seekBy: (seconds) => seekTo(video.currentTime + seconds),
  seekTo: (share) => (share === 1 && live() ? goToEdge() : seekTo(share * end())),
  speed: (step) => {
    const at = SPEEDS.findIndex((speed) => speed >= video.playbackRate);
    setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + step))]);
    tell(text("speed", { speed: video.playbackRate.toLocaleString(document.documentElement.lang) }));
  },
  mute: () => {
    video.muted = !video.muted;
    tell(text(video.muted ? "muted" : "unmuted"));
  },
  fullScreen: () => (document.fullscreenElement ? document.exitFullscreen() : player.requestFullscreen()).catch(() => {}),
  view: () => views?.next(),
  swap: () => views?.swap(),
  chapter,
};
setUpKeys(deeds, part("keys"), part("one-letter"));
part("show-keys").addEventListener("click", () => part("keys").showModal());
// media-chrome's own edge is one where nothing is there to play yet.
part("edge")?.addEventListener("mediaseektoliverequest", (event) => {
  event.stopPropagation();
  goToEdge();
});

// An address may say where to begin, or how long before the end.
const asked = Number(/^#t=(-?\d+(?:\.\d+)?)$/.exec(location.hash)?.[1] ?? 0);
soundOnly.take(timeline);
if (soundOnly.wanted) {
  soundOnly.show(true);
  screen?.rest(true);
  source.change(`${base}/sound.m3u8`, false);
  soundOnly.follow(0, base);
}
source.open(asked < 0 ? Math.max(0, timeline.duration_s + asked) : asked, timeline.silent);
besides();
show();
if (live()) follow(base, hear);
document.body.dataset.state = "ready";
