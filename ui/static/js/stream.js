// The live picture over a WebSocket, as fragmented MP4 for Media Source Extensions: for networks without UDP.
//
// The kit says the type as text, then sends an initialisation segment and fragments, the first with a keyframe. What
// is played stays within a second of what has come.

import { Refused } from "./whep.js";

const OPEN_TIMEOUT_MS = 5000;
const AT_EDGE_S = 0.15;
const LATE_S = 0.45;
const TOO_LATE_S = 1.2;
const HURRY = 1.08;
const KEPT_S = 6;
const REFUSED_CODE = 4000; // the kit closes with 4000 + the HTTP status that it would have answered

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

/** What to do about a player at `now` when `start` to `end` (seconds) can be played: seek to, or play at a rate. */
export function keepUp(now, start, end) {
  const late = end - now;
  if (now < start || late > TOO_LATE_S) return { seek: Math.max(start, end - AT_EDGE_S) };
  return { rate: late > LATE_S ? HURRY : 1 };
}

export class StreamSession {
  #token;
  #socket = null;
  #source = null;
  #buffer = null;
  #video = null;
  #type = "";
  #queue = [];
  #url = null;
  #closed = false;
  #end;

  constructor(token) {
    this.#token = token;
    this.connected = true;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  static get supported() {
    return Source !== undefined;
  }

  /** Resolves once the kit has said the type. Throws Refused, or TypeError when it is out of reach. */
  open(signal) {
    const address = new URL("/stream", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    return new Promise((resolve, reject) => {
      const fail = () => reject(new TypeError("the kit is out of reach"));
      const timer = setTimeout(fail, OPEN_TIMEOUT_MS);
      signal?.addEventListener("abort", fail);
      socket.onopen = () => socket.send(this.#token ?? "");
      socket.onmessage = ({ data }) => {
        clearTimeout(timer);
        if (typeof data !== "string") return this.#take(data);
        if (!this.#type) this.#begin(data);
        else if (data !== this.#type) this.end("another type");
        return resolve();
      };
      socket.onclose = ({ code }) => {
        clearTimeout(timer);
        if (code > REFUSED_CODE) reject(new Refused(code - REFUSED_CODE));
        fail();
        this.end("socket closed");
      };
    });
  }

  #begin(type) {
    this.#type = type;
    this.#source = new Source();
    this.#url = URL.createObjectURL(this.#source);
    this.#source.addEventListener("sourceopen", () => {
      if (this.#buffer || this.#closed) return;
      try {
        this.#buffer = this.#source.addSourceBuffer(type);
      } catch {
        this.end("a type that this browser does not play");
        return;
      }
      this.#buffer.addEventListener("updateend", () => this.#next());
      this.#next();
    });
  }

  #take(data) {
    this.#queue.push(data);
    this.#next();
  }

  #next() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#source.readyState !== "open") return;
    if (this.#video?.error) {
      this.end("the browser cannot play it");
      return;
    }
    const { buffered } = buffer;
    const last = buffered.length - 1;
    if (last >= 0) {
      this.#keepUp(buffered.start(last), buffered.end(last));
      if (buffered.end(last) - buffered.start(0) > 2 * KEPT_S) {
        buffer.remove(0, buffered.end(last) - KEPT_S);
        return;
      }
    }
    const data = this.#queue.shift();
    if (!data) return;
    try {
      buffer.appendBuffer(data);
    } catch {
      this.end("the browser's buffer is full");
    }
  }

  #keepUp(start, end) {
    const video = this.#video;
    if (!video || video.seeking) return;
    const { seek, rate } = keepUp(video.currentTime, start, end);
    if (seek !== undefined) video.currentTime = seek;
    else if (video.playbackRate !== rate) video.playbackRate = rate;
  }

  attach(video) {
    this.#video = video;
    video.srcObject = null;
    video.disableRemotePlayback = true; // ManagedMediaSource asks for it
    video.src = this.#url;
  }

  async frames() {
    return this.#video?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
  }

  end(reason) {
    this.#end(reason);
  }

  /** Idempotent. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.end("closed");
    this.#socket?.close();
    if (this.#video) this.#video.playbackRate = 1;
    if (this.#url) URL.revokeObjectURL(this.#url);
  }
}
