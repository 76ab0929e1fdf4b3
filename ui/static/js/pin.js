// The teacher's PIN.

import { call } from "./api.js";
import { text } from "./strings.js";

const form = document.getElementById("pin-form");
const error = document.getElementById("pin-error");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { ok, status, retryAfter } = await call("POST", "/session", { pin: form.elements.pin.value });
  if (ok) {
    location.reload();
    return;
  }
  const known = { 401: "wrongPin", 429: "tooMany" };
  error.textContent = text(known[status] ?? "unreachable", { seconds: retryAfter });
  error.hidden = false;
  form.elements.pin.select();
});
form.querySelector("button").disabled = false; // from here on, a press is heard
form.elements.pin.focus();
