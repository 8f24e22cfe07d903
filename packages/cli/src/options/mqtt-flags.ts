import { InvalidArgumentError, type Option } from "commander";
import type { ClientOptions } from "polymq";
import { UsageError } from "../failure.ts";
import { collectProperty, option, wholeNumber } from "./parse.ts";
import { type WillFlags, willFlagOptions, willOf } from "./will-flags.ts";

/** Flags about an MQTT connection. */
export interface MqttFlags extends WillFlags {
  readonly mqttVersion?: 4 | 5;
  readonly keepalive?: number;
  /** False: `--no-clean`. */
  readonly clean?: boolean;
  readonly sessionExpiry?: number;
  readonly receiveMaximum?: number;
  readonly maximumPacketSize?: number;
  readonly connectProp?: Readonly<Record<string, string>>;
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
    option(
      "--receive-maximum <number>",
      "MQTT 5.0: unacknowledged messages that the server may send at a time (default: 65535)",
      wholeNumber(1, 65_535),
    ),
    option(
      "--maximum-packet-size <bytes>",
      "largest packet taken from the server (default: the protocol's)",
      wholeNumber(1, 268_435_460),
    ),
    option("--connect-prop <name=value>", "MQTT 5.0: user property of CONNECT; repeatable", collectProperty),
    ...willFlagOptions(),
  ].map((each) => each.helpGroup("MQTT:"));
}

/** What the flags say about an MQTT connection; null when nothing. @throws {UsageError} */
export function mqttOptions(flags: MqttFlags, protocol: string): MqttOptions | null {
  const { mqttVersion, keepalive, clean, sessionExpiry, receiveMaximum, maximumPacketSize, connectProp, id } = flags;
  const will = willOf(flags);
  if (clean === false && id === undefined) throw new UsageError("--no-clean needs --id, for a session has a name");
  const options: MqttOptions = {
    ...(mqttVersion === undefined ? {} : { protocolVersion: mqttVersion }),
    ...(keepalive === undefined ? {} : { keepAliveSeconds: keepalive }),
    ...(clean === false ? { cleanStart: false, sessionExpirySeconds: sessionExpiry ?? FOR_EVER } : {}),
    ...(clean === false || sessionExpiry === undefined ? {} : { sessionExpirySeconds: sessionExpiry }),
    ...(receiveMaximum === undefined ? {} : { receiveMaximum }),
    ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
    ...(connectProp === undefined ? {} : { userProperties: connectProp }),
    ...(will === null ? {} : { will }),
  };
  if (Object.keys(options).length === 0) return null;
  if (protocol !== "mqtt") {
    const all = mqttFlagOptions().map(({ long }) => long ?? "");
    throw new UsageError(`${all.join(", ")} are for MQTT`);
  }
  return options;
}

const FOR_EVER = 0xffff_ffff;

function parseVersion(text: string): 4 | 5 {
  const word = text.toLowerCase().replace(/^mqttv?/, "");
  if (word === "5" || word === "5.0") return 5;
  if (word === "3.1.1" || word === "311" || word === "4") return 4;
  throw new InvalidArgumentError("5 or 3.1.1.");
}
