// The shared screen beside the camera in the replay: a second video that follows the first one's time, and volume.
//
// The screen's playlist has no holes; the timeline says where its parts belong in the lesson. Its sound is
// Opus; a browser that plays none of it in MP4 gets the whole screen as one file, of which it plays the picture.

import Hls from "../vendor/hls.js/dist/hls.light.min.mjs";

const LARGEST_DRIFT_S = 0.25;
const UNHEARD_DRIFT_S = 0.03;
const LARGEST_HURRY = 0.05;
const RETRY_MS = 5000;
const KEPT = "preau-view";
const KEPT_LARGE = "preau-large";
const KEPT_SOUND = "preau-screen-sound";
const TYPE = 'video/mp4; codecs="avc1.42e01f,opus"';

/** The playlist's time for `time` on the lesson's timeline (seconds), or null where no screen was shared. */
export function placeOf(spans, time) {
  let before = 0;
  for (const { start_s: start, duration_s: duration } of spans) {
    if (time < start) return null;
    if (time < start + duration) return before + time - start;
    before += duration;
  }
  return null;
}

/** What to do about a screen that is `drift` seconds ahead: seek, or play at `rate` times the lesson's pace. */
export function fallIn(drift) {
  if (Math.abs(drift) > LARGEST_DRIFT_S) return { seek: true };
  if (Math.abs(drift) < UNHEARD_DRIFT_S) return { rate: 1 };
  return { rate: 1 - Math.max(-LARGEST_HURRY, Math.min(LARGEST_HURRY, drift)) };
}

export class ReplayScreen {
  #camera;
  #screen;
  #player;
  #spans = [];
  #load = () => {};
  #loaded = false;
  #whole = false;
  #audible = true;
  #resting = false;
  #hls = null;

  /** `player` carries data-view (camera, screen, both) and data-screen while there is a screen to see; body
   * data-spans where there is one at some time, data-screen-sound where one can be heard. */
  constructor(player, camera, screen) {
    this.#player = player;
    this.#camera = camera;
    this.#screen = screen;
    for (const event of ["play", "pause", "seeking", "seeked", "timeupdate", "ratechange", "waiting", "playing"]) {
      camera.addEventListener(event, () => this.#follow());
    }
    camera.addEventListener("volumechange", () => this.#mix());
  }

  /** Whether the screen's sound is to be heard beside the lesson's. */
  hear(audible) {
    this.#audible = audible;
    this.#mix();
  }

  #mix() {
    this.#screen.volume = this.#camera.volume;
    this.#screen.muted = this.#camera.muted || !this.#audible;
  }

  /** Whether nothing of it is to be loaded and shown. */
  rest(resting) {
    this.#resting = resting;
    if (resting) this.#hls?.stopLoad();
    else this.#hls?.startLoad();
    this.#follow();
  }

  /** Where the screen belongs, as the timeline says now. */
  take(spans, base, live) {
    this.#spans = spans;
    document.body.toggleAttribute("data-screen-sound", spans.some(({ sound }) => sound));
    document.body.toggleAttribute("data-spans", spans.length > 0);
    this.#load = () => this.#attach(base, live);
    this.#follow();
  }

  #attach(base, live) {
    this.#loaded = true;
    this.#mix();
    const playlist = `${base}/screen.m3u8`;
    const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
    if (!live && !Source?.isTypeSupported(TYPE)) {
      this.#whole = true;
      this.#screen.src = `${base}/screen.mp4`;
      return;
    }
    if (!Hls.isSupported()) {
      this.#screen.src = playlist;
      return;
    }
    const hls = new Hls({ startPosition: 0, backBufferLength: 60, maxBufferLength: 30 });
    this.#hls = hls;
    hls.on(Hls.Events.ERROR, (_, error) => {
      if (!error.fatal) return;
      if (error.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
      else setTimeout(() => hls.loadSource(playlist), RETRY_MS);
    });
    hls.loadSource(playlist);
    hls.attachMedia(this.#screen);
  }

  #follow() {
    const camera = this.#camera;
    const screen = this.#screen;
    const listed = this.#resting ? null : placeOf(this.#spans, camera.currentTime);
    if (this.#spans.length && !this.#loaded && !this.#resting) this.#load();
    this.#player.toggleAttribute("data-screen", listed !== null);
    if (listed === null) {
      screen.pause();
      return;
    }
    const place = this.#whole ? camera.currentTime : listed; // the whole file is on the lesson's timeline
    const moving = !camera.paused && !camera.ended && camera.readyState > 2;
    const drift = screen.readyState > 0 && !screen.seeking ? screen.currentTime - place : 0;
    const { seek, rate = 1 } = fallIn(drift);
    if (seek) screen.currentTime = place;
    screen.playbackRate = camera.playbackRate * (moving ? rate : 1);
    if (moving && screen.paused) this.#play();
    if (!moving && !screen.paused) screen.pause();
  }

  #play() {
    this.#screen.play().catch((error) => {
      if (error.name !== "NotAllowedError" || this.#screen.muted) return;
      this.#screen.muted = true; // until the person touches the sound
      this.#screen.play().catch(() => {});
    });
  }
}

/** The button that turns the screen's sound off and on, remembered on this device. */
export function setUpSound(replay, button) {
  const choose = (audible) => {
    button.setAttribute("aria-pressed", String(audible));
    localStorage.setItem(KEPT_SOUND, audible ? "on" : "off");
    replay.hear(audible);
  };
  button.addEventListener("click", () => choose(button.getAttribute("aria-pressed") !== "true"));
  choose(localStorage.getItem(KEPT_SOUND) !== "off");
}

/** The choice of what to see, and of which is large, remembered on this device. `tell` is told of it when it was made by
 * key: then no button shows where one is. */
export function setUpViews(player, buttons, swap, tell) {
  const views = ["camera", "screen", "both"];
  const choose = (view) => {
    player.dataset.view = view;
    localStorage.setItem(KEPT, view);
    swap.disabled = view !== "both";
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  };
  const enlarge = (large) => {
    player.dataset.large = large;
    localStorage.setItem(KEPT_LARGE, large);
  };
  const other = () => enlarge(player.dataset.large === "screen" ? "camera" : "screen");
  for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.view));
  swap.addEventListener("click", other);
  const kept = localStorage.getItem(KEPT);
  choose(views.includes(kept) ? kept : "both");
  enlarge(localStorage.getItem(KEPT_LARGE) === "camera" ? "camera" : "screen");
  return {
    next() {
      choose(views[(views.indexOf(player.dataset.view) + 1) % views.length]);
      tell(player.dataset.view);
    },
    swap() {
      if (player.dataset.view === "both") other();
    },
  };
}
