import { given } from "../../base/option-rules.ts";
import type { TextCodec } from "../../bytes/text.ts";
import type { ConnectProperties, PublishProperties, WillProperties } from "../codec/packets.ts";
import { encodePublishProperties } from "../codec/publish-properties.ts";
import type { ClientLevel } from "../engine/client-level.ts";
import { CLIENT_LEVEL_5 } from "../engine/client-level-5.ts";
import type { Settings, WillOptions } from "./options.ts";
import { ServerRoute } from "./server-route.ts";
import { toUserProperties } from "./user-properties.ts";

/** What a client needs for MQTT 5.0 and not for 3.1.1. */
export interface Mqtt5 {
  readonly level: ClientLevel;
  readonly encodeProperties: (text: TextCodec, properties: PublishProperties) => Uint8Array;
  /** The properties of CONNECT; asks for authentication data anew. */
  readonly connectProperties: (settings: Settings) => Promise<ConnectProperties | null>;
  readonly willProperties: (will: WillOptions) => WillProperties | null;
  readonly route: (settings: Settings) => ServerRoute;
}

/** All of it. */
export const MQTT_5: Mqtt5 = {
  level: CLIENT_LEVEL_5,
  encodeProperties: encodePublishProperties,
  connectProperties,
  willProperties,
  route: (settings) => new ServerRoute(settings),
};

async function connectProperties(settings: Settings): Promise<ConnectProperties | null> {
  const { authentication, connectProperties } = settings;
  if (authentication === null) return connectProperties;
  const { method, data } = authentication;
  const own = given<ConnectProperties>({
    authenticationMethod: method,
    authenticationData: typeof data === "function" ? await data() : data,
  });
  return { ...connectProperties, ...own };
}

function willProperties(will: WillOptions): WillProperties | null {
  return given<WillProperties>({
    delaySeconds: will.delaySeconds,
    payloadFormat: will.payloadFormat,
    messageExpirySeconds: will.messageExpirySeconds,
    contentType: will.contentType,
    responseTopic: will.responseTopic,
    correlationData: will.correlationData,
    userProperties: will.userProperties && toUserProperties(will.userProperties),
  });
}
