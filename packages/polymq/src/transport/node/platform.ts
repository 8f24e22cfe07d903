import { getRandomValues } from "node:crypto";
import { MessagingError } from "../../base/errors.ts";
import { systemClock } from "../../base/system-clock.ts";
import { dialThroughHook } from "../dial-hook.ts";
import type { DialKind, Platform } from "../platform.ts";
import { dialWebWebSocket } from "../web/websocket.ts";
import { dialTcp } from "./tcp.ts";
import { nodeText } from "./text.ts";
import { dialTls } from "./tls.ts";
import { dialWebSocket } from "./websocket.ts";

const KINDS: readonly DialKind[] = ["tcp", "tls", "ws", "wss", "unix"];

/** The {@link Platform} of Node: TCP, TLS, WebSocket (through `ws`) and local sockets. */
export function nodePlatform(): Platform {
  const clock = systemClock();
  return {
    clock,
    text: nodeText(),
    kinds: KINDS,
    randomBytes: (count) => getRandomValues(new Uint8Array(count)),
    random: Math.random,
    dial: (endpoint, options, handler) => {
      if (options.dial !== undefined) return dialThroughHook(clock, endpoint, options, handler);
      switch (options.kind) {
        case "tcp":
        case "unix":
          return dialTcp(clock, endpoint, options, handler);
        case "tls":
          return dialTls(clock, endpoint, options, handler);
        case "ws":
        case "wss":
          if (options.webSocket?.createWebSocket !== undefined) {
            return dialWebWebSocket(clock, endpoint, options, handler);
          }
          return dialWebSocket(clock, endpoint, options, handler);
        default:
          return Promise.reject(new MessagingError("ERR_UNSUPPORTED", `cannot dial ${String(options.kind)}`));
      }
    },
  };
}
