// Stills in place of the moving picture, for a line that does not carry one: fetched every few seconds, shown whole.

import { sleep } from "./watch.js";

const PAUSE_MS = 4000;
const RETRY_MS = 2000;

export class Stills {
  #image;
  #run = null;

  constructor(image) {
    this.#image = image;
  }

  /** Fetch and show stills until `stop`. Does nothing while it does so already. */
  start(token) {
    if (this.#run) return;
    this.#run = new AbortController();
    this.#go(token, this.#run);
  }

  /** Idempotent. */
  stop() {
    this.#run?.abort();
    this.#run = null;
    this.#image.hidden = true;
    this.#show(null);
  }

  async #go(token, { signal }) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    while (!signal.aborted) {
      let pause = RETRY_MS;
      try {
        // The browser asks with the last one's entity tag by itself: an unchanged picture costs a header.
        const response = await fetch("/api/v1/still", { headers, cache: "no-cache", signal });
        if (response.ok) {
          const picture = await response.blob();
          if (signal.aborted) return;
          this.#show(URL.createObjectURL(picture));
          this.#image.hidden = false;
          pause = PAUSE_MS;
        }
      } catch (error) {
        if (error.name === "AbortError") return;
      }
      await sleep(pause);
    }
  }

  #show(address) {
    const old = this.#image.getAttribute("src");
    if (address) this.#image.src = address;
    else this.#image.removeAttribute("src");
    if (old) URL.revokeObjectURL(old);
  }
}
