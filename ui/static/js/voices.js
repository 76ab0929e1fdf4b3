// The teacher's switch: whether pupils' voices go into the recording. Only where the school's settings have it.

import { call } from "./api.js";
import { text } from "./strings.js";

const element = (id) => document.getElementById(id);

/** Wires the switch, if the page has one; tell `onLesson` the lesson as the kit has it. */
export function setUpVoices() {
  const box = element("record-voices");
  if (!box) return { onLesson() {} };
  let lesson = null;
  let busy = false;

  function show() {
    const live = lesson?.state === "live";
    element("voices").hidden = !live;
    if (!live) element("voices-error").textContent = "";
    if (!busy) box.checked = live && Boolean(lesson.records_talk);
    const said = live && lesson.records_talk ? text("voices") : "";
    if (element("voices-said").textContent !== said) element("voices-said").textContent = said;
  }

  box.addEventListener("change", async () => {
    const record = box.checked;
    busy = true;
    element("voices-error").textContent = "";
    const answer = await call("PUT", `/lessons/${lesson.id}/talk`, { record });
    busy = false;
    if (answer.ok) lesson = { ...lesson, records_talk: record };
    else element("voices-error").textContent = text(answer.status === 0 ? "unreachable" : "failed");
    show();
  });

  return {
    onLesson(news) {
      lesson = news;
      show();
    },
  };
}
