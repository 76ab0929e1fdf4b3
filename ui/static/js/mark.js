// The teacher's marks: one press of the button or of the key M in mid-lesson, words for it afterwards if wanted.

import { call } from "./api.js";
import { clock, text } from "./strings.js";

const KEY = "m";
const KEPT = "preau-mark-key";
const element = (id) => document.getElementById(id);

/** Wires the section `marks` of the page; tell `onLesson` the id of the live lesson, null when there is none. */
export function setUpMarks() {
  let lesson = null;
  let mark = null;
  let busy = false;

  const say = (sentence) => (element("mark-said").textContent = sentence);
  const failed = ({ status }) => say(text(status === 0 ? "unreachable" : "failed"));
  const path = () => `/lessons/${lesson}/marks/${mark.id}`;
  const ask = (made) => {
    mark = made;
    element("mark-text").value = "";
    element("mark-form").hidden = mark === null;
  };

  async function set() {
    if (lesson === null || busy) return;
    busy = true;
    const answer = await call("POST", `/lessons/${lesson}/marks`, {});
    busy = false;
    if (!answer.ok) return failed(answer);
    ask(answer.data);
    say(text("marked", { time: clock(mark.at_s) }));
  }

  async function save(event) {
    event.preventDefault();
    const answer = await call("PATCH", path(), { text: element("mark-text").value });
    if (!answer.ok) return failed(answer);
    say(text("markSaved", { time: clock(answer.data.at_s), words: answer.data.text }));
    ask(null);
    element("mark").focus();
  }

  async function remove() {
    const answer = await call("DELETE", path());
    if (!answer.ok) return failed(answer);
    say(text("markRemoved"));
    ask(null);
    element("mark").focus();
  }

  element("mark").addEventListener("click", set);
  element("mark-form").addEventListener("submit", save);
  element("mark-remove").addEventListener("click", remove);
  // Who dictates, or whose hands slip, can do without it (WCAG 2.2, 2.1.4).
  const box = element("mark-key");
  const tellKey = () => {
    if (box.checked) element("mark").setAttribute("aria-keyshortcuts", KEY.toUpperCase());
    else element("mark").removeAttribute("aria-keyshortcuts");
    element("mark").querySelector("kbd").hidden = !box.checked;
  };
  box.checked = localStorage.getItem(KEPT) !== "off";
  box.addEventListener("change", () => {
    localStorage.setItem(KEPT, box.checked ? "on" : "off");
    tellKey();
  });
  tellKey();
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    const plain = !(event.ctrlKey || event.altKey || event.metaKey || event.repeat);
    if (box.checked && plain && !typing && event.key.toLowerCase() === KEY) set();
  });

  return {
    onLesson(id) {
      if (id === lesson) return;
      lesson = id;
      element("marks").hidden = id === null;
      ask(null);
      say("");
    },
  };
}
