// The choice of picture quality, remembered on this tablet.

const KEPT = "preau-quality";
const CHOICES = ["automatic", "sharp", "saving", "sound"];

/** The remembered choice; automatic where there is none, or the browser keeps nothing. */
export function rememberedQuality() {
  try {
    const kept = localStorage.getItem(KEPT);
    return CHOICES.includes(kept) ? kept : CHOICES[0];
  } catch {
    return CHOICES[0];
  }
}

export function rememberQuality(choice) {
  try {
    localStorage.setItem(KEPT, choice);
  } catch {
    // A browser that keeps nothing (private mode) forgets it with the page.
  }
}
