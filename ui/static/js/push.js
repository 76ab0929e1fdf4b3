// The page's Socket.IO connection: what changes in the kit arrives here.

import { io } from "../vendor/socket.io-client/dist/socket.io.esm.min.js";

/** Connect with a token, or with the session cookie when it is null; `handlers` maps event names to functions. */
export function connect(token, handlers) {
  const socket = io({
    auth: token ? { token } : {},
    transports: ["websocket", "polling"],
    reconnectionDelay: 200,
    reconnectionDelayMax: 2000,
  });
  for (const [event, handler] of Object.entries(handlers)) socket.on(event, handler);
  return socket;
}

/** A handler of `media` events that calls `restarted` with the number (from 1) of a streaming process that is not the one seen before. */
export function restartWatch(restarted) {
  const seen = [];
  return ({ processes_started_ns: processes }) => {
    for (const [index, started] of processes.entries()) {
      if (started === null) continue;
      if (seen[index] !== undefined && started !== seen[index]) restarted(index + 1);
      seen[index] = started;
    }
  };
}
