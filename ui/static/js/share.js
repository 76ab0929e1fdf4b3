// The teacher's button that shares this computer's screen, and what the page says about it.

import { text } from "./strings.js";
import { canShare, ScreenPublisher } from "./whip.js";

const element = (id) => document.getElementById(id);

/** Wires the section `share` of the page; returns the handler of `sources` events and of the kit's restarts. */
export function setUpSharing() {
  const publisher = new ScreenPublisher();
  const button = element("share");
  let elsewhere = false;

  const say = (sentence) => {
    if (element("share-state").textContent !== sentence) element("share-state").textContent = sentence;
  };
  const show = (sentence) => {
    document.body.toggleAttribute("data-sharing", publisher.sharing);
    button.textContent = publisher.sharing ? button.dataset.stop : button.dataset.share;
    button.disabled = !publisher.sharing && elsewhere;
    say(sentence ?? (elsewhere && !publisher.sharing ? text("sharedElsewhere") : ""));
  };

  button.hidden = !canShare();
  element("share-insecure").hidden = canShare();
  button.addEventListener("click", async () => {
    if (publisher.sharing) {
      publisher.stop();
      return;
    }
    try {
      await publisher.start();
      show(text("shareConnecting"));
    } catch (error) {
      show(error.name === "NotAllowedError" ? text("shareForbidden") : text("failed"));
    }
  });
  publisher.addEventListener("sharing", () => show(text("shared")));
  publisher.addEventListener("lost", () => show(text("shareConnecting")));
  publisher.addEventListener("ended", () => show());
  publisher.addEventListener("refused", ({ detail }) => {
    show(detail.status === 409 ? text("sharedElsewhere") : text("failed"));
  });

  return {
    onSources({ live }) {
      elsewhere = live.includes("screen") && !publisher.sharing;
      if (!publisher.sharing) show();
    },
    restart: () => publisher.restart(),
  };
}
