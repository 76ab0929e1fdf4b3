// Two recordings become one: the teacher says which follows, in the first one's place in the list.

import { call } from "./api.js";
import { clock, text } from "./strings.js";

/** Wires the buttons `unite` of the list; `say` is told what was done. */
export function setUpUniting(say) {
  const template = document.getElementById("uniter");
  if (!template) return;
  for (const item of document.querySelectorAll("[data-lesson]")) {
    const button = item.querySelector("[data-do=unite]");
    button?.addEventListener("click", () => open(template, item, button, say));
  }
}

/** The other lessons of the list that are over, the one soonest after `item` first. */
function others(item) {
  const began = (one) => Number(one.dataset.started);
  const later = (one) => began(one) > began(item);
  return [...document.querySelectorAll("[data-lesson]:not([data-state=live])")]
    .filter((one) => one !== item)
    .sort((one, other) => later(other) - later(one) || Math.abs(began(one) - began(item)) - Math.abs(began(other) - began(item)));
}

function open(template, item, button, say) {
  const form = template.content.cloneNode(true).firstElementChild;
  const title = (one) => one.querySelector("h2").textContent;
  const choices = others(item);
  form.setAttribute("aria-labelledby", `${button.id} title-${item.dataset.lesson}`);
  form.elements.next.append(...choices.map((one) => new Option(`${title(one)} (${one.dataset.moment})`, one.dataset.lesson)));
  const error = form.querySelector(".error");
  const fail = (sentence) => {
    error.textContent = sentence;
    error.hidden = false;
  };
  form.querySelector(".primary").disabled = !choices.length;
  if (!choices.length) fail(text("nothingFollows"));

  const close = () => {
    form.remove();
    button.hidden = false;
    button.focus();
  };
  form.querySelector("[data-do=leave]").addEventListener("click", close);
  form.addEventListener("keydown", ({ key }) => key === "Escape" && close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const next = choices.find((one) => one.dataset.lesson === form.elements.next.value);
    const { ok, status, data } = await call("POST", `/lessons/${item.dataset.lesson}/join`, { next: next.dataset.lesson });
    if (status === 409) return fail(text("notUnited", { reason: data.detail }));
    if (!ok) return fail(text(status === 0 ? "unreachable" : "failed"));
    item.querySelector(".length").textContent = clock(data.duration_s);
    const told = text("united", { title: title(item), next: title(next) });
    next.remove();
    close();
    say(told);
  });
  button.hidden = true;
  item.querySelector(".about").append(form);
  (choices.length ? form.elements.next : form.querySelector("[data-do=leave]")).focus();
}
