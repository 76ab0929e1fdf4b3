// A WHIP publisher (RFC 9725): sends the picture of this computer's screen to the kit until somebody stops it.
//
// The capture belongs to the person who chose it; only the connection is replaced when it fails.

import { backoff, sleep } from "./watch.js";
import { h264First, iceServers } from "./whep.js";

// As it is: what browsers do to a microphone's sound would take music for noise.
const SOUND = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const LARGEST = { width: { max: 1920 }, height: { max: 1080 }, frameRate: { max: 30 } };

/** Whether this page may ask for the screen: browsers allow it over https and on the kit itself. */
export function canShare() {
  return Boolean(navigator.mediaDevices?.getDisplayMedia);
}

/**
 * Publishes a captured screen. Events: `sharing`, `lost` (a new attempt is on its way), `ended`, and `refused`
 * (detail.status: somebody else shares already, or the session is over).
 */
export class ScreenPublisher extends EventTarget {
  #endpoint;
  #stream = null;
  #connection = null;
  #resource = null;
  #published = false;
  #wake = () => {};

  constructor(endpoint = "/whip/screen") {
    super();
    this.#endpoint = endpoint;
    addEventListener("pagehide", () => this.#hangUp());
  }

  get sharing() {
    return this.#stream !== null;
  }

  /** Ask for the screen and publish it until `stop`, or until the browser's own button ends it.
   * Throws what getDisplayMedia throws (NotAllowedError: the person said no). */
  async start() {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: LARGEST, audio: SOUND });
    this.#stream = stream;
    const [picture] = stream.getVideoTracks();
    picture.contentHint = "detail"; // letters stay sharp; the frame rate gives way
    picture.addEventListener("ended", () => this.stop());
    this.#run(stream);
  }

  /** Idempotent. */
  stop() {
    if (!this.#stream) return;
    for (const track of this.#stream.getTracks()) track.stop();
    this.#stream = null;
    this.#hangUp();
    this.#wake();
    this.dispatchEvent(new Event("ended"));
  }

  /** Connect anew: the other end is known to be gone. */
  restart() {
    this.#wake();
  }

  async #run(stream) {
    let attempt = 0;
    while (this.#stream === stream) {
      try {
        await this.#publish(stream);
        attempt = 0;
      } catch (error) {
        attempt += 1;
        if (error.status >= 400 && error.status < 500 && !this.#mayWait(error.status, attempt)) {
          this.stop();
          this.dispatchEvent(new CustomEvent("refused", { detail: { status: error.status } }));
        }
      }
      this.#hangUp();
      if (this.#stream !== stream) return;
      this.dispatchEvent(new Event("lost"));
      await sleep(backoff(attempt));
    }
  }

  /** After a loss the kit may hold the lost session for some seconds more. */
  #mayWait(status, attempt) {
    return status === 409 && this.#published && attempt < 10;
  }

  /** One connection, from offer to end. */
  async #publish(stream) {
    const servers = await this.#servers();
    if (this.#stream !== stream) return;
    const connection = new RTCPeerConnection({ iceServers: servers, bundlePolicy: "max-bundle" });
    this.#connection = connection;
    const over = new Promise((resolve) => {
      this.#wake = resolve;
      connection.addEventListener("connectionstatechange", () => {
        if (["failed", "disconnected", "closed"].includes(connection.connectionState)) resolve();
        if (connection.connectionState === "connected") {
          this.#published = true;
          this.dispatchEvent(new Event("sharing"));
        }
      });
    });
    for (const track of stream.getTracks()) {
      const transceiver = connection.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      const capabilities = track.kind === "video" && RTCRtpSender.getCapabilities?.("video");
      if (capabilities && transceiver.setCodecPreferences) {
        transceiver.setCodecPreferences(h264First(capabilities.codecs));
      }
    }
    await connection.setLocalDescription(await connection.createOffer());
    const response = await fetch(this.#endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: connection.localDescription.sdp,
    });
    if (!response.ok) throw Object.assign(new Error(`WHIP answered ${response.status}`), { status: response.status });
    this.#resource = new URL(response.headers.get("Location"), response.url);
    await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
    await over;
  }

  /** The kit's STUN and TURN servers, where it has any (RFC 9725 section 4.6). */
  async #servers() {
    if (!("relays" in document.body.dataset)) return [];
    const response = await fetch(this.#endpoint, { method: "OPTIONS", cache: "no-store" });
    return iceServers(response.headers.get("Link"));
  }

  #hangUp() {
    this.#connection?.close();
    this.#connection = null;
    // The kit notices by itself, only later, when this does not get through.
    if (this.#resource) fetch(this.#resource, { method: "DELETE", keepalive: true }).catch(() => {});
    this.#resource = null;
  }
}
