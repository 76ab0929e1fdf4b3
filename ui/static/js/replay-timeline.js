// What lies along the recording's time: what is missing, and the chapters; asked again while the lesson is live.

import { clock, has, text } from "./strings.js";

const REFRESH_MS = 5000;
const PASSED_S = 2;

/** "45 s", "2 min 10 s" or "1 h 5 min". */
export function lengthOf(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const parts = hours ? [[hours, "h"], [minutes, "min"]] : [[minutes, "min"], [rest, "s"]];
  return parts.filter(([number]) => number).map(([number, unit]) => `${number} ${unit}`).join(" ");
}

/** What is missing at a gap, and why, in words. */
export function gapText({ seconds, reason }) {
  const length = seconds === 0 ? "" : text("missingLength", { length: lengthOf(seconds) });
  const what = seconds === null ? text("missing") : length;
  return has(`gap_${reason}`) ? `${what} ${text(`gap_${reason}`)}`.trim() : what;
}

/** The gap that playing from `before` to `now` passes, if any. */
export function passed(gaps, before, now) {
  if (now <= before || now - before > PASSED_S) return null;
  return gaps.find(({ at_s: at }) => before < at && at <= now) ?? null;
}

/** The index of the chapter at `time`, -1 before the first. */
export function chapterAt(chapters, time) {
  return chapters.findLastIndex(({ at_s: at }) => at <= time + 0.05);
}

/** Ask for the timeline again and again while the lesson is live; `hear` gets each, or null once it is gone. */
export function follow(base, hear) {
  const ask = async () => {
    const response = await fetch(`${base}/timeline.json`, { cache: "no-cache" }).catch(() => null);
    if (response?.status === 404) return hear(null);
    const timeline = response?.ok ? await response.json() : null;
    if (timeline) hear(timeline);
    if (timeline?.state !== "ended" && timeline?.state !== "interrupted") setTimeout(ask, REFRESH_MS);
  };
  setTimeout(ask, REFRESH_MS);
}

/** The marks over the seek bar, `end` seconds long. */
export function drawMarks(layer, { gaps, chapters }, end) {
  const mark = (kind) => ({ at_s: at }) => {
    const line = document.createElement("span");
    line.className = kind;
    line.style.left = `${Math.min(100, (100 * at) / end)}%`;
    return line;
  };
  const inside = ({ at_s: at }) => at > 0 && at < end;
  layer.replaceChildren(
    ...chapters.filter(inside).map(mark("chapter-mark")), ...gaps.filter(inside).map(mark("gap-mark")),
  );
}

/** Buttons that seek to places, in a list that is hidden while there is none. Those there already stay, with the focus. */
export function listPlaces(section, places, seek) {
  section.hidden = !places.length;
  const list = section.querySelector("ol");
  const wanted = places.map(({ at, label }) => `${clock(at)} ${label}`);
  places.forEach(({ at, label }, index) => {
    const [item] = [list.children[index] ?? list.appendChild(document.createElement("li"))];
    if (item.textContent === wanted[index]) return;
    const button = document.createElement("button");
    const time = document.createElement("b");
    time.textContent = clock(at);
    button.append(time, ` ${label}`);
    button.addEventListener("click", () => seek(at));
    item.replaceChildren(button);
  });
  while (list.children.length > places.length) list.lastElementChild.remove();
}
