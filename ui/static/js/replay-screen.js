// The shared screen beside the camera in the replay: a second, silent video that follows the first one's time.
//
// The screen's playlist has no holes; screen.json says where its parts belong on the lesson's timeline.

import Hls from "../vendor/hls.js/dist/hls.light.min.mjs";

const LARGEST_DRIFT_S = 0.25;
const REFRESH_MS = 5000;
const KEPT = "preau-view";

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

export class ReplayScreen {
  #camera;
  #screen;
  #player;
  #spans = [];
  #loaded = false;

  /** `player` carries data-view (camera, screen, both) and data-screen while there is a screen to see. */
  constructor(player, camera, screen) {
    this.#player = player;
    this.#camera = camera;
    this.#screen = screen;
    for (const event of ["play", "pause", "seeking", "seeked", "timeupdate", "ratechange", "waiting", "playing"]) {
      camera.addEventListener(event, () => this.#follow());
    }
  }

  /** Fetch where the screen belongs; again every few seconds while the lesson is live. */
  async load(base, live) {
    const response = await fetch(`${base}/screen.json`, { cache: "no-cache" }).catch(() => null);
    if (response?.ok) this.#spans = (await response.json()).spans;
    if (this.#spans.length && !this.#loaded) this.#attach(`${base}/screen.m3u8`);
    if (live) setTimeout(() => this.load(base, live), REFRESH_MS);
    this.#follow();
  }

  #attach(playlist) {
    this.#loaded = true;
    if (!Hls.isSupported()) {
      this.#screen.src = playlist;
      return;
    }
    const hls = new Hls({ startPosition: 0, backBufferLength: 60, maxBufferLength: 30 });
    hls.on(Hls.Events.ERROR, (_, error) => {
      if (!error.fatal) return;
      if (error.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
      else setTimeout(() => hls.loadSource(playlist), REFRESH_MS);
    });
    hls.loadSource(playlist);
    hls.attachMedia(this.#screen);
  }

  #follow() {
    const camera = this.#camera;
    const screen = this.#screen;
    const place = placeOf(this.#spans, camera.currentTime);
    this.#player.toggleAttribute("data-screen", place !== null);
    if (place === null) {
      screen.pause();
      return;
    }
    screen.playbackRate = camera.playbackRate;
    if (screen.readyState > 0 && !screen.seeking && Math.abs(screen.currentTime - place) > LARGEST_DRIFT_S) {
      screen.currentTime = place;
    }
    const moving = !camera.paused && !camera.ended && camera.readyState > 2;
    if (moving && screen.paused) screen.play().catch(() => {});
    if (!moving && !screen.paused) screen.pause();
  }
}

/** The choice of what to see, remembered on this device. */
export function setUpViews(player, buttons) {
  const choose = (view) => {
    player.dataset.view = view;
    localStorage.setItem(KEPT, view);
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  };
  for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.view));
  const kept = localStorage.getItem(KEPT);
  choose(["camera", "screen", "both"].includes(kept) ? kept : "both");
}
