// The live picture over a WebSocket, as fragmented MP4 for Media Source Extensions: for networks without UDP.
//
// The kit says the type as text, then sends an initialisation segment and fragments, the first with a keyframe; the same
// again when the picture becomes another. Who wants "sound" gets no picture. What is played stays within a second of what
// has come; with the sound of a screen on which little moves, which comes only as often as its pictures, some more.

import { Refused } from "./whep.js";

const OPEN_TIMEOUT_MS = 5000;
const AT_EDGE_S = 0.15;
const LATE_S = 0.45;
const TOO_LATE_S = 1.2;
const HURRY = 1.08;
const KEPT_S = 13; // the keyframe of what is shown must stay: OBS sends one in eight seconds
const OFTEN_S = 0.15;
const LONGEST_SLACK_S = 2;
const REMEMBERED_GAPS = 10;
const REFUSED_CODE = 4000; // the kit closes with 4000 + the HTTP status that it would have answered

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

const WITH_OPUS = 'video/mp4; codecs="avc1.42e01f,opus"';

/**
 * What to do about a player at `now` when `start` to `end` (seconds) can be played: seek to, or play at a rate. It may
 * be later by `slack` than what comes often.
 */
export function keepUp(now, start, end, slack = 0) {
  const late = end - now - slack;
  if (now < start || late > TOO_LATE_S) return { seek: Math.max(start, end - AT_EDGE_S - slack) };
  return { rate: late > LATE_S ? HURRY : 1 };
}

/** How much later than usual to play when `gaps` (s) lie between what came lately. */
export function slackFor(gaps) {
  const longest = Math.max(0, ...gaps);
  return longest > OFTEN_S ? Math.min(LONGEST_SLACK_S, longest) : 0;
}

export class StreamSession {
  #token;
  #address;
  #quality;
  #gaps = [];
  #slack = 0;
  #edge = null;
  #socket = null;
  #source = null;
  #buffer = null;
  #video = null;
  #type = "";
  #queue = [];
  #url = null;
  #received = 0;
  #heard = 0;
  #mayBeSilent = false;
  #nothing = false;
  #closed = false;
  #end;

  /** `endpoint` is the WHEP one: what it asks for, this way brings. */
  constructor(endpoint, token, quality = "automatic") {
    this.#token = token;
    this.#quality = quality;
    this.#address = new URL("/stream", location.href);
    this.#address.protocol = this.#address.protocol.replace("http", "ws");
    this.#address.search = new URL(endpoint, location.href).search;
    const { searchParams } = this.#address;
    if (quality !== "automatic") searchParams.set("quality", quality);
    const pictureless = quality === "sound";
    if (searchParams.get("source") === "screen") {
      const deaf = !Source.isTypeSupported(WITH_OPUS);
      if (deaf) searchParams.set("sound", "no");
      this.#nothing = deaf && pictureless;
      this.#mayBeSilent = pictureless;
    }
    /** What the kit sends beside the sound, as a WHEP session says it. */
    this.showing = pictureless ? "none" : "high";
    this.connected = true;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  static get supported() {
    return Source !== undefined;
  }

  /**
   * Resolves once the kit has said the type, or is connected where it may have nothing to say. Throws Refused, or
   * TypeError when it is out of reach.
   */
  open(signal) {
    if (this.#nothing) return Promise.resolve();
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    return new Promise((resolve, reject) => {
      const fail = () => reject(new TypeError("the kit is out of reach"));
      const timer = setTimeout(fail, OPEN_TIMEOUT_MS);
      signal?.addEventListener("abort", fail);
      socket.onopen = () => {
        socket.send(this.#token ?? "");
        if (this.#mayBeSilent) resolve();
      };
      socket.onmessage = ({ data }) => {
        clearTimeout(timer);
        if (typeof data !== "string") return this.#take(data);
        if (!this.#type) this.#begin(data);
        else this.#queue.push(data);
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
    if (this.#video) this.#video.src = this.#url;
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
    this.#received += 1;
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
      // Not before all is there that has come: a viewer is sent what was made since the last keyframe.
      if (!this.#queue.length) this.#keepUp(buffered.start(last), buffered.end(last));
      if (buffered.end(last) - buffered.start(0) > 2 * KEPT_S) {
        buffer.remove(0, buffered.end(last) - KEPT_S);
        return;
      }
    }
    const data = this.#queue.shift();
    if (!data) return;
    try {
      if (typeof data !== "string") buffer.appendBuffer(data);
      else if (this.#changes(data)) this.#next();
    } catch {
      this.end("the browser's buffer is full");
    }
  }

  /** Go over to another type; the session ends where the browser cannot, or where sound comes or goes. */
  #changes(type) {
    const tracks = (text) => text.split(",").length;
    if (type === this.#type) return true;
    if (!this.#buffer.changeType || tracks(type) !== tracks(this.#type)) {
      this.end("another type");
      return false;
    }
    this.#type = type;
    this.#buffer.changeType(type);
    return true;
  }

  #keepUp(start, end) {
    const video = this.#video;
    if (!video || video.seeking) return;
    if (this.#type.includes("opus") && end !== this.#edge) {
      if (this.#edge !== null) this.#gaps = [...this.#gaps, end - this.#edge].slice(-REMEMBERED_GAPS);
      this.#edge = end;
      this.#slack = slackFor(this.#gaps);
    }
    const { seek, rate } = keepUp(video.currentTime, start, end, this.#slack);
    if (seek !== undefined) video.currentTime = seek;
    else if (video.playbackRate !== rate) video.playbackRate = rate;
  }

  attach(video) {
    this.#video = video;
    video.srcObject = null;
    video.disableRemotePlayback = true; // ManagedMediaSource asks for it
    if (this.#url) video.src = this.#url;
  }

  /** Another quality takes another session. */
  async choose(quality) {
    if (quality && quality !== this.#quality) this.end("another quality");
  }

  /** Whether no moving picture is wanted. */
  get pictureless() {
    return this.showing === "none";
  }

  /** Whether something has come since the last call; where there may be no sound, it need not. */
  async hears() {
    const more = this.#received > this.#heard || this.#mayBeSilent;
    this.#heard = this.#received;
    return more;
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
