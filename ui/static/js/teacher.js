// The teacher's page: one button, a preview, who is there. body[data-state]: loading, ready, starting, live, stopping.

import { setUpAbout } from "./about.js";
import { call } from "./api.js";
import { facts, refusal, room, trouble } from "./disk.js";
import { setUpMarks } from "./mark.js";
import { connect, restartWatch } from "./push.js";
import { setUpSharing } from "./share.js";
import { clock, pupils, text } from "./strings.js";
import { LivePlayer } from "./player.js";
import { setUpVoices } from "./voices.js";

const FLOOR_DBFS = -60;
const element = (id) => document.getElementById(id);
const player = new LivePlayer(element("video"));
const marks = setUpMarks();
const about = setUpAbout();
const voices = setUpVoices();
const page = { lesson: null, disk: null, since: 0, busy: null, confirming: false };

function show() {
  const focused = document.activeElement;
  const live = page.lesson?.state === "live";
  const state = page.busy ?? (live ? "live" : "ready");
  document.body.dataset.state = state;
  element("state").textContent = text(state);
  element("start").hidden = live;
  element("title-field").hidden = live;
  element("about").hidden = live;
  element("start").disabled = state === "starting";
  element("start-label").textContent = state === "starting" ? text("starting") : element("start").dataset.label;
  element("stop").hidden = !live || page.confirming;
  element("stop").disabled = state === "stopping";
  element("confirm").hidden = !live || !page.confirming;
  element("light").hidden = !live;
  element("elapsed").hidden = !live;
  element("room").textContent = room(page.disk, live);
  element("room").className = page.disk?.incident ? "warning" : "quiet";
  element("room").hidden = !element("room").textContent;
  marks.onLesson(live ? page.lesson.id : null);
  voices.onLesson(page.lesson);
  tick();
  // A lesson may begin or end elsewhere, too: who had a button that is gone has the one in its place.
  if (focused.matches("button") && focused.closest("[hidden]")) element(live ? "stop" : "start").focus();
}

function tick() {
  if (page.lesson?.state === "live") element("elapsed").textContent = clock((performance.now() - page.since) / 1000);
}

function onLesson(lesson) {
  if (lesson?.state !== "live") page.confirming = false;
  if (page.lesson?.state === "live" && lesson?.state !== "live") warn("command-error", null);
  page.lesson = lesson;
  if (lesson) page.since = performance.now() - lesson.elapsed_s * 1000;
  warn("recording-warning", trouble(lesson));
  element("recording-facts").textContent = facts(lesson);
  show();
}

function onDisk(disk) {
  page.disk = disk;
  show();
}

function onLevel(capture) {
  if (!capture) return;
  element("level").value = Math.max(FLOOR_DBFS, Math.min(0, capture.level_dbfs));
  const trouble = !capture.camera_ok ? "cameraLost" : !capture.microphone_ok ? "microphoneLost" : null;
  warn("capture-warning", trouble && text(trouble));
}

function onViewers({ count, names }) {
  element("count").textContent = pupils(count, "nobody");
  element("names").replaceChildren(
    ...names.map((name) => Object.assign(document.createElement("li"), { textContent: name })),
  );
}

function onServices(services) {
  const down = Object.keys(services).filter((name) => !services[name].up);
  warn("service-warning", down.length ? text("serviceDown", { names: down.join(", ") }) : null);
}

function warn(id, sentence) {
  const target = element(id);
  if (target.textContent !== (sentence ?? "")) target.textContent = sentence ?? "";
  target.hidden = !sentence;
}

/** Carry out a command: the page shows `busy` meanwhile, and what went wrong afterwards. */
async function command(busy, method, path, body) {
  page.busy = busy;
  warn("command-error", null);
  show();
  const answer = await call(method, path, body);
  page.busy = null;
  if (answer.status === 401 || answer.status === 403) location.reload();
  else if (!answer.ok) {
    warn("command-error", refusal(busy, answer) ?? text(answer.status === 0 ? "unreachable" : "failed"));
  }
  else onLesson({ ...answer.data, elapsed_s: answer.data.duration_s });
  show();
}

element("start").addEventListener("click", async () => {
  await command("starting", "POST", "/lessons", { title: element("title").value, ...about.said() });
  if (page.lesson?.state === "live") element("stop").focus();
});
element("stop").addEventListener("click", () => {
  page.confirming = true;
  show();
  element("confirm-no").focus();
});
element("confirm-no").addEventListener("click", () => {
  page.confirming = false;
  show();
  element("stop").focus();
});
element("confirm-yes").addEventListener("click", async () => {
  page.confirming = false;
  await command("stopping", "POST", `/lessons/${page.lesson.id}/stop`);
  if (page.lesson?.state !== "live") element("start").focus();
});
element("sign-out").addEventListener("click", async () => {
  await call("DELETE", "/session");
  location.reload();
});

player.addEventListener("playing", () => (element("preview-note").hidden = true));
player.addEventListener("lost", () => (element("preview-note").hidden = false));
player.addEventListener("refused", ({ detail }) => {
  if (detail.status === 401) location.reload();
  else setTimeout(() => player.start(), 2000);
});

const sharing = setUpSharing();

connect(null, {
  lesson: onLesson,
  disk: onDisk,
  sources: sharing.onSources,
  level: onLevel,
  viewers: onViewers,
  services: onServices,
  media: restartWatch((process) => {
    player.restart(process);
    if (process === 1) sharing.restart(); // publishers come in at the first
  }),
  connect_error: (error) => error.message === "unauthorized" && location.reload(),
});
player.start();
setInterval(tick, 500);
show();
