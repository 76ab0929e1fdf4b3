// Where the pupil stopped, kept on this tablet.

const EVERY_MS = 5000;
const MARGIN_S = 10;

/** Whether to offer going on at `at` in a recording of `duration` seconds. */
export function worthOffering(at, duration) {
  return at > MARGIN_S && at < duration - MARGIN_S;
}

export class Place {
  #name;
  #read;
  #savedAt = 0;

  /** `read` says where the recording plays now, and how long it is: [seconds, seconds]. */
  constructor(video, id, read) {
    this.#name = `preau-place-${id}`;
    this.#read = read;
    video.addEventListener("timeupdate", () => {
      if (!video.paused && performance.now() - this.#savedAt > EVERY_MS) this.save();
    });
    video.addEventListener("pause", () => this.save());
    video.addEventListener("ended", () => localStorage.removeItem(this.#name));
    addEventListener("pagehide", () => this.save());
    // A tablet that is put away tells nothing later.
    document.addEventListener("visibilitychange", () => document.hidden && this.save());
  }

  /** Seconds, 0 when nothing is kept. */
  get kept() {
    return Number(localStorage.getItem(this.#name)) || 0;
  }

  save() {
    const [at, duration] = this.#read();
    if (!duration || at <= MARGIN_S) return; // not begun: what was kept stays
    this.#savedAt = performance.now();
    if (at >= duration - MARGIN_S) localStorage.removeItem(this.#name);
    else localStorage.setItem(this.#name, at.toFixed(1));
  }

  forget() {
    localStorage.removeItem(this.#name);
  }
}
