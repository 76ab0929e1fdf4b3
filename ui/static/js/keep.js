// When a recording is deleted, and the button that keeps it longer: in the list and on the replay's page.

import { call } from "./api.js";
import { text } from "./strings.js";

const DAY_S = 86400;
const day = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long" });

for (const line of document.querySelectorAll("[data-ending]")) {
  const part = (name) => line.querySelector(`[data-part=${name}]`);
  const button = line.querySelector("button");
  button.addEventListener("click", async () => {
    const wanted = { ends_at: Number(button.dataset.until) };
    const { ok, data } = await call("PUT", `/lessons/${line.dataset.ending}/end`, wanted);
    part("failed").textContent = ok ? "" : text("notKept");
    if (!ok) return;
    part("when").textContent = text("endsOn", { date: day.format(data.ends_at * 1000) });
    line.classList.remove("soon");
    button.dataset.until = data.ends_at + Number(button.dataset.days) * DAY_S;
  });
}
