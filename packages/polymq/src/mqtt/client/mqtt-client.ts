import type { Platform } from "../../transport/platform.ts";
import { LOADED_PARTS } from "./loaded-parts.ts";
import { MqttClientApi } from "./mqtt-client-api.ts";
import type { MqttClientOptions } from "./options.ts";

/** A client on a platform of the caller's; the entry point's `MqttClient` adds the runtime's. */
export class MqttClientBase extends MqttClientApi {
  /** @throws {MessagingError} ERR_NO_SERVERS, ERR_EMPTY_CLIENT_ID, ERR_INVALID_PROTOCOL, ERR_INVALID_OPTIONS and others for bad options */
  protected constructor(options: MqttClientOptions, platform: Platform) {
    super(options, platform, LOADED_PARTS);
  }
}
