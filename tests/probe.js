// Injected into every test page: reads the demo source's time from pixels, its tone and its clap from the sound; of
// #video, or of what `look` names.

window.preauProbe = (() => {
  const CELLS = 56, CELL = 20, LEFT = 80;
  const canvas = document.createElement("canvas");
  let looked = "video";
  const video = () => document.getElementById(looked);

  function grab(width, height) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video(), 0, 0);
    return context;
  }

  function readTime() {
    const scale = video().videoWidth / 1280;
    const row = grab(video().videoWidth, Math.ceil(CELL * scale)).getImageData(0, 0, canvas.width, canvas.height);
    const y = Math.floor((CELL / 2) * scale);
    const bits = [];
    for (let cell = 0; cell < CELLS; cell++) {
      const x = Math.floor((LEFT + CELL * (cell + 0.5)) * scale);
      bits.push(row.data[4 * (y * canvas.width + x)] > 125 ? 1 : 0);
    }
    const bytes = [];
    for (let i = 0; i < CELLS; i += 8) bytes.push(parseInt(bits.slice(i, i + 8).join(""), 2));
    const check = bytes.slice(0, 6).reduce((sum, byte) => sum ^ byte, 0);
    return check === bytes[6] ? bytes.slice(0, 6).reduce((value, byte) => value * 256 + byte, 0) : null;
  }

  const nextFrame = () =>
    new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("no picture for 2 s")), 2000);
      video().requestVideoFrameCallback((now, data) => resolve({ now, data }));
    });
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const wall = (now) => performance.timeOrigin + now;

  /** Of the next picture whose time can be read: in some the encoder has blurred it. */
  async function nextTime() {
    for (let tries = 0; tries < 30; tries++) {
      const { data } = await nextFrame();
      const time = readTime();
      if (time !== null) return { time, shown: wall(data.expectedDisplayTime) };
    }
    throw new Error("no time in the picture");
  }

  async function pictureAge() {
    const { time, shown } = await nextTime();
    return shown - time;
  }

  async function ages(count) {
    const found = [];
    while (found.length < count) found.push(await pictureAge());
    return found;
  }

  async function clockAdvances() {
    const first = (await nextTime()).time;
    await wait(500);
    const passed = (await nextTime()).time - first;
    return passed > 250 && passed < 3000;
  }

  function listen() {
    const context = new AudioContext();
    const source = context.createMediaStreamSource(video().srcObject ?? video().captureStream());
    return { context, source };
  }

  async function tone(hertz, seconds) {
    const { context, source } = listen();
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    analyser.smoothingTimeConstant = 0;
    source.connect(analyser);
    const bins = new Float32Array(analyser.frequencyBinCount);
    const at = Math.round((hertz * analyser.fftSize) / context.sampleRate);
    let best = -Infinity;
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      await wait(20);
      analyser.getFloatFrequencyData(bins);
      const sorted = [...bins].sort((a, b) => a - b);
      const middle = Math.max(sorted[sorted.length >> 1], -160);
      if (Number.isFinite(bins[at])) best = Math.max(best, bins[at] - middle);
    }
    await context.close();
    return best === -Infinity ? -1 : best;
  }

  async function clapOffset(claps) {
    const { context, source } = listen();
    await context.resume();
    const processor = context.createScriptProcessor(256, 1, 1);
    const beeps = [], flashes = [];
    // The context's clock on the page's: the least difference of late is the one without a late callback (of late: the
    // context's clock stands still when a busy machine leaves its thread without a processor). It tells when
    // sound leaves the jitter buffer, which agrees with the browser's own estimatedPlayoutTimestamp within some 10 ms;
    // getOutputTimestamp would add the output buffer of this context, which the page's <video> does not go through.
    const differences = [];
    let quietSince = -1;
    processor.onaudioprocess = (event) => {
      differences.push(performance.now() - context.currentTime * 1000);
      if (differences.length > 100) differences.shift();
      const samples = event.inputBuffer.getChannelData(0);
      const onset = samples.findIndex((sample) => Math.abs(sample) > 0.05);
      if (onset < 0) return;
      // Double buffered: what is handed over now entered two buffers before its own playback.
      const at = event.playbackTime - (2 * samples.length - onset) / context.sampleRate;
      if (at - quietSince > 0.4) beeps.push(Math.min(...differences) + at * 1000);
      quietSince = at;
    };
    source.connect(processor);
    processor.connect(context.destination);
    let lit = true;
    while (flashes.length < claps + 1 || beeps.length < claps + 1) {
      const { data } = await nextFrame();
      const scale = video().videoWidth / 1280;
      const pixel = grab(video().videoWidth, video().videoHeight).getImageData(Math.floor(200 * scale), Math.floor(560 * scale), 1, 1).data[0];
      if (pixel > 200 && !lit) flashes.push(data.expectedDisplayTime);
      lit = pixel > 200;
    }
    await context.close();
    const offsets = flashes
      .map((flash) => beeps.map((beep) => beep - flash).sort((a, b) => Math.abs(a) - Math.abs(b))[0])
      .filter((offset) => Math.abs(offset) < 500)
      .sort((a, b) => a - b);
    if (offsets.length < claps - 1) throw new Error(`flashes ${flashes} beeps ${beeps}`);
    return offsets[offsets.length >> 1];
  }

  const look = (id) => (looked = id);

  return { look, readTime, pictureAge, ages, clockAdvances, tone, clapOffset };
})();
