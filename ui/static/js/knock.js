// Whether the kit can be reached, asked of a network that may be dead.
//
// Not by fetch: a browser keeps trying to connect after the page has given up (six times at most, then nothing new is
// tried), and its tries get ever rarer, so that it would notice the network's return many seconds late. A WebSocket's
// tries end with it. Where something refuses the WebSocket, at once, fetch is asked as well, and from time to time
// anyway, in case something swallows them.

import { fetchWithin } from "./whep.js";

const TIMEOUT_MS = 1200;
const FETCH_EVERY = 16;

let knocks = 0;

/** Resolves when the kit has answered. Throws TypeError or AbortError when it does not, within about a second. */
export async function knock(signal) {
  knocks += 1;
  if (knocks % FETCH_EVERY && (await connects(signal))) return;
  await fetchWithin(TIMEOUT_MS, "/whep", { method: "OPTIONS", cache: "no-store" }, signal);
}

/** Whether a WebSocket opens; false when it is refused. Throws AbortError when nothing is heard. */
function connects(signal) {
  const address = new URL("/stream", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  let timer;
  const heard = new Promise((resolve, reject) => {
    const fail = () => reject(new DOMException("the kit is out of reach", "AbortError"));
    timer = setTimeout(fail, TIMEOUT_MS);
    signal.addEventListener("abort", fail);
    if (signal.aborted) fail();
    socket.onopen = () => resolve(true);
    socket.onclose = () => resolve(false);
  });
  return heard.finally(() => {
    clearTimeout(timer);
    socket.onclose = null;
    socket.close();
  });
}
