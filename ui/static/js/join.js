// The pupil's page: join with code and first name, then watch. body[data-state] says where it stands:
// join, waiting, live, reconnecting, ended.

import { call } from "./api.js";
import { LivePlayer } from "./player.js";
import { connect, restartWatch } from "./push.js";
import { SharedScreen } from "./screen.js";
import { rememberedQuality, rememberQuality } from "./quality.js";
import { Stills } from "./still.js";
import { pupils, text } from "./strings.js";
import { sleep } from "./watch.js";

const KEPT = "preau-pupil";
const PICTURE_FIRST_MS = 1000;
const WITHOUT_PICTURE = { still: "still", none: "soundOnly" };
const element = (id) => document.getElementById(id);
const player = new LivePlayer(element("video"));
const shared = new SharedScreen(element("shared"), () => (element("sound").hidden = false));
const page = { token: null, lesson: null, playing: false, hasPlayed: false, watched: null, showing: "video" };
const stills = new Stills(element("still"));
let socket = null;

/** Where the page stands, from what it knows. */
function stateOf({ token, lesson, playing, hasPlayed, watched }) {
  if (!token) return "join";
  if (lesson?.state === "live") return playing ? "live" : hasPlayed ? "reconnecting" : "waiting";
  return watched && lesson?.id === watched && lesson.state !== "deleted" ? "ended" : "waiting";
}

function show() {
  const state = stateOf(page);
  document.body.dataset.state = state;
  element("join").hidden = state !== "join";
  element("room").hidden = state === "join";
  const connecting = state === "waiting" && page.lesson?.state === "live";
  const showing = state === "live" ? page.showing : "video";
  document.body.dataset.showing = showing;
  if (showing === "still") stills.start(page.token);
  else stills.stop();
  if (state !== "join") say(element("state"), text(connecting ? "connecting" : (WITHOUT_PICTURE[showing] ?? state)));
  element("lesson-title").textContent = page.lesson?.state === "live" || state === "ended" ? page.lesson.title : "";
  const places = { again: "#t=-30", rewind: "", replay: "" };
  for (const [id, place] of Object.entries(places)) {
    if (page.lesson?.page) element(id).href = page.lesson.page + place;
  }
  element("again").hidden = element("rewind").hidden = state !== "live" && state !== "reconnecting";
  element("replay").hidden = state !== "ended" || !page.lesson.recorded_s || !page.lesson.page; // it may be the teacher's only
  say(element("voices"), page.lesson?.state === "live" && page.lesson.records_talk ? text("voices") : "");
  if (state !== "live") element("sound").hidden = true;
}

// An unchanged sentence is not written again: screen readers would repeat it.
function say(target, sentence) {
  if (target.textContent !== sentence) target.textContent = sentence;
}

function onLesson(lesson) {
  // A web service that has just restarted may not know yet; a lesson that is over says so.
  if (!lesson && page.lesson?.state === "live") return;
  page.lesson = lesson;
  if (lesson?.state === "live") {
    if (page.watched !== lesson.id) page.hasPlayed = false;
    page.watched = lesson.id;
    player.start();
  } else {
    page.playing = false;
    player.stop();
  }
  shared.watch(lesson?.state === "live", page.token);
  show();
}

player.addEventListener("playing", () => {
  page.playing = page.hasPlayed = true;
  show();
});
player.addEventListener("showing", ({ detail }) => {
  page.showing = detail.showing;
  show();
});
player.addEventListener("lost", () => {
  page.playing = false;
  show();
});
player.addEventListener("silent", () => (element("sound").hidden = false));
player.addEventListener("refused", async ({ detail }) => {
  page.playing = false;
  if (detail.status === 401 || detail.status === 403) return leave();
  const { ok, data } = await call("GET", "/kit");
  if (ok && data.lesson) setTimeout(() => onLesson(data.lesson), 500);
  else if (ok && page.lesson) onLesson({ ...page.lesson, state: "ended" });
  else show();
});

async function enter(token, lesson) {
  page.token = token;
  if (lesson) {
    page.watched = lesson.id;
    page.lesson = lesson;
    player.start(token);
    shared.watch(true, token);
  } else {
    player.prepare(token);
  }
  show();
  // The picture first: what comes by Socket.IO can wait for it, and would hold it up.
  if (lesson) await Promise.race([...["playing", "lost", "refused"].map(firstOf), sleep(PICTURE_FIRST_MS)]);
  if (page.token !== token) return;
  socket = connect(token, {
    lesson: onLesson,
    sources: (sources) => shared.onSources(sources),
    media: restartWatch((process) => {
      player.restart(process);
      shared.restart(process);
    }),
    viewers: ({ count }) => (element("count").textContent = pupils(count)),
    connect_error: (error) => error.message === "unauthorized" && leave(),
  });
}

function firstOf(event) {
  return new Promise((resolve) => player.addEventListener(event, resolve, { once: true }));
}

function leave() {
  socket?.disconnect();
  player.stop();
  shared.watch(false);
  sessionStorage.removeItem(KEPT);
  Object.assign(page, { token: null, lesson: null, playing: false, hasPlayed: false, watched: null });
  show();
  element("code").focus();
}

function complaint({ status, retryAfter }) {
  if (status === 404) return text("wrongCode");
  if (status === 400) return text("wrongName");
  if (status === 429) return text("tooMany", { seconds: retryAfter });
  return text("unreachable");
}

element("join-button").disabled = false; // from here on, a press is heard
element("join-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = element("join-button");
  button.disabled = true;
  const answer = await call("POST", "/join", { code: element("code").value, name: element("name").value });
  button.disabled = false;
  say(element("join-error"), answer.ok ? "" : complaint(answer));
  element("join-error").hidden = answer.ok;
  if (!answer.ok) return;
  const { after } = document.body.dataset;
  if (after) {
    location.assign(after);
    return;
  }
  sessionStorage.setItem(KEPT, answer.data.token);
  enter(answer.data.token, answer.data.lesson);
});

element("sound").addEventListener("click", () => {
  element("video").muted = false;
  shared.unmute();
  element("sound").hidden = true;
});
element("quality").value = rememberedQuality();
element("quality").addEventListener("change", () => {
  const choice = element("quality").value;
  rememberQuality(choice);
  player.choose(choice);
  shared.choose(choice);
});
element("fullscreen").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else element("room").requestFullscreen?.();
});
element("fullscreen").hidden = !document.fullscreenEnabled;
element("leave").addEventListener("click", leave);

player.choose(rememberedQuality());
shared.choose(rememberedQuality());
const kept = sessionStorage.getItem(KEPT);
if (kept && !document.body.dataset.after) enter(kept, null);
else {
  player.prepare();
  show();
  element(element("code").value ? "name" : "code").focus();
}
