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

/** What CONNECT says where it is not the protocol's default. */
async function connectProperties(settings: Settings): Promise<ConnectProperties | null> {
  const { authentication, given: options, userProperties } = settings;
  const data = authentication?.data;
  return given<ConnectProperties>({
    sessionExpirySeconds: options.sessionExpirySeconds || undefined,
    receiveMaximum: options.receiveMaximum,
    maximumPacketSize: options.maximumPacketSize,
    topicAliasMaximum: options.topicAliasMaximum || undefined,
    requestResponseInformation: settings.requestResponseInformation || undefined,
    requestProblemInformation: settings.requestProblemInformation === false ? false : undefined,
    userProperties: userProperties ?? undefined,
    authenticationMethod: authentication?.method,
    authenticationData: typeof data === "function" ? await data() : data,
  });
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
