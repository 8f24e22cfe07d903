/** `polymq/mqtt`: the MQTT 3.1.1 and 5.0 client, for Node, Bun and Deno. */
import { nodePlatform } from "../transport/node/platform.ts";
import { MqttClientBase } from "./client/mqtt-client.ts";
import type { MqttClientOptions } from "./client/options.ts";

/** An MQTT 3.1.1 and 5.0 client over TCP, TLS and WebSocket. See {@link MqttClientBase} for its methods. */
export class MqttClient extends MqttClientBase {
  /** Checks the options; nothing is connected yet. @throws {MessagingError} ERR_NO_SERVERS, ERR_EMPTY_CLIENT_ID, ERR_INVALID_PROTOCOL, ERR_INVALID_OPTIONS */
  constructor(options: MqttClientOptions) {
    super(options, nodePlatform());
  }
}

export * from "./exports.ts";
export { MqttClientBase };
