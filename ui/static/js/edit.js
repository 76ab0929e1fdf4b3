// What is said of a lesson, corrected in its place in the list.

import { call } from "./api.js";
import { text } from "./strings.js";

const WORDS = ["subject", "group", "teacher"];

/** Wires the buttons `edit` of the list; `say` is told what was done. */
export function setUpEditing(say) {
  const template = document.getElementById("editor");
  if (!template) return;
  for (const item of document.querySelectorAll("[data-lesson]")) {
    const button = item.querySelector("[data-do=edit]");
    button.addEventListener("click", () => open(template, item, button, say));
  }
}

function open(template, item, button, say) {
  const form = template.content.cloneNode(true).firstElementChild;
  const link = item.querySelector("h2 a");
  const of = (name) => item.querySelector(`[data-of=${name}]`);
  form.setAttribute("aria-labelledby", `${button.id} ${link.parentElement.id}`);
  form.elements.title.value = link.textContent;
  for (const name of WORDS) form.elements[name].value = of(name).textContent;
  form.elements.visibility.value = item.dataset.visibility;

  const close = () => {
    form.remove();
    button.hidden = false;
    button.focus();
  };
  form.querySelector("[data-do=leave]").addEventListener("click", close);
  form.addEventListener("keydown", ({ key }) => key === "Escape" && close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = Object.fromEntries(["title", ...WORDS, "visibility"].map((name) => [name, form.elements[name].value]));
    const { ok, status, data } = await call("PATCH", `/lessons/${item.dataset.lesson}`, asked);
    if (!ok) return refuse(form.querySelector(".error"), status, data);
    link.textContent = data.title;
    for (const name of WORDS) of(name).textContent = data[name];
    item.querySelector(".said-of").hidden = !WORDS.some((name) => data[name]);
    item.dataset.visibility = data.visibility;
    const seen = item.querySelector("[data-part=seen-by]");
    seen.textContent = form.elements.visibility.selectedOptions[0].textContent;
    seen.hidden = data.visibility === "class";
    close();
    say(text("described", { title: data.title }));
  });
  button.hidden = true;
  item.querySelector(".about").append(form);
  form.elements.title.focus();
}

function refuse(target, status, problem) {
  target.textContent =
    status === 400 ? text("refused", { reason: problem.detail }) : text(status === 0 ? "unreachable" : "failed");
  target.hidden = false;
}
