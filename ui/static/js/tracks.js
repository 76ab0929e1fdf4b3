// The teacher's captions and chapters on the replay's page: put in from a WebVTT file, corrected, removed.

import { call } from "./api.js";
import { text } from "./strings.js";

const form = document.getElementById("tracks-form");

function path(kind, language) {
  return `/api/v1/lessons/${form.dataset.lesson}/tracks/${kind}/${encodeURIComponent(language)}`;
}

function say(sentence) {
  document.getElementById("tracks-said").textContent = sentence;
}

/** Ask the kit; the page is read again when it did it, so that the player has the track. */
async function ask(method, where, body) {
  const options = body === undefined ? { method } : { method, body, headers: { "Content-Type": "text/vtt" } };
  let response;
  try {
    response = await fetch(where, options);
  } catch {
    return say(text("unreachable"));
  }
  if (response.ok) location.reload();
  else if (response.status === 400) say(text("trackInvalid", { reason: (await response.json()).detail }));
  else say(text(response.status === 413 ? "trackTooLarge" : "failed"));
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const [file] = document.getElementById("tracks-file").files;
  const { value: kind } = document.getElementById("tracks-kind");
  const { value: language } = document.getElementById("tracks-language");
  if (file) ask("PUT", path(kind, language), file);
});

for (const button of document.querySelectorAll("[data-remove-track]")) {
  button.addEventListener("click", () => ask("DELETE", path("captions", button.dataset.removeTrack)));
}

const chapters = document.querySelector(".marked");

/** Carry out a correction; whether the kit did it. */
async function correct(method, mark, body) {
  const { ok, status } = await call(method, `/lessons/${chapters.dataset.lesson}/marks/${mark}`, body);
  say(ok ? text("corrected") : text(status === 0 ? "unreachable" : "failed"));
  return ok;
}

for (const item of chapters?.querySelectorAll("li") ?? []) {
  const { mark } = item.dataset;
  const words = item.querySelector("input");
  words.addEventListener("change", () => correct("PATCH", mark, { text: words.value }));
  item.querySelector("button").addEventListener("click", async () => {
    if (!(await correct("DELETE", mark))) return;
    item.remove();
    document.getElementById("tracks-said").focus();
  });
}
