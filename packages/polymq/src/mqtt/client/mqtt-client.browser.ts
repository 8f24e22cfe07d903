import type { Platform } from "../../transport/platform.ts";
import { LAZY_PARTS } from "./lazy-parts.ts";
import { MqttClientApi } from "./mqtt-client-api.ts";
import type { MqttClientOptions } from "./options.ts";

/** As its namesake of other runtimes; rarely used parts are loaded when they are first needed. */
export class MqttClientBase extends MqttClientApi {
  /** @throws {MessagingError} ERR_NO_SERVERS, ERR_EMPTY_CLIENT_ID, ERR_INVALID_PROTOCOL, ERR_INVALID_OPTIONS and others for bad options */
  protected constructor(options: MqttClientOptions, platform: Platform) {
    super(options, platform, LAZY_PARTS);
  }
}
