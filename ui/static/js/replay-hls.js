// The recording's picture and sound: hls.js where there are media source extensions, the browser's own HLS elsewhere
// (older iPads).
//
// No player goes from a part with sound to one without, or back: hls.js refuses the second kind for good. The recording
// is therefore played in stretches of one kind, each with a fresh hls.js that takes the others for missing.

import Hls from "../vendor/hls.js/dist/hls.light.min.mjs";

const RETRY_MS = 1000;
const RETRIED_MS = 5000;
const LIVE_EDGE_S = 4;
const BORDER_S = 0.15;
const HOLE_S = 0.3;
const BUFFER = { backBufferLength: 60, maxBufferLength: 30 };
const HOPED_BITS_PER_SECOND = 5_000_000; // until something was loaded: most lines carry the sharp picture
/** The rung that plays, by its place among those there are (by their rates); -1 lets the line decide. */
const LEVELS = { automatic: () => -1, sharp: (count) => count - 1, saving: () => 0 };

/** The stretch around `time` (seconds): {start, end}. `silent` are the spans without sound among others with it. */
export function stretchAt(silent, time) {
  let start = 0;
  for (const { start_s: quiet, end_s: known } of silent) {
    const end = known ?? Infinity;
    if (time < quiet) return { start, end: quiet };
    if (time < end) return { start: quiet, end };
    start = end;
  }
  return { start, end: Infinity };
}

/** Where there is sound from `time` on: there, or behind the silence that `time` is in. */
export function heardFrom(silent, time) {
  const quiet = silent.find(({ start_s: start, end_s: end }) => time >= start - BORDER_S && end !== null && time < end);
  return quiet ? quiet.end_s + BORDER_S / 3 : time;
}

/** The playlist's text with the segments outside a stretch marked as missing. */
export function within(text, { start, end }) {
  let time = 0;
  const marked = (line) => {
    if (!line.startsWith("#EXTINF:")) return line;
    const duration = parseFloat(line.slice("#EXTINF:".length));
    const middle = time + duration / 2;
    time += duration;
    return middle >= start && middle < end ? line : `#EXT-X-GAP\n${line}`;
  };
  return text.split("\n").map(marked).join("\n");
}

/** The time up to which can be sought: the end, or the edge of what is recorded. */
export function endOf(video) {
  if (Number.isFinite(video.duration)) return video.duration;
  return video.seekable.length ? video.seekable.end(video.seekable.length - 1) : 0;
}

export class ReplaySource {
  #video;
  #playlist;
  #stretched = true;
  #opened = false;
  #hear;
  #silent = [];
  #stretch = null;
  #hls = null;
  #place = 0;
  #playing = false; // as was wished: a video that gets another source is paused by that, without an event
  #retriedAt = -Infinity;
  #retry = 0;
  #choice = "automatic";

  /** Whether the rung can be chosen; the browser's own HLS decides by itself. */
  static choosable = Hls.isSupported();

  /** `playlist` may list several rungs. `hear` is told what became of the playing: "playing", "trouble" (it tries again by
   * itself) or "gone". */
  constructor(video, playlist, hear) {
    this.#video = video;
    this.#playlist = playlist;
    this.#hear = hear;
  }

  /** Where it plays, also while the video itself has no source for a moment. */
  get place() {
    return this.#place;
  }

  /** Go on at the same place with another playlist; one without stretches is of the sound alone, and passes over what
   * has none. */
  change(playlist, stretched) {
    if (playlist === this.#playlist) return;
    this.#playlist = playlist;
    this.#stretched = stretched;
    if (!this.#opened) return;
    if (Hls.isSupported()) this.#start();
    else this.#native();
  }

  /** Begin at `place` (seconds); `silent` as the timeline has it. */
  open(place, silent) {
    this.#opened = true;
    this.#silent = silent;
    this.#place = place;
    const video = this.#video;
    video.addEventListener("play", () => (this.#playing = true));
    video.addEventListener("pause", () => {
      if (!video.error) this.#playing = false; // Chromium pauses at an error
    });
    if (!Hls.isSupported()) {
      video.addEventListener("error", () => this.#hear("trouble"));
      video.addEventListener("loadedmetadata", () => (video.currentTime = this.#place));
      video.addEventListener("timeupdate", () => {
        if (video.readyState) this.#place = video.currentTime;
      });
      this.#native();
      return;
    }
    for (const event of ["timeupdate", "seeking", "waiting"]) {
      video.addEventListener(event, () => this.#follow(event === "seeking"));
    }
    video.addEventListener("waiting", () => this.#endAll());
    video.addEventListener("error", () => this.#anew());
    this.#start();
  }

  /** What the timeline says now. */
  update(silent) {
    this.#silent = silent;
  }

  /** Play always the sharp rung, always the saving one, or (automatic) what the line carries. */
  choose(choice) {
    this.#choice = choice;
    const hls = this.#hls;
    if (hls?.levels?.length) hls.nextLevel = LEVELS[choice](hls.levels.length);
  }

  /** Seek to the newest that plays without waiting. */
  goToEdge() {
    this.#video.currentTime = this.#hls?.liveSyncPosition ?? endOf(this.#video);
  }

  // hls.js takes the few milliseconds without sound between two parts for something that is still to be loaded, and
  // never says that the end is there: the last pictures would be waited for without end.
  #endAll() {
    const { currentTime, duration } = this.#video;
    if (Number.isFinite(duration) && duration - currentTime < HOLE_S) this.#hls?.trigger(Hls.Events.BUFFER_EOS, {});
  }

  #follow(sought) {
    const video = this.#video;
    if (!video.readyState || !this.#hls) return; // between two stretches
    const time = video.currentTime;
    this.#place = time;
    if (!this.#stretched && heardFrom(this.#silent, time) > time) {
      video.currentTime = heardFrom(this.#silent, time);
      return;
    }
    const { start, end } = this.#stretch;
    if (time >= start && time < (sought ? end : end - BORDER_S)) return;
    if (!sought && time >= start) this.#place = Math.max(time, end + BORDER_S / 3); // played up to the border
    this.#start();
  }

  #native() {
    this.#video.src = this.#playlist;
    if (this.#playing) this.#video.play().catch(() => {});
  }

  #around(place) {
    return stretchAt(this.#stretched ? this.#silent : [], place);
  }

  #start() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const video = this.#video;
    this.#hls?.destroy();
    if (!this.#stretched) this.#place = heardFrom(this.#silent, this.#place);
    const stretch = this.#around(this.#place);
    this.#stretch = stretch;
    const hls = new Hls({
      ...BUFFER,
      startPosition: this.#place,
      liveSyncDuration: LIVE_EDGE_S,
      liveDurationInfinity: true,
      abrEwmaDefaultEstimate: HOPED_BITS_PER_SECOND,
      pLoader: class extends Hls.DefaultConfig.loader {
        load(context, config, callbacks) {
          const onSuccess = (response, ...more) => {
            response.data = within(response.data, stretch);
            callbacks.onSuccess(response, ...more);
          };
          super.load(context, config, { ...callbacks, onSuccess });
        }
      },
    });
    this.#hls = hls;
    hls.on(Hls.Events.ERROR, (_, error) => this.#fail(hls, error));
    hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) => {
      const level = LEVELS[this.#choice](levels.length);
      if (level >= 0) hls.loadLevel = hls.startLevel = level;
      this.#hear("playing");
    });
    hls.loadSource(this.#playlist);
    hls.attachMedia(video);
    if (this.#playing) video.play().catch(() => {});
  }

  #fail(hls, error) {
    if (hls !== this.#hls) return;
    // After this one hls.js attaches itself anew, but stands still, and has lost what it was playing.
    const lost = error.details === Hls.ErrorDetails.MEDIA_SOURCE_REQUIRES_RESET;
    if (!error.fatal && !lost) return;
    if (lost || error.type === Hls.ErrorTypes.MEDIA_ERROR) {
      this.#anew();
    } else if (error.response?.code === 404 && error.context) {
      this.#hear("gone");
    } else {
      // The services come back by themselves; so does the player.
      this.#hear("trouble");
      this.#startIn(RETRY_MS);
    }
  }

  /** Begin anew where it plays; what breaks again and again is not tried faster than a service that is away. */
  #anew() {
    const lately = performance.now() - this.#retriedAt < RETRIED_MS;
    this.#startIn(lately ? RETRY_MS : 0);
  }

  // Never at once: hls.js is still at work when it tells of an error, and the video tells of the same one.
  #startIn(delay) {
    if (this.#retry) return;
    this.#retry = setTimeout(() => {
      this.#retriedAt = performance.now();
      this.#start();
    }, delay);
  }
}
