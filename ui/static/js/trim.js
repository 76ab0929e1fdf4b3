// The teacher cuts off the beginning and the end of a lesson, on the replay's page: places are chosen where it plays,
// what would go is shown over the seek bar, and one press cuts. Nothing is deleted: another press brings all back.

import { call } from "./api.js";
import { clock, text } from "./strings.js";

const DONE = "preau-cut";
const section = document.getElementById("trim");
const part = (id) => document.getElementById(id);
const video = part("video");
const shade = part("cut-away");

// What is shown now, in seconds of the whole lesson; chosen places are in those of the shown one.
const { lesson } = section.dataset;
const [shift, end, whole] = ["start", "end", "whole"].map((name) => Number(section.dataset[name]));
const chosen = { start: null, end: null };

/** The body of the request: places in the whole lesson, null where nothing is cut off. */
export function wanted(chosen, shift, end, whole) {
  const start = chosen.start === null ? shift : shift + chosen.start;
  const stop = chosen.end === null ? end : shift + chosen.end;
  return { start_s: start > 0 ? start : null, end_s: stop < whole ? stop : null };
}

function say(sentence) {
  part("trim-said").textContent = sentence;
}

function draw() {
  const span = (from, to) => {
    const piece = document.createElement("span");
    piece.style.left = `${from}%`;
    piece.style.width = `${to - from}%`;
    return piece;
  };
  const share = (time) => (100 * time) / (end - shift);
  const pieces = [];
  if (chosen.start !== null) pieces.push(span(0, share(chosen.start)));
  if (chosen.end !== null) pieces.push(span(share(chosen.end), 100));
  shade.replaceChildren(...pieces);
  part("trim-do").disabled = !pieces.length;
}

function choose(side) {
  const now = Math.max(0, Math.min(end - shift, video.currentTime));
  chosen[side] = now;
  const other = side === "start" ? "end" : "start";
  if (chosen.start !== null && chosen.end !== null && chosen.start >= chosen.end) chosen[other] = null;
  draw();
  say(text(side === "start" ? "trimStart" : "trimEnd", { at: clock(now) }));
}

/** Have it done; the page is read again, for all times are others then. */
async function ask(method, body) {
  const answer = await call(method, `/lessons/${lesson}/trim`, body);
  if (answer.ok) {
    sessionStorage.setItem(DONE, lesson);
    location.replace(location.pathname);
  } else {
    say(text(answer.status === 0 ? "unreachable" : answer.status === 400 ? "trimShort" : "failed"));
  }
}

part("trim-start").addEventListener("click", () => choose("start"));
part("trim-end").addEventListener("click", () => choose("end"));
part("trim-do").addEventListener("click", () => ask("PUT", wanted(chosen, shift, end, whole)));
part("trim-undo").addEventListener("click", () => ask("DELETE"));
section.addEventListener("toggle", () => {
  if (!section.open) shade.replaceChildren();
  else draw();
});

if (sessionStorage.getItem(DONE) === lesson) {
  sessionStorage.removeItem(DONE);
  section.open = true;
  say(text(end - shift < whole ? "trimDone" : "trimUndone"));
  part("trim-said").focus();
}
