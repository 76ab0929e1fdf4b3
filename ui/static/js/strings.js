// Sentences come from the page (a JSON block in its language); scripts hold none.

const block = document.getElementById("strings");
const sentences = block ? JSON.parse(block.textContent) : {};

/** The sentence called `name`, its {placeholders} filled from `values`. */
export function text(name, values = {}) {
  return fill(sentences[name] ?? name, values);
}

/** Whether the page has a sentence of this name. */
export function has(name) {
  return name in sentences;
}

export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}

/** "1:02:03" or "2:03" for a number of seconds. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function pupils(count, none) {
  if (count === 0 && none) return text(none);
  return count === 1 ? text("onePupil") : text("pupils", { count });
}
