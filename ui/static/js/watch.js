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

const CUSHION_STEP_MS = 150;
const CUSHION_MOST_MS = 450;
const STUMBLES = 2;
const STUMBLES_WITHIN_MS = 10_000;
const LOSS_EXPLAINS_MS = 2000;
const CUSHION_KEPT_MS = 60_000;

/**
 * Says how long to hold picture and sound back, so that what the line loses can be sent again before its turn comes:
 * not at all on a good line, more where losses keep making the picture stumble, less again after a calm minute.
 */
export class Cushion {
  #counted = { freezes: 0, nacks: 0 };
  #lost = -Infinity;
  #stumbles = [];
  #since = 0;
  #target = 0;

  /** Take in a session's counts of freezes and of packets asked for again; the delay to aim at, in milliseconds. */
  see(counts, now) {
    const more = (name) => Math.max(0, counts[name] - this.#counted[name]); // less than before: another session
    if (more("nacks")) this.#lost = now;
    const explained = now - this.#lost < LOSS_EXPLAINS_MS; // what a slow device makes stumble, no delay helps
    if (explained) this.#stumbles.push(...Array(more("freezes")).fill(now));
    this.#counted = counts;
    this.#stumbles = this.#stumbles.filter((at) => now - at < STUMBLES_WITHIN_MS);
    if (this.#stumbles.length) this.#since = now;
    if (this.#stumbles.length >= STUMBLES) this.#aim(this.#target + CUSHION_STEP_MS, now);
    else if (now - this.#since > CUSHION_KEPT_MS) this.#aim(this.#target - CUSHION_STEP_MS, now);
    return this.#target;
  }

  #aim(target, now) {
    this.#target = Math.min(CUSHION_MOST_MS, Math.max(0, target));
    this.#since = now;
    this.#stumbles = [];
  }
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
