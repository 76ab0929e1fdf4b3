// Injected before a page's own scripts: ten times a second it notes what the page's WebRTC sessions played.
//
// Sound is judged twice: by what the browser says that it made up (concealed samples), and by the samples that leave
// its jitter buffer, which are quiet where a steady tone should be.

window.preauWitness = (() => {
  const TICK_MS = 100, BLOCK_S = 0.005, QUIET = 0.02;
  const COUNTED = {
    audio: ["concealedSamples", "concealmentEvents", "totalSamplesReceived"],
    video: ["framesDecoded", "freezeCount", "totalFreezesDuration"],
  };
  const sessions = new Map();
  const ticks = [];
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...given) {
      super(...given);
      sessions.set(this, {});
    }
  };

  /** What all sessions counted since the last look. */
  async function look() {
    const sum = Object.fromEntries(Object.values(COUNTED).flat().map((name) => [name, 0]));
    for (const [session, last] of sessions) {
      if (session.connectionState === "closed") sessions.delete(session);
      for (const report of (await session.getStats()).values()) {
        if (report.type !== "inbound-rtp") continue;
        for (const name of COUNTED[report.kind]) {
          sum[name] += (report[name] ?? 0) - (last[name] ?? 0);
          last[name] = report[name] ?? 0;
        }
      }
    }
    return sum;
  }

  let context, analyser, node, heard, listenedTo = null;
  let begun = false, quietMs = 0;
  const samples = new Float32Array(32768);

  /** The longest stretch without sound, in ms, that lasts or ended since the last look; 0 before the first sound. */
  function quiet(elapsed) {
    const stream = document.getElementById("video")?.srcObject ?? null;
    if (stream !== listenedTo) {
      node?.disconnect();
      node = stream?.getAudioTracks().length ? context.createMediaStreamSource(stream) : null;
      node?.connect(analyser);
      listenedTo = stream;
    }
    const seconds = context.currentTime - heard;
    heard = context.currentTime;
    if (!node) return begun ? (quietMs += elapsed) : 0;
    analyser.getFloatTimeDomainData(samples);
    const size = Math.round(BLOCK_S * context.sampleRate);
    const count = Math.min(Math.floor(samples.length / size), Math.round(seconds / BLOCK_S));
    let longest = 0;
    for (let at = samples.length - count * size; at < samples.length; at += size) {
      const loud = samples.subarray(at, at + size).some((sample) => Math.abs(sample) > QUIET);
      begun ||= loud;
      quietMs = loud ? 0 : quietMs + BLOCK_S * 1000;
      if (begun) longest = Math.max(longest, quietMs);
    }
    return longest;
  }

  async function run() {
    context = new AudioContext();
    await context.resume();
    analyser = context.createAnalyser();
    analyser.fftSize = samples.length;
    heard = context.currentTime;
    let before = performance.now();
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      const counted = await look();
      const now = performance.now(), elapsed = now - before;
      before = now;
      const { state, showing } = document.body.dataset;
      const width = document.getElementById("video").videoWidth;
      ticks.push({ at: performance.timeOrigin + now, elapsed, quiet: quiet(elapsed), state, showing, width, ...counted });
    }
  }

  /** `start` begins to note and returns at once; `take` gives what was noted since the last call. */
  return { start: () => void run(), take: () => ticks.splice(0) };
})();
