// The pure parts of keeping a picture alive: when it is frozen, and how long to wait before the next attempt.

const FREEZE_MS = 1500;
const FIRST_FRAME_MS = 5000;
const BACKOFF_FIRST_MS = 200;
const BACKOFF_LAST_MS = 2000;

export function backoff(attempt) {
  return Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** attempt);
}

/** Says when a count of frames has stood still for too long. Times are milliseconds of any one clock. */
export class FreezeWatch {
  #frames = 0;
  #since;
  #patience;

  constructor(now, patience = FREEZE_MS) {
    this.#since = now;
    this.#patience = patience;
  }

  get started() {
    return this.#frames > 0;
  }

  /** Take in the count at `now`; true when the picture is frozen, or never came. */
  see(frames, now) {
    if (frames > this.#frames) {
      this.#frames = frames;
      this.#since = now;
      return false;
    }
    return now - this.#since > (this.started ? this.#patience : FIRST_FRAME_MS);
  }

  /** Allow as much time again, from `now` on. */
  renew(now) {
    this.#since = now;
  }
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
