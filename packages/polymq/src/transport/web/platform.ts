import { MessagingError } from "../../base/errors.ts";
import { systemClock } from "../../base/system-clock.ts";
import { webText } from "../../bytes/text.ts";
import { dialThroughHook } from "../dial-hook.ts";
import type { DialKind, Platform } from "../platform.ts";
import { dialWebWebSocket } from "./websocket.ts";

const KINDS: readonly DialKind[] = ["ws", "wss"];

/** The {@link Platform} of browsers and other runtimes with the web's interfaces: WebSocket only. */
export function webPlatform(): Platform {
  const clock = systemClock();
  return {
    clock,
    text: webText(),
    kinds: KINDS,
    randomBytes: (count) => globalThis.crypto.getRandomValues(new Uint8Array(count)),
    random: Math.random,
    dial: (endpoint, options, handler) => {
      if (options.dial !== undefined) return dialThroughHook(clock, endpoint, options, handler);
      if (options.kind === "ws" || options.kind === "wss") return dialWebWebSocket(clock, endpoint, options, handler);
      return Promise.reject(new MessagingError("ERR_UNSUPPORTED", `this runtime cannot dial ${options.kind}`));
    },
  };
}
