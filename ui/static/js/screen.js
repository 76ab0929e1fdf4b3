// The shared screen beside the camera: shown large for as long as somebody shares one.

import { LivePlayer } from "./player.js";

/** Shows the screen in `video`; body[data-shared] says for the page's style whether there is one to see. */
export class SharedScreen {
  #video;
  #player;
  #live = false;
  #wanted = false;
  #token = null;

  /** `silent` is called when the browser wants a tap before it plays the screen's sound. */
  constructor(video, silent) {
    this.#video = video;
    this.#player = new LivePlayer(video, { endpoint: "/whep?source=screen", still: true });
    this.#player.addEventListener("playing", () => this.#show(true));
    this.#player.addEventListener("refused", () => this.#show(false));
    this.#player.addEventListener("silent", silent);
  }

  /** Take in which sources the kit has (the `sources` event). */
  onSources({ live }) {
    this.#live = live.includes("screen");
    this.#settle();
  }

  /** Whether this page watches at all, and with which token. */
  watch(wanted, token = null) {
    this.#wanted = wanted;
    this.#token = token;
    this.#settle();
  }

  /** The viewer's choice of picture quality. */
  choose(choice) {
    this.#player.choose(choice);
  }

  /** A streaming process is another than before. */
  restart(process) {
    this.#player.restart(process);
  }

  unmute() {
    this.#video.muted = false;
  }

  #settle() {
    if (this.#live && this.#wanted) {
      this.#player.start(this.#token ?? undefined);
      return;
    }
    this.#player.stop();
    this.#show(false);
  }

  #show(shown) {
    this.#video.hidden = !shown;
    document.body.toggleAttribute("data-shared", shown);
  }
}
