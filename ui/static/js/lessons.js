// The list of lessons: the teacher deletes one after a second thought, on the page.

import { call } from "./api.js";
import { setUpEditing } from "./edit.js";
import { text } from "./strings.js";
import { setUpUniting } from "./unite.js";

const said = document.getElementById("said");

const say = (sentence) => (said.textContent = sentence);
setUpEditing(say);
setUpUniting(say);

for (const item of document.querySelectorAll("[data-lesson]")) {
  const ask = item.querySelector("[data-do=ask]");
  const confirm = item.querySelector("[data-part=confirm]");
  if (!ask) continue;
  const turn = (asking) => {
    ask.hidden = asking;
    confirm.hidden = !asking;
    (asking ? confirm.querySelector("[data-do=keep]") : ask).focus();
  };
  ask.addEventListener("click", () => turn(true));
  confirm.querySelector("[data-do=keep]").addEventListener("click", () => turn(false));
  confirm.querySelector("[data-do=delete]").addEventListener("click", async () => {
    const { ok, status } = await call("DELETE", `/lessons/${item.dataset.lesson}`);
    said.textContent = text(ok || status === 404 ? "deleted" : "failed");
    if (ok || status === 404) item.remove();
    else turn(false);
    said.focus();
  });
}
