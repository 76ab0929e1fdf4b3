// The replay by keyboard, wherever on the page the focus is, but not where somebody writes.

const KEPT = "preau-keys";
const DEEDS = {
  " ": ["play"], k: ["play"], ArrowLeft: ["seekBy", -5], ArrowRight: ["seekBy", 5], j: ["seekBy", -10], l: ["seekBy", 10],
  Home: ["seekTo", 0], End: ["seekTo", 1], "<": ["speed", -1], ">": ["speed", 1], m: ["mute"], f: ["fullScreen"],
  v: ["view"], s: ["swap"], n: ["chapter", 1], p: ["chapter", -1], "?": ["help"],
};

/** What a key does: [deed, argument], or null. Digits go by their place too: French ones need Shift. */
export function deedOf({ key, code = "", shiftKey = false, ctrlKey = false, altKey = false, metaKey = false }) {
  if (ctrlKey || altKey || metaKey) return null;
  if (/^\d$/.test(key)) return ["seekTo", Number(key) / 10];
  const digit = /^Digit(\d)$/.exec(code);
  if (digit && !shiftKey) return ["seekTo", Number(digit[1]) / 10];
  return DEEDS[key.length === 1 ? key.toLowerCase() : key] ?? null;
}

/** Whether the focused element, `path[0]`, needs the key itself. */
export function needed(path, key) {
  const [target, ...around] = path;
  if (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName)) return true;
  const within = (name) => around.some((one) => one.localName === name);
  if (target.tagName === "INPUT" && target.type === "range") {
    return /^(Arrow|Home|End|Page)/.test(key) && !within("media-time-range");
  }
  if (target.tagName === "INPUT" && target.type !== "checkbox") return true;
  return key === " " && target !== document.body && target.matches?.("a, button, summary, input, [role=button]");
}

/** Carry out `deeds` by key. `dialog` tells about the keys; the box in it turns those of one letter off. */
export function setUpKeys(deeds, dialog, box) {
  box.checked = localStorage.getItem(KEPT) !== "off";
  box.addEventListener("change", () => localStorage.setItem(KEPT, box.checked ? "on" : "off"));
  const carryOut = { ...deeds, help: () => (dialog.open ? dialog.close() : dialog.showModal()) };
  document.addEventListener("keydown", (event) => {
    const deed = deedOf(event);
    if (!deed || event.defaultPrevented || needed(event.composedPath(), event.key)) return;
    if (!box.checked && event.key.length === 1 && event.key !== " ") return;
    if (dialog.open && deed[0] !== "help") return;
    event.preventDefault();
    const [name, ...values] = deed;
    carryOut[name]?.(...values);
  });
}
