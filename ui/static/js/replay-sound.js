// The sound alone, for lines too weak for the picture: the player goes on at the same place with the playlist of the
// sound, and shows the last still instead. Remembered on this device.

const KEPT = "preau-sound-only";

/** The address of the picture that stands for `time`: the still of the last chapter that has one, else null. */
export function stillAt(chapters, time) {
  return chapters.findLast(({ at_s: at, still }) => still && at <= time + 0.05)?.still ?? null;
}

export class SoundOnly {
  #button;
  #picture;
  #change;
  #timeline = null;
  #on = false;

  /** `picture` is the image over the player, whose data-poster is shown where there is no still; `change` is called
   * with whether there is to be sound alone. */
  constructor(button, picture, change) {
    this.#button = button;
    this.#picture = picture;
    this.#change = change;
    button.addEventListener("click", () => this.choose(!this.#on));
  }

  get on() {
    return this.#on;
  }

  /** What the timeline says now. */
  take(timeline) {
    this.#timeline = timeline;
    this.#button.hidden = !timeline.sound;
  }

  /** Whether this device wants sound alone, where there is any. */
  get wanted() {
    return Boolean(this.#timeline?.sound) && localStorage.getItem(KEPT) === "on";
  }

  choose(on) {
    localStorage.setItem(KEPT, on ? "on" : "off");
    this.show(on);
    this.#change(on);
  }

  show(on) {
    this.#on = on;
    this.#button.setAttribute("aria-pressed", String(on));
    document.body.toggleAttribute("data-sound-only", on);
    this.#picture.hidden = !on;
  }

  /** Show the picture of `time`. */
  follow(time, base) {
    if (!this.#on) return;
    const still = stillAt(this.#timeline.chapters, time);
    const wanted = still ? `${base}/${still}` : this.#picture.dataset.poster;
    if (!wanted || this.#picture.getAttribute("src") === wanted) return;
    this.#picture.src = wanted;
  }
}
