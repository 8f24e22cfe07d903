/** `polymq/amqp10`: the AMQP 1.0 client, for browsers. */
import { webPlatform } from "../transport/web/platform.ts";
import { type ConnectTarget, connectOver } from "./client/connect.ts";
import type { AmqpConnection } from "./client/connection.ts";
import type { ConnectOptions } from "./client/options.ts";

/**
 * Connects over WebSocket to `ws://[user:password@]host[:80]/path` or `wss://...[:443]/path`, or as one options object says; resolves when the server
 * has opened.
 * @throws {MessagingError} ERR_INVALID_OPTIONS, ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT, ERR_AUTH_FAILED, ERR_PROTOCOL_VIOLATION for a server of
 *   another protocol, ERR_SERVER_DISCONNECT with the server's reason, ERR_CONNECTION_LOST, ERR_ABORTED
 */
export function connect(target: ConnectTarget, options: ConnectOptions = {}): Promise<AmqpConnection> {
  return connectOver(webPlatform(), target, options);
}

export * from "./exports.ts";
