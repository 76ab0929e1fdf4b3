// Keeps a <video> fed with the kit's live picture for as long as it is asked to, whatever the network does.
//
// The way is WebRTC (whep.js); where the network lets no UDP through, the WebSocket (stream.js), which is tried beside it
// when it takes long. A session that freezes is kept for as long as the kit is out of reach: ICE may find it again before
// the page does. Once the kit answers, the session is restarted in place once, then replaced.

import { knock } from "./knock.js";
import { StreamSession } from "./stream.js";
import { backoff, Cushion, FreezeWatch, sleep } from "./watch.js";
import { headStart, rememberUdp, udpWasBlocked } from "./way.js";
import { fetchWithin, iceServers, Refused, WhepSession } from "./whep.js";

const POLL_MS = 300;
const ASK_TIMEOUT_MS = 900;
const KNOCK_PAUSE_MS = 250;
const REVIVED_POLL_MS = 100;
const REVIVAL_MS = 700; // ICE finds the way again at once when it is the old one
const CONNECT_MS = 2500;
const RESTARTED_MS = 1500;
const RELAYED_CONNECT_MS = 5000;
const LATE_MS = 1000;
const SLEPT_MS = 8000;
const RETURN_FIRST_MS = 10_000; // the network may be another than the one where it was found that no UDP gets through
const RETURN_MS = 60_000;

/**
 * Plays the kit's live picture in `video`. Events: `playing` (pictures arrive), `lost` (they ceased, a new attempt
 * is on its way), `showing` (detail.showing: "video", or "still" or "none" while the kit sends sound alone), `refused` (detail.status: no further attempt is made), `silent` (the browser wants a tap for sound).
 */
export class LivePlayer extends EventTarget {
  #video;
  #endpoint;
  #token;
  #session = null;
  #spare = null;
  #rival = null;
  #running = false;
  #udpBlocked = false;
  #cushion = new Cushion();
  #relays = "relays" in document.body.dataset;
  #wake = () => {};
  #knock = new AbortController();

  #still;
  #choice = "automatic";
  #showing = "video";

  /** A `still` source may show one picture for long. */
  constructor(video, { endpoint = "/whep", token = null, still = false } = {}) {
    super();
    this.#still = still;
    this.#video = video;
    this.#endpoint = endpoint;
    this.#token = token;
    addEventListener("pagehide", () => this.#hangUp());
    addEventListener("pageshow", () => this.#nudge());
    addEventListener("online", () => this.#networkReturned());
    document.addEventListener("visibilitychange", () => document.hidden || this.#nudge());
    document.addEventListener("resume", () => this.#nudge());
  }

  get running() {
    return this.#running;
  }

  /** The way the picture takes: "webrtc", "websocket", or null. */
  get way() {
    if (!this.#session) return null;
    return this.#session instanceof StreamSession ? "websocket" : "webrtc";
  }

  /** Which picture to ask for: "automatic", "sharp", "saving" or "sound"; now, and of every later session. */
  choose(choice) {
    this.#choice = choice;
    this.#session?.choose?.(choice).then(() => this.#nudge());
  }

  /** Make the offer ahead of time (keys and SDP cost tens of milliseconds on a tablet). */
  prepare(token = this.#token) {
    this.#token = token;
    if (this.#relays) return;
    this.#spare ??= new WhepSession(this.#endpoint, token);
    this.#spare.authorize(token);
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
    this.#hangUp();
    this.#nudge();
    this.#clear();
  }

  #hangUp() {
    this.#session?.close();
    this.#rival?.close();
    this.#rival = null;
  }

  /** Replace a WebRTC session at once if it is of this streaming process: that is another than before. */
  restart(process) {
    if (this.way === "webrtc") {
      if ((this.#session.process ?? process) !== process) return;
      this.#session.end("the streaming service restarted");
    }
    this.#nudge();
  }

  /** Look now, and try now: time may have passed while the device slept. */
  #nudge() {
    this.#wake();
  }

  #networkReturned() {
    this.#knock.abort(); // what was sent into the dead network is waited for no longer
    this.#nudge();
  }

  async #run() {
    let attempt = 0;
    while (this.#running) {
      let reached = true;
      this.#knock = new AbortController();
      try {
        const session = await this.#open(attempt);
        const seen = this.#running && (await this.#play(session, attempt > 0));
        if (!seen && session instanceof StreamSession) this.#udpBlocked = false;
        attempt = seen ? 0 : attempt + 1;
      } catch (error) {
        attempt += 1;
        reached = !(error instanceof TypeError || error.name === "AbortError");
        if (error instanceof Refused && error.status >= 400 && error.status < 500) this.#refuse(error.status);
      } finally {
        this.#session?.close();
      }
      if (!this.#running) break;
      if (this.#rival) continue; // it is there already
      this.#tell("lost");
      await this.#pause(reached ? backoff(Math.max(0, attempt - 1)) : KNOCK_PAUSE_MS);
      attempt = Math.max(1, attempt);
    }
    this.#session = null;
  }

  async #open(attempt) {
    const { signal } = this.#knock;
    if (this.#rival) {
      [this.#session, this.#rival] = [this.#rival, null];
      return this.#session;
    }
    // A cheap question first, when an offer might only be sent into a dead network.
    if (attempt > 0) await knock(signal);
    const servers = this.#relays ? await this.#ask(signal) : [];
    if (this.#udpBlocked) this.#session = this.#newStream();
    else this.#session = this.#spare ?? new WhepSession(this.#endpoint, this.#token, servers);
    this.#spare = null;
    await this.#session.open(signal, this.#choice);
    return this.#session;
  }

  #newStream() {
    return new StreamSession(this.#endpoint, this.#token, this.#choice);
  }

  /** Try the WebSocket beside `session` when that takes long to connect, and end it when the WebSocket is there first. */
  async #race(session) {
    const wait = headStart(this.#relays, udpWasBlocked());
    const over = Promise.race([session.ended, session.whenConnected]);
    if (await Promise.race([over.then(() => true), sleep(wait)])) return;
    const rival = this.#newStream();
    let wins = false;
    over.then(() => wins || rival.close());
    try {
      await rival.open(this.#knock.signal);
    } catch {
      return; // the kit does not want it, or this way is closed as well
    }
    if (session.connected || session !== this.#session || !this.#running) return;
    wins = true;
    this.#udpBlocked = true;
    this.#rival = rival;
    session.end("the WebSocket was there first");
  }

  /** Ask the kit for the ICE servers. Throws when it is out of reach. */
  async #ask(signal) {
    const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    const options = { method: "OPTIONS", headers, cache: "no-store" };
    const response = await fetchWithin(ASK_TIMEOUT_MS, this.#endpoint, options, signal);
    return iceServers(response.headers.get("Link"));
  }

  /** One session from answer to end; resolves to whether pictures came. */
  async #play(session, again) {
    const watch = new FreezeWatch(performance.now(), this.#still ? Infinity : undefined);
    const patience = performance.now() + (this.#relays ? RELAYED_CONNECT_MS : CONNECT_MS);
    // A new attempt keeps the last picture of the old one on the screen until it has something better to show.
    let attached = !again || session instanceof StreamSession;
    let told = false;
    let seen = false;
    let suspect = false;
    let restarted = false;
    let ended = false;
    session.ended.then(() => (ended = true));
    session.onSuspect = () => {
      suspect = true;
      this.#nudge();
    };
    const playing = () => {
      if (ended || session !== this.#session || told) return;
      told = seen = true;
      this.#video.dataset.way = this.way;
      rememberUdp(this.way === "webrtc");
      this.#tell("playing");
    };
    if (attached) this.#attach(session);
    this.#onFrame(playing);
    if (session instanceof StreamSession) this.#returnToWebRtc(session);
    else if (StreamSession.supported) this.#race(session);
    let before = 0;
    let asked = performance.now();
    let looked = Date.now(); // the wall clock: others stand still while the device sleeps
    let moved = 0;
    let trusted = 0;
    while (!ended) {
      const frames = await session.frames();
      if (ended) break;
      const now = performance.now();
      if (session.counts) this.#soften(session, now);
      const moving = frames > before;
      before = frames;
      moved = moving ? moved + 1 : 0;
      if (moving) suspect = restarted = false;
      // What still comes after a sleep is what lay in buffers: the kit gave this viewer up meanwhile.
      if (Date.now() - looked > SLEPT_MS && !document.hidden) suspect = true;
      looked = Date.now();
      // Once may have been the last of a picture that was turned off.
      if (moved > 1) this.#show(session, "video");
      if (document.hidden && session instanceof StreamSession) watch.renew(now); // nothing is drawn, nothing counted
      const frozen = watch.see(frames, now);
      // A line that carries no picture never had one: the kit is asked long before the page would try again.
      const late = !watch.started && now - asked > LATE_MS;
      if (late) asked = now;
      if (!suspect && !moving && (frozen || late || session.pictureless) && (await this.#onlyHears(session))) {
        watch.renew(now);
        restarted = false;
        if (!attached) this.#attach(session);
        attached = true;
        playing();
        await Promise.race([session.ended, this.#pause(POLL_MS)]);
        continue;
      }
      if (now < trusted && session.connects) suspect = false;
      if (frozen || (suspect && now >= trusted)) {
        told = false;
        if (!session.connected) this.#udpBlocked = StreamSession.supported;
        if (!session.restart || !seen || restarted) break;
        this.#tell("lost");
        restarted = true;
        if (!(await this.#recover(session, frames))) break;
        suspect = false;
        looked = Date.now();
        trusted = performance.now() + RESTARTED_MS;
        watch.renew(performance.now());
        continue;
      }
      if (!session.connected && now > patience) {
        this.#udpBlocked = StreamSession.supported;
        break;
      }
      if (watch.started && !attached) {
        this.#attach(session);
        attached = true;
      }
      if (watch.started && moving) playing();
      await Promise.race([session.ended, this.#pause(attached ? POLL_MS : POLL_MS / 10)]);
    }
    return seen;
  }

  /**
   * Wait until there is more than `frames`, or, the kit having answered, ICE is restarted. False when the session is of
   * no more use.
   */
  async #recover(session, frames) {
    let over = false;
    const isOver = () => over;
    const ended = session.ended.then(() => false);
    const useful = await Promise.race([ended, this.#revived(session, frames, isOver), this.#restarted(session, isOver)]);
    over = true;
    this.#knock.abort();
    this.#knock = new AbortController();
    return useful;
  }

  async #revived(session, frames, isOver) {
    if (session.pictureless) await session.hears(); // what came before does not count
    while (!isOver()) {
      if (session.pictureless ? await session.hears() : (await session.frames()) > frames) return true;
      await sleep(REVIVED_POLL_MS);
    }
    return false;
  }

  async #restarted(session, isOver) {
    let unheard = false;
    while (!isOver()) {
      this.#knock = new AbortController();
      try {
        await knock(this.#knock.signal);
        if (unheard) await sleep(REVIVAL_MS);
        return !isOver() && (await session.restart());
      } catch {
        unheard = !this.#knock.signal.aborted; // else the browser says that this is another network
        await this.#pause(KNOCK_PAUSE_MS);
      }
    }
    return false;
  }

  /** Hold back what the line's losses would make stumble. */
  #soften(session, now) {
    const target = this.#cushion.see(session.counts, now);
    if (target !== session.heldBack) session.holdBack(target);
  }

  /** Whether no picture comes because the kit sends none, but sound. */
  async #onlyHears(session) {
    if (!session.hears || !(await session.hears())) return false;
    if (!session.pictureless) await session.choose();
    if (session.pictureless) this.#show(session, session.showing);
    return session.pictureless;
  }

  #show(session, showing) {
    if (showing === "video") session.showing = "high";
    if (session !== this.#session || showing === this.#showing) return;
    this.#showing = showing;
    this.dispatchEvent(new CustomEvent("showing", { detail: { showing } }));
  }

  /** While `session` lasts, see from time to time whether UDP gets through by now. */
  async #returnToWebRtc(session) {
    let lasts = true;
    session.ended.then(() => (lasts = false));
    for (let wait = RETURN_FIRST_MS; ; wait = RETURN_MS) {
      await Promise.race([session.ended, sleep(wait)]);
      if (!lasts) return;
      const probe = new WhepSession(this.#endpoint, this.#token, this.#relays ? await this.#ask().catch(() => []) : []);
      const works = probe.open().then(() => Promise.race([probe.whenConnected, sleep(RELAYED_CONNECT_MS)]));
      await works.catch(() => {});
      probe.close();
      if (probe.connected && lasts) {
        this.#udpBlocked = false;
        session.end("UDP gets through");
      }
    }
  }

  #attach(session) {
    session.attach(this.#video);
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
    this.#clear();
    this.dispatchEvent(new CustomEvent("refused", { detail: { status } }));
  }

  #clear() {
    this.#video.srcObject = null;
    this.#video.removeAttribute("src");
  }

  #pause(milliseconds) {
    const woken = new Promise((resolve) => (this.#wake = resolve));
    return Promise.race([woken, sleep(milliseconds)]);
  }

  #tell(event) {
    this.dispatchEvent(new Event(event));
  }
}
