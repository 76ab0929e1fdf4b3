// Replay: hls.js where the browser needs it, the browser's own HLS where it does not (iPad).
// While the lesson is live it can be watched from its beginning.

import Hls from "../vendor/hls.js/dist/hls.light.min.mjs";
import { setLanguage } from "../vendor/media-chrome/dist/utils/i18n.js";
import "../vendor/media-chrome/dist/lang/fr.js";
import { ReplayScreen, setUpSound, setUpViews } from "./replay-screen.js";
import { text } from "./strings.js";

const RETRY_MS = 1000;
const video = document.getElementById("video");
const { playlist } = document.body.dataset;
const said = document.getElementById("said");

// The controls name themselves when they are made: their language has to be set before.
setLanguage(document.documentElement.lang);
await import("../vendor/media-chrome/dist/index.js");
// It says whether captions are shown by aria-checked, which buttons have not.
document.querySelector("media-captions-button")?.setAttribute("role", "switch");

function complain() {
  said.textContent = text("unplayable");
  said.hidden = false;
}

function playWithHls() {
  const hls = new Hls({ startPosition: 0, backBufferLength: 60, maxBufferLength: 30 });
  hls.on(Hls.Events.ERROR, (_, error) => {
    if (!error.fatal) return;
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR) {
      hls.recoverMediaError();
      return;
    }
    complain();
    // The services come back by themselves; so does the player.
    setTimeout(() => hls.loadSource(playlist), RETRY_MS);
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => (said.hidden = true));
  hls.loadSource(playlist);
  hls.attachMedia(video);
}

if (Hls.isSupported()) playWithHls();
else {
  video.src = playlist;
  video.addEventListener("error", complain);
}
const screen = document.getElementById("screen");
if (screen) {
  const player = document.querySelector(".player");
  setUpViews(player, document.querySelectorAll("#views button"));
  const replay = new ReplayScreen(player, video, screen);
  setUpSound(replay, document.getElementById("screen-sound"));
  replay.load(playlist.replace(/\/[^/]*$/, ""), document.body.dataset.lesson === "live");
}
document.body.dataset.state = "ready";
