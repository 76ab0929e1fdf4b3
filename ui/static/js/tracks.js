// The teacher's captions and chapters on the replay's page: put one in from a WebVTT file, remove one.

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
