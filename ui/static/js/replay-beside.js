// What is replayed beside the camera: a second picture or sound that follows the first one's time, and volume.
//
// Its playlist has no holes; the timeline says where its parts belong in the lesson. Its sound is Opus; a browser that
// plays none of it in MP4 gets the whole as one file.

import Hls from "../vendor/hls.js/dist/hls.light.min.mjs";

const LARGEST_DRIFT_S = 0.25;
const UNHEARD_DRIFT_S = 0.03;
const LARGEST_HURRY = 0.05;
const RETRY_MS = 5000;

/** The playlist's time for `time` on the lesson's timeline (seconds), or null where there is nothing. */
export function placeOf(spans, time) {
  let before = 0;
  for (const { start_s: start, duration_s: duration } of spans) {
    if (time < start) return null;
    if (time < start + duration) return before + time - start;
    before += duration;
  }
  return null;
}

/** What to do about a source that is `drift` seconds ahead: seek, or play at `rate` times the lesson's pace. */
export function fallIn(drift) {
  if (Math.abs(drift) > LARGEST_DRIFT_S) return { seek: true };
  if (Math.abs(drift) < UNHEARD_DRIFT_S) return { rate: 1 };
  return { rate: 1 - Math.max(-LARGEST_HURRY, Math.min(LARGEST_HURRY, drift)) };
}

export class Beside {
  #camera;
  #media;
  #name;
  #type;
  #spans = [];
  #loaded = false;
  #whole = false;
  #audible = true;
  #resting = false;
  #hls = null;
  #attach = () => {};

  /** `media` plays the source `name` (`screen`, `talk`), of content `type`, beside `camera`. */
  constructor(camera, media, name, type) {
    this.#camera = camera;
    this.#media = media;
    this.#name = name;
    this.#type = type;
    for (const event of ["play", "pause", "seeking", "seeked", "timeupdate", "ratechange", "waiting", "playing"]) {
      camera.addEventListener(event, () => this.#follow());
    }
    camera.addEventListener("volumechange", () => this.#mix());
  }

  /** Whether its sound is to be heard beside the lesson's. */
  hear(audible) {
    this.#audible = audible;
    this.#mix();
  }

  #mix() {
    this.#media.volume = this.#camera.volume;
    this.#media.muted = this.#camera.muted || !this.#audible;
  }

  /** Where it belongs, as the timeline says now. */
  take(spans, base, live) {
    this.#spans = spans;
    this.#attach = () => this.#load(`${base}/${this.#name}`, live);
    this.#follow();
  }

  /** Whether nothing of it is to be loaded and played. */
  rest(resting) {
    this.#resting = resting;
    if (resting) this.#hls?.stopLoad();
    else this.#hls?.startLoad();
    this.#follow();
  }

  /** Told whether there is something of it now. */
  present() {}

  #load(where, live) {
    this.#loaded = true;
    this.#mix();
    const playlist = `${where}.m3u8`;
    const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
    if (!live && !Source?.isTypeSupported(this.#type)) {
      this.#whole = true;
      this.#media.src = `${where}.mp4`;
      return;
    }
    if (!Hls.isSupported()) {
      this.#media.src = playlist;
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
    hls.attachMedia(this.#media);
  }

  #follow() {
    const camera = this.#camera;
    const media = this.#media;
    if (this.#spans.length && !this.#loaded && !this.#resting) this.#attach();
    const listed = this.#resting ? null : placeOf(this.#spans, camera.currentTime);
    this.present(listed !== null);
    if (listed === null) {
      media.pause();
      return;
    }
    const place = this.#whole ? camera.currentTime : listed; // the whole file is on the lesson's timeline
    const moving = !camera.paused && !camera.ended && camera.readyState > 2;
    const drift = media.readyState > 0 && !media.seeking ? media.currentTime - place : 0;
    const { seek, rate = 1 } = fallIn(drift);
    if (seek) media.currentTime = place;
    media.playbackRate = camera.playbackRate * (moving ? rate : 1);
    if (moving && media.paused) this.#play();
    if (!moving && !media.paused) media.pause();
  }

  #play() {
    this.#media.play().catch((error) => {
      if (error.name !== "NotAllowedError" || this.#media.muted) return;
      this.#media.muted = true; // until the person touches the sound
      this.#media.play().catch(() => {});
    });
  }
}

/** The button that turns the sound of `beside` off and on, remembered as `kept` on this device. */
export function setUpSound(beside, button, kept) {
  const choose = (audible) => {
    button.setAttribute("aria-pressed", String(audible));
    localStorage.setItem(kept, audible ? "on" : "off");
    beside.hear(audible);
  };
  button.addEventListener("click", () => choose(button.getAttribute("aria-pressed") !== "true"));
  choose(localStorage.getItem(kept) !== "off");
}
