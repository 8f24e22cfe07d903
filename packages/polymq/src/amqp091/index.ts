/** `polymq/amqp091`: the AMQP 0-9-1 client, for Node, Bun and Deno. */
import { nodePlatform } from "../transport/node/platform.ts";
import { AmqpClientBase } from "./client/amqp-client.ts";
import type { AmqpClientOptions } from "./client/options.ts";

/** An AMQP 0-9-1 client over TCP, TLS and WebSocket. See {@link AmqpClientBase} for its methods. */
export class AmqpClient extends AmqpClientBase {
  /** Checks the options; nothing is connected yet. @throws {MessagingError} ERR_NO_SERVERS, ERR_INVALID_OPTIONS */
  constructor(options: AmqpClientOptions) {
    super(options, nodePlatform());
  }
}

export * from "./exports.ts";
