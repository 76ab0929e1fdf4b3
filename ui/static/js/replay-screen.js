// The shared screen beside the camera in the replay, and the choice of what to see.

import { Beside } from "./replay-beside.js";

const KEPT = "preau-view";
const KEPT_LARGE = "preau-large";
const TYPE = 'video/mp4; codecs="avc1.42e01f,opus"';

export class ReplayScreen extends Beside {
  #player;

  /** `player` carries data-view (camera, screen, both) and data-screen while there is a screen to see; body
   * data-spans where there is one at some time, data-screen-sound where one can be heard. */
  constructor(player, camera, screen) {
    super(camera, screen, "screen", TYPE);
    this.#player = player;
  }

  take(spans, base, live) {
    document.body.toggleAttribute("data-screen-sound", spans.some(({ sound }) => sound));
    document.body.toggleAttribute("data-spans", spans.length > 0);
    super.take(spans, base, live);
  }

  present(there) {
    this.#player.toggleAttribute("data-screen", there);
  }
}

/** The choice of what to see, and of which is large, remembered on this device. `tell` is told of it when it was made by
 * key: then no button shows where one is. */
export function setUpViews(player, buttons, swap, tell) {
  const views = ["camera", "screen", "both"];
  const choose = (view) => {
    player.dataset.view = view;
    localStorage.setItem(KEPT, view);
    swap.disabled = view !== "both";
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  };
  const enlarge = (large) => {
    player.dataset.large = large;
    localStorage.setItem(KEPT_LARGE, large);
  };
  const other = () => enlarge(player.dataset.large === "screen" ? "camera" : "screen");
  for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.view));
  swap.addEventListener("click", other);
  const kept = localStorage.getItem(KEPT);
  choose(views.includes(kept) ? kept : "both");
  enlarge(localStorage.getItem(KEPT_LARGE) === "camera" ? "camera" : "screen");
  return {
    next() {
      choose(views[(views.indexOf(player.dataset.view) + 1) % views.length]);
      tell(player.dataset.view);
    },
    swap() {
      if (player.dataset.view === "both") other();
    },
  };
}
