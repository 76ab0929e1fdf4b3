// A WHEP session (draft-ietf-wish-whep): one disposable peer connection and the resource behind it.
//
// The offer leaves at once, without candidates: the kit learns this browser's address from its connectivity checks
// (RFC 8445, section 7.3.1.3). With TURN servers the same holds for the relay's address.

const OPEN_TIMEOUT_MS = 6000; // a kit whose streaming service restarts answers after some seconds
const RESTART_TIMEOUT_MS = 1000;
const FRAGMENT = "application/trickle-ice-sdpfrag";

/** The codecs with H.264, the one the kit sends, before all others. */
export function h264First(codecs) {
  const isH264 = (codec) => codec.mimeType.toLowerCase() === "video/h264";
  return [...codecs.filter(isH264), ...codecs.filter((codec) => !isH264(codec))];
}

/**
 * What the kit may send, of a browser's codecs; all when it has none of it. Every further codec is a dozen lines that
 * both sides read between the press and the picture.
 */
export function playable(codecs) {
  const isBaseline = (parameters) => /packetization-mode=1/.test(parameters) && /profile-level-id=42/.test(parameters);
  const isPlayed = ({ mimeType, sdpFmtpLine = "" }) =>
    /^audio\/opus$/i.test(mimeType) || (/^video\/h264$/i.test(mimeType) && isBaseline(sdpFmtpLine));
  const played = codecs.filter(isPlayed);
  return played.length ? [...played, ...codecs.filter(({ mimeType }) => /^video\/rtx$/i.test(mimeType))] : codecs;
}

/** The RTCIceServers in a Link header (RFC 9725 section 4.6); other links are left out. */
export function iceServers(header) {
  const servers = [];
  for (const [, urls, parameters] of (header ?? "").matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+="[^"]*")*)/g)) {
    const given = Object.fromEntries([...parameters.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]));
    if (given.rel !== "ice-server") continue;
    servers.push(given.username ? { urls, username: given.username, credential: given.credential } : { urls });
  }
  return servers;
}

/** The session's answer with the credentials and candidates of a fragment (RFC 8840) in place of its own. */
export function answerAfterRestart(answer, fragment) {
  const isIce = (line) => /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)/.test(line);
  const fresh = fragment.split(/\r?\n/).filter(isIce);
  const lines = [];
  for (const line of answer.split(/\r?\n/)) {
    if (!isIce(line)) lines.push(line);
    if (line.startsWith("a=mid:")) lines.push(...fresh);
  }
  return lines.join("\r\n");
}

/** The number of the streaming process that has the session at this path: ".../2.ID", or ".../ID" for the first. */
export function processOf(path) {
  return Number(/\/(\d+)\.[^/]*$/.exec(path)?.[1] ?? 1);
}

/** The kit's refusal to open a session: its HTTP status. */
export class Refused extends Error {
  constructor(status) {
    super(`the kit answered ${status}`);
    this.status = status;
  }
}

/** fetch that gives up, with an AbortError, after `milliseconds` or when `signal` says so. */
export async function fetchWithin(milliseconds, resource, options, signal) {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const timer = setTimeout(stop, milliseconds);
  signal?.addEventListener("abort", stop);
  try {
    return await fetch(resource, { ...options, signal: abort.signal });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

export class WhepSession {
  #endpoint;
  #headers;
  #resource = null;
  #etag = null;
  #answer = "";
  #closed = false;
  #heard = 0;
  #connect;
  #end;

  constructor(endpoint, token, servers = []) {
    this.#endpoint = endpoint;
    this.authorize(token);
    this.stream = null;
    /** Freezes of the picture, and packets asked for again, as of the last look at `frames`. */
    this.counts = { freezes: 0, nacks: 0 };
    /** By how many milliseconds picture and sound are held back. */
    this.heldBack = 0;
    /** What the kit last said that it shows: "high", "low", "still", "none". */
    this.showing = "high";
    /** Whether ICE and DTLS were ever done. */
    this.connected = false;
    this.whenConnected = new Promise((resolve) => (this.#connect = resolve));
    /** Called when the browser has lost the way to the kit. */
    this.onSuspect = () => {};
    /** Resolves with a reason when the session is of no more use. */
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.connection = new RTCPeerConnection({ iceServers: servers, bundlePolicy: "max-bundle" });
    this.connection.addEventListener("track", (event) => (this.stream = event.streams[0] ?? this.stream));
    const watch = () => this.#watchConnection();
    this.connection.addEventListener("iceconnectionstatechange", watch);
    this.connection.addEventListener("connectionstatechange", watch);
    this.offered = this.#offer();
  }

  /** Who asks. The offer can be made before that is known. */
  authorize(token) {
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  async #offer() {
    for (const kind of ["audio", "video"]) {
      const transceiver = this.connection.addTransceiver(kind, { direction: "recvonly" });
      const codecs = playable(RTCRtpReceiver.getCapabilities?.(kind)?.codecs ?? []);
      if (codecs.length && transceiver.setCodecPreferences) transceiver.setCodecPreferences(codecs);
    }
    const offer = await this.connection.createOffer();
    await this.connection.setLocalDescription(offer);
    return offer.sdp;
  }

  #watchConnection() {
    const { iceConnectionState: ice, connectionState: state } = this.connection;
    if (state === "connected") {
      this.connected = true;
      this.#connect();
    }
    // While ICE comes back to life, the state of the whole may lag behind: DTLS alone never comes back.
    const dtls = this.connection.getReceivers()[0]?.transport;
    if (dtls ? dtls.state === "failed" : state === "failed" && ice !== "failed") this.end("connection failed");
    else if (ice === "disconnected" || ice === "failed") this.onSuspect();
  }

  /** Send the offer with the wanted quality, take the answer. Throws Refused, or TypeError or AbortError when the kit is out of reach. */
  async open(signal, quality = "automatic") {
    const body = await this.offered;
    const headers = { ...this.#headers, "Content-Type": "application/sdp" };
    const endpoint = new URL(this.#endpoint, location.href);
    if (quality !== "automatic") endpoint.searchParams.set("quality", quality);
    const response = await fetchWithin(OPEN_TIMEOUT_MS, endpoint, { method: "POST", headers, body }, signal);
    if (!response.ok) throw new Refused(response.status);
    this.#resource = new URL(response.headers.get("Location"), response.url);
    this.#etag = response.headers.get("ETag");
    this.#answer = await response.text();
    if (this.#closed) {
      this.#hangUp();
      return;
    }
    await this.connection.setRemoteDescription({ type: "answer", sdp: this.#answer });
    this.holdBack(this.heldBack);
  }

  /** Play so many milliseconds later than at once, where the browser lets pages choose. */
  holdBack(milliseconds) {
    this.heldBack = milliseconds;
    for (const receiver of this.connection.getReceivers()) {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = milliseconds;
      else if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = milliseconds / 1000;
    }
  }

  /** Restart ICE in place (RFC 9725 section 4.3.3); false when the kit knows the session no more or is out of reach. */
  async restart() {
    if (!this.#etag || this.#closed) return false;
    try {
      this.connection.restartIce();
      const offer = await this.connection.createOffer();
      await this.connection.setLocalDescription(offer);
      const body = offer.sdp.split("\r\n").filter((line) => /^a=ice-(ufrag|pwd):/.test(line)).slice(0, 2).join("\r\n");
      const headers = { ...this.#headers, "Content-Type": FRAGMENT, "If-Match": "*" };
      const options = { method: "PATCH", headers, body: `${body}\r\n` };
      const response = await fetchWithin(RESTART_TIMEOUT_MS, this.#resource, options);
      if (response.status !== 200) return false;
      this.#etag = response.headers.get("ETag");
      this.#answer = answerAfterRestart(this.#answer, await response.text());
      await this.connection.setRemoteDescription({ type: "answer", sdp: this.#answer });
      return true;
    } catch {
      return false;
    }
  }

  /** The number of the streaming process that has the session; null before the kit has answered. */
  get process() {
    return this.#resource && processOf(this.#resource.pathname);
  }

  /** Whether ICE has a way to the kit, or may be about to have one. */
  get connects() {
    return !["disconnected", "failed"].includes(this.connection.iceConnectionState);
  }

  attach(video) {
    if (video.srcObject !== this.stream) video.srcObject = this.stream;
  }

  /** Choose a quality, or only ask what the kit shows (`showing`). Out of reach, everything stays as it is. */
  async choose(quality) {
    if (!this.#resource) return;
    const headers = { ...this.#headers, "Content-Type": "application/json" };
    const options = { method: "PATCH", headers, body: JSON.stringify(quality ? { quality } : {}) };
    const response = await fetchWithin(RESTART_TIMEOUT_MS, this.#resource, options).catch(() => null);
    if (response?.ok) this.showing = (await response.json()).showing;
  }

  /** Whether the kit sends no moving picture: it said so. */
  get pictureless() {
    return this.showing === "still" || this.showing === "none";
  }

  /** Whether sound has come since the last call. */
  async hears() {
    let received = 0;
    for (const report of (await this.connection.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "audio") received += report.packetsReceived ?? 0;
    }
    const more = received > this.#heard;
    this.#heard = received;
    return more;
  }

  /** How many pictures have been decoded so far; `counts` says what happened to them. */
  async frames() {
    let decoded = 0;
    const counts = { freezes: 0, nacks: 0 };
    for (const report of (await this.connection.getStats()).values()) {
      if (report.type !== "inbound-rtp" || report.kind !== "video") continue;
      decoded += report.framesDecoded ?? 0;
      counts.freezes += report.freezeCount ?? 0;
      counts.nacks += report.nackCount ?? 0;
    }
    this.counts = counts;
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
