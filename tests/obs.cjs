// Publishes as OBS Studio does (plugins/obs-webrtc/whip-output.cpp), with the same engine, libdatachannel.
//
// node obs.cjs ADDON ENDPOINT TOKEN MEDIA: the engine's Node addon, the WHIP endpoint, its Bearer token, and a file
// of encoded frames ({video, audio}: each {duration_us, frames} with base64 frames), which are sent again and again. Says
// `offer`, `answer`, `connected`, and after the end of its input `deleted`, as lines of JSON. As OBS it offers all of
// its candidates at once, ignores keyframe wishes, and closes the connection before it deletes the session.

const { readFileSync } = require("node:fs");

const [addon, endpoint, token, media] = process.argv.slice(2);
const engine = require(addon);
const AUDIO = { mid: "0", type: 111, rate: 48000, ssrc: 4242 };
const VIDEO = { mid: "1", type: 96, rate: 90000, ssrc: 4243 };
const LARGEST_FRAGMENT = 1200;
const STREAM = "hOv2ZeXYIvFcQ0nM";
const CNAME = "c1nTuYq9d2kEwR7s";

const say = (what, more = {}) => process.stdout.write(`${JSON.stringify({ what, ...more })}\n`);

function addTrack(connection, Description, addCodec, Packetizer, { mid, type, rate, ssrc }, name, nacks) {
  const description = new Description(mid, "SendOnly");
  description[addCodec](type);
  description.addSSRC(ssrc, CNAME, STREAM, `${STREAM}-${name}`);
  const track = connection.addTrack(description);
  const config = new engine.RtpPacketizationConfig(ssrc, CNAME, type, rate);
  const packetizer = Packetizer(config);
  packetizer.addToChain(new engine.RtcpSrReporter(config));
  packetizer.addToChain(nacks ? new engine.RtcpNackResponder(nacks) : new engine.RtcpNackResponder());
  track.setMediaHandler(packetizer);
  return { track, config, rate };
}

/** Sends one track's frames at their pace until `stop`. */
function play({ track, config, rate }, { duration_us: duration, frames }) {
  const data = frames.map((frame) => Buffer.from(frame, "base64"));
  const begun = performance.now();
  const first = config.timestamp;
  let count = 0;
  const timer = setInterval(() => {
    while ((count * duration) / 1000 <= performance.now() - begun) {
      config.timestamp = (first + Math.round((count * duration * rate) / 1e6)) % 2 ** 32;
      if (track.isOpen()) track.sendMessageBinary(data[count % data.length]);
      count += 1;
    }
  }, 5);
  return () => clearInterval(timer);
}

async function main() {
  const connection = new engine.PeerConnection("obs", { iceServers: [] });
  const connected = new Promise((resolve, reject) => {
    connection.onStateChange((state) => {
      if (state === "connected") resolve();
      if (state === "failed") reject(new Error("the connection failed"));
    });
  });
  const audio = addTrack(connection, engine.Audio, "addOpusCodec", (config) => new engine.RtpPacketizer(config), AUDIO, "audio");
  const h264 = (config) => new engine.H264RtpPacketizer("StartSequence", config, LARGEST_FRAGMENT);
  const video = addTrack(connection, engine.Video, "addH264Codec", h264, VIDEO, "video", 4000);
  connection.setLocalDescription();
  while (connection.gatheringState() !== "complete") await new Promise((resolve) => setTimeout(resolve, 5));
  const { sdp } = connection.localDescription();
  say("offer", { sdp });
  const headers = { Authorization: `Bearer ${token}`, "User-Agent": "Mozilla/5.0 (OBS-Studio/31.0.0; Linux x86_64; en-US)" };
  const answered = await fetch(endpoint, {
    method: "POST", headers: { ...headers, "Content-Type": "application/sdp" }, body: sdp,
  });
  const answer = await answered.text();
  say("answer", { status: answered.status, sdp: answer });
  if (answered.status !== 201) return;
  const resource = new URL(answered.headers.get("Location"), endpoint);
  connection.setRemoteDescription(answer.slice(answer.indexOf("v=0")), "answer");
  await connected;
  say("connected");
  const { video: pictures, audio: sounds } = JSON.parse(readFileSync(media, "utf-8"));
  const stops = [play(video, pictures), play(audio, sounds)];
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once("end", resolve));
  for (const stop of stops) stop();
  connection.close();
  const deleted = await fetch(resource, { method: "DELETE", headers });
  say("deleted", { status: deleted.status });
}

main()
  .catch((error) => say("failed", { error: String(error) }))
  .finally(() => {
    engine.cleanup();
    process.exit();
  });
