// A WHEP client (draft-ietf-wish-whep) that keeps a <video> fed for as long as it is asked to.
//
// `Session` is one disposable attempt: a peer connection and the WHEP resource behind it. `WhepPlayer` makes
// sessions, watches them and replaces the ones that fail. The offer leaves at once, without candidates: the kit
// learns this browser's address from its connectivity checks (RFC 8445, section 7.3.1.3).

const FREEZE_MS = 1500;
const FIRST_FRAME_MS = 5000;
const POLL_MS = 300;
const BACKOFF_FIRST_MS = 200;
const BACKOFF_LAST_MS = 2000;

export function backoff(attempt) {
  return Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** attempt);
}

/** The codecs with H.264, the one the kit sends, before all others. */
export function h264First(codecs) {
  const isH264 = (codec) => codec.mimeType.toLowerCase() === "video/h264";
  return [...codecs.filter(isH264), ...codecs.filter((codec) => !isH264(codec))];
}

/** Says when a count of frames has stood still for too long. Times are milliseconds of any one clock. */
export class FreezeWatch {
  #frames = 0;
  #since;

  constructor(now) {
    this.#since = now;
  }

  get started() {
    return this.#frames > 0;
  }

  /** Take in the count at `now`; true when the picture is frozen, or never came. */
  see(frames, now) {
    if (frames > this.#frames) {
      this.#frames = frames;
      this.#since = now;
      return false;
    }
    return now - this.#since > (this.started ? FREEZE_MS : FIRST_FRAME_MS);
  }
}

/** The kit's refusal to open a session: its HTTP status. */
export class Refused extends Error {
  constructor(status) {
    super(`WHEP answered ${status}`);
    this.status = status;
  }
}

class Session {
  #endpoint;
  #headers;
  #resource = null;
  #closed = false;
  #end;

  constructor(endpoint, token) {
    this.#endpoint = endpoint;
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
    this.stream = null;
    /** Resolves with a reason when the session is of no more use. */
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.connection.addEventListener("track", (event) => (this.stream = event.streams[0] ?? this.stream));
    const watch = () => this.#watchConnection();
    this.connection.addEventListener("iceconnectionstatechange", watch);
    this.connection.addEventListener("connectionstatechange", watch);
    this.offered = this.#offer();
  }

  async #offer() {
    this.connection.addTransceiver("audio", { direction: "recvonly" });
    const video = this.connection.addTransceiver("video", { direction: "recvonly" });
    const capabilities = RTCRtpReceiver.getCapabilities?.("video");
    if (capabilities && video.setCodecPreferences) video.setCodecPreferences(h264First(capabilities.codecs));
    const offer = await this.connection.createOffer();
    await this.connection.setLocalDescription(offer);
    return offer.sdp;
  }

  #watchConnection() {
    const states = [this.connection.iceConnectionState, this.connection.connectionState];
    if (states.some((state) => state === "failed" || state === "disconnected")) this.end("connection lost");
  }

  /** Send the offer, take the answer. Throws Refused, or TypeError when the kit is out of reach. */
  async open() {
    const sdp = await this.offered;
    const response = await fetch(this.#endpoint, {
      method: "POST",
      headers: { ...this.#headers, "Content-Type": "application/sdp" },
      body: sdp,
    });
    if (!response.ok) throw new Refused(response.status);
    this.#resource = new URL(response.headers.get("Location"), response.url);
    const answer = await response.text();
    if (this.#closed) {
      this.#hangUp();
      return;
    }
    await this.connection.setRemoteDescription({ type: "answer", sdp: answer });
    for (const receiver of this.connection.getReceivers()) {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      else if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = 0;
    }
  }

  /** How many pictures have been decoded so far. */
  async frames() {
    let decoded = 0;
    for (const report of (await this.connection.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "video") decoded += report.framesDecoded ?? 0;
    }
    return decoded;
  }

  end(reason) {
    this.#end(reason);
  }

  /** Idempotent. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.end("closed");
    this.connection.close();
    this.#hangUp();
  }

  #hangUp() {
    if (!this.#resource) return;
    // The kit notices by itself, only later, when this does not get through.
    fetch(this.#resource, { method: "DELETE", headers: this.#headers, keepalive: true }).catch(() => {});
    this.#resource = null;
  }
}

/**
 * Plays the kit's live picture in `video`. Events: `playing` (pictures arrive), `lost` (they ceased, a new attempt
 * is on its way), `refused` (detail.status: no further attempt is made), `silent` (the browser wants a tap for sound).
 */
export class WhepPlayer extends EventTarget {
  #video;
  #endpoint;
  #token;
  #session = null;
  #spare = null;
  #running = false;
  #wake = () => {};

  constructor(video, { endpoint = "/whep", token = null } = {}) {
    super();
    this.#video = video;
    this.#endpoint = endpoint;
    this.#token = token;
    addEventListener("pagehide", () => this.#session?.close());
  }

  get running() {
    return this.#running;
  }

  /** Make the offer ahead of time (keys and SDP cost tens of milliseconds on a tablet). */
  prepare(token = this.#token) {
    this.#token = token;
    this.#spare?.close();
    this.#spare = new Session(this.#endpoint, token);
  }

  /** Play until `stop`. Does nothing while playing. */
  start(token = this.#token) {
    if (token !== this.#token) this.prepare(token);
    if (this.#running) return;
    this.#running = true;
    this.#run();
  }

  /** Hang up. Idempotent. */
  stop() {
    this.#running = false;
    this.#session?.close();
    this.#wake();
    this.#video.srcObject = null;
  }

  /** Replace the session at once: its other end is known to be gone. */
  restart(reason) {
    this.#session?.end(reason);
    this.#wake();
  }

  async #run() {
    let attempt = 0;
    while (this.#running) {
      const session = this.#spare ?? new Session(this.#endpoint, this.#token);
      this.#spare = null;
      this.#session = session;
      try {
        const seen = await this.#play(session, attempt > 0);
        attempt = seen ? 0 : attempt + 1;
      } catch (error) {
        attempt += 1;
        if (error instanceof Refused && error.status >= 400 && error.status < 500) this.#refuse(error.status);
      } finally {
        session.close();
      }
      if (!this.#running) break;
      this.#tell("lost");
      await this.#pause(backoff(Math.max(0, attempt - 1)));
      attempt = Math.max(1, attempt);
    }
  }

  /** One session from offer to end; resolves to whether pictures came. */
  async #play(session, again) {
    await session.open();
    // A new attempt keeps the last picture of the old one on the screen until it has something better to show.
    if (!again) this.#attach(session);
    const watch = new FreezeWatch(performance.now());
    let attached = !again;
    let ended = false;
    let told = false;
    session.ended.then(() => (ended = true));
    this.#onFrame(() => {
      if (!ended && session === this.#session && !told) {
        told = true;
        this.#tell("playing");
      }
    });
    while (!ended) {
      const frames = await session.frames();
      if (ended) break;
      if (watch.see(frames, performance.now())) break;
      if (watch.started && !attached) {
        this.#attach(session);
        attached = true;
      }
      if (watch.started && !told) {
        told = true;
        this.#tell("playing");
      }
      await Promise.race([session.ended, sleep(attached ? POLL_MS : POLL_MS / 10)]);
    }
    return told;
  }

  #attach(session) {
    this.#video.srcObject = session.stream;
    this.#video.play().catch((error) => {
      if (error.name !== "NotAllowedError" || this.#video.muted) return;
      this.#video.muted = true;
      this.#video.play().catch(() => {});
      this.#tell("silent");
    });
  }

  #onFrame(callback) {
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(callback);
  }

  #refuse(status) {
    this.#running = false;
    this.#video.srcObject = null;
    this.dispatchEvent(new CustomEvent("refused", { detail: { status } }));
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, milliseconds);
    });
  }

  #tell(event) {
    this.dispatchEvent(new Event(event));
  }
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
