// Whether this tablet's network lets no UDP through, as far as is known: remembered for the next visit.

const KEPT = "preau-no-udp";
const REMEMBERED_MS = 12 * 3600 * 1000; // a school day; the network at home may be another
const HEAD_START_MS = 1000; // ICE and DTLS take some 100 ms on a LAN
const RELAYED_HEAD_START_MS = 2000;
const BLOCKED_HEAD_START_MS = 250; // enough for a LAN that lets it through by now

/** How long (ms) after the answer WebRTC tries alone, before the WebSocket is tried beside it. */
export function headStart(relays, blocked) {
  if (blocked) return BLOCKED_HEAD_START_MS;
  return relays ? RELAYED_HEAD_START_MS : HEAD_START_MS;
}

/** Whether UDP was found not to get through, lately. */
export function udpWasBlocked(now = Date.now()) {
  try {
    const age = now - Number(localStorage.getItem(KEPT) ?? -Infinity);
    return age >= 0 && age < REMEMBERED_MS;
  } catch {
    return false;
  }
}

/** Remember for later whether UDP gets through. */
export function rememberUdp(works, now = Date.now()) {
  try {
    if (works) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, String(now));
  } catch {
    // A browser that keeps nothing (private mode) finds out anew.
  }
}
