import type { Clock } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import { systemClock } from "../../base/system-clock.ts";
import { dialThroughHook } from "../dial-hook.ts";
import type { Endpoint } from "../endpoint.ts";
import type { DialKind, DialOptions, Platform } from "../platform.ts";
import type { Transport, TransportHandler } from "../transport.ts";
import { dialTcp } from "./tcp.ts";
import { nodeText } from "./text.ts";

const KINDS: readonly DialKind[] = ["tcp", "tls", "ws", "wss", "unix"];

/** The {@link Platform} of Node: TCP, TLS, WebSocket (through `ws`) and local sockets. */
export function nodePlatform(): Platform {
  const clock = systemClock();
  return {
    clock,
    text: nodeText(),
    kinds: KINDS,
    randomBytes: (count) => globalThis.crypto.getRandomValues(new Uint8Array(count)),
    random: Math.random,
    dial: (endpoint, options, handler) => {
      if (options.dial !== undefined) return dialThroughHook(clock, endpoint, options, handler);
      switch (options.kind) {
        case "tcp":
        case "unix":
          return dialTcp(clock, endpoint, options, handler);
        case "tls":
          return dialLoadedTls(clock, endpoint, options, handler);
        case "ws":
        case "wss":
          return dialLoadedWebSocket(clock, endpoint, options, handler);
        default:
          return Promise.reject(new MessagingError("ERR_UNSUPPORTED", `cannot dial ${String(options.kind)}`));
      }
    },
  };
}

/*
 * TLS and WebSocket are loaded when they are first dialled: with them come OpenSSL, HTTP and zlib, about 8 MiB of memory that
 * a client over TCP has no use for.
 */

async function dialLoadedTls(
  clock: Clock,
  endpoint: Endpoint,
  options: DialOptions,
  handler: TransportHandler,
): Promise<Transport> {
  const { dialTls } = await import("./tls.ts");
  return await dialTls(clock, endpoint, options, handler);
}

async function dialLoadedWebSocket(
  clock: Clock,
  endpoint: Endpoint,
  options: DialOptions,
  handler: TransportHandler,
): Promise<Transport> {
  if (options.webSocket?.createWebSocket !== undefined) {
    const { dialWebWebSocket } = await import("../web/websocket.ts");
    return await dialWebWebSocket(clock, endpoint, options, handler);
  }
  const { dialWebSocket } = await import("./websocket.ts");
  return await dialWebSocket(clock, endpoint, options, handler);
}
