import { InvalidArgumentError, type Option } from "commander";
import type { ClientOptions } from "polymq";
import { UsageError } from "../failure.ts";
import { option, parseQos, wholeNumber } from "./parse.ts";

/** Flags about an MQTT connection. */
export interface MqttFlags {
  readonly mqttVersion?: 4 | 5;
  readonly keepalive?: number;
  /** False: `--no-clean`. */
  readonly clean?: boolean;
  readonly sessionExpiry?: number;
  readonly willTopic?: string;
  readonly willPayload?: string;
  readonly willQos?: 0 | 1 | 2;
  readonly willRetain?: boolean;
  readonly id?: string;
}

type MqttOptions = NonNullable<ClientOptions["mqtt"]>;

/** The options behind {@link MqttFlags}. */
export function mqttFlagOptions(): readonly Option[] {
  return [
    option("-V, --mqtt-version <version>", "5 or 3.1.1 (default: 5, or what the server has)", parseVersion),
    option("-k, --keepalive <seconds>", "time between signs of life (default: 60)", wholeNumber(0, 65_535)),
    option("-c, --no-clean", "go on with the session that the server kept for --id"),
    option(
      "-x, --session-expiry <seconds>",
      "MQTT 5.0: how long the server keeps the session afterwards (default: 0, with --no-clean for ever)",
      wholeNumber(0, 4_294_967_295),
    ),
    option("--will-topic <topic>", "topic of the message that the server sends if the connection is lost"),
    option("--will-payload <text>", "its payload"),
    option("--will-qos <level>", "its quality of service", parseQos),
    option("--will-retain", "it is kept for later subscribers"),
  ].map((each) => each.helpGroup("MQTT:"));
}

/** What the flags say about an MQTT connection; null when nothing. @throws {UsageError} */
export function mqttOptions(flags: MqttFlags, protocol: string): MqttOptions | null {
  const { mqttVersion, keepalive, clean, sessionExpiry, id } = flags;
  const will = willOf(flags);
  if (clean === false && id === undefined) throw new UsageError("--no-clean needs --id, for a session has a name");
  const options: MqttOptions = {
    ...(mqttVersion === undefined ? {} : { protocolVersion: mqttVersion }),
    ...(keepalive === undefined ? {} : { keepAliveSeconds: keepalive }),
    ...(clean === false ? { cleanStart: false, sessionExpirySeconds: sessionExpiry ?? FOR_EVER } : {}),
    ...(clean === false || sessionExpiry === undefined ? {} : { sessionExpirySeconds: sessionExpiry }),
    ...(will === null ? {} : { will }),
  };
  if (Object.keys(options).length === 0) return null;
  if (protocol !== "mqtt") {
    throw new UsageError("--mqtt-version, --keepalive, --no-clean, --session-expiry and --will-... are for MQTT");
  }
  return options;
}

const FOR_EVER = 0xffff_ffff;

function willOf({ willTopic, willPayload, willQos, willRetain }: MqttFlags): NonNullable<MqttOptions["will"]> | null {
  if (willTopic === undefined) {
    if (willPayload === undefined && willQos === undefined && willRetain === undefined) return null;
    throw new UsageError("--will-payload, --will-qos and --will-retain need --will-topic");
  }
  return {
    topic: willTopic,
    ...(willPayload === undefined ? {} : { payload: willPayload }),
    ...(willQos === undefined ? {} : { qos: willQos }),
    ...(willRetain === undefined ? {} : { retain: willRetain }),
  };
}

function parseVersion(text: string): 4 | 5 {
  const word = text.toLowerCase().replace(/^mqttv?/, "");
  if (word === "5" || word === "5.0") return 5;
  if (word === "3.1.1" || word === "311" || word === "4") return 4;
  throw new InvalidArgumentError("5 or 3.1.1.");
}
