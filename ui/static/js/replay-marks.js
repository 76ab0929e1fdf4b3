// What the player itself shows along its time, the chapters and the strip of pictures: read anew as they grow.

const STRIP_S = 60; // how often there are new pictures

/** Put a fresh track in the place of the one before; `version` is told to the server as another address. */
function renew(video, kind, facts, src, version) {
  const track = Object.assign(document.createElement("track"), { kind, default: true, src: `${src}?v=${version}` }, facts);
  const before = [...video.querySelectorAll(`track[kind=${kind}]`)];
  video.append(track);
  before.forEach((one) => one.remove());
}

export class Marks {
  #video;
  #base;
  #chapters;
  #strip;
  #version = 0;

  /** `timeline` is what the page was made with. */
  constructor(video, base, timeline) {
    this.#video = video;
    this.#base = base;
    [this.#chapters, this.#strip] = this.#state(timeline);
  }

  /** Take in a later timeline. */
  take(timeline) {
    const [chapters, strip] = this.#state(timeline);
    if (chapters !== this.#chapters) {
      const { srclang, label } = this.#video.querySelector("track[kind=chapters]");
      renew(this.#video, "chapters", { srclang, label }, `${this.#base}/chapters.vtt`, ++this.#version);
    }
    if (strip !== this.#strip) {
      renew(this.#video, "metadata", { label: "thumbnails" }, `${this.#base}/${timeline.strip}`, ++this.#version);
    }
    [this.#chapters, this.#strip] = [chapters, strip];
  }

  #state({ chapters, strip, duration_s: duration, state }) {
    const words = JSON.stringify(chapters.map(({ id, at_s: at, text }) => [id, at, text]));
    return [words, strip && (state === "live" ? Math.floor(duration / STRIP_S) : "whole")];
  }
}
