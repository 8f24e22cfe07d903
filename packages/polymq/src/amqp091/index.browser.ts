/** `polymq/amqp091`: the AMQP 0-9-1 client, for browsers. */
import { webPlatform } from "../transport/web/platform.ts";
import { AmqpClientBase } from "./client/amqp-client.ts";
import type { AmqpClientOptions } from "./client/options.ts";

/** An AMQP 0-9-1 client over WebSocket, through a proxy that passes AMQP on. See {@link AmqpClientBase} for its methods. */
export class AmqpClient extends AmqpClientBase {
  /** Checks the options; nothing is connected yet. @throws {MessagingError} ERR_NO_SERVERS, ERR_INVALID_OPTIONS */
  constructor(options: AmqpClientOptions) {
    super(options, webPlatform());
  }
}

export * from "./exports.ts";
