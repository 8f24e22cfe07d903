import type { Option } from "commander";
import type { ClientOptions } from "polymq";
import { UsageError } from "../failure.ts";
import { collectProperty, option, parseQos, wholeNumber } from "./parse.ts";

/** Flags about the message that the server sends if the connection is lost. */
export interface WillFlags {
  readonly willTopic?: string;
  readonly willPayload?: string;
  readonly willQos?: 0 | 1 | 2;
  readonly willRetain?: boolean;
  readonly willDelay?: number;
  readonly willExpires?: number;
  readonly willContentType?: string;
  readonly willProp?: Readonly<Record<string, string>>;
}

type Will = NonNullable<NonNullable<ClientOptions["mqtt"]>["will"]>;

/** The options behind {@link WillFlags}. */
export function willFlagOptions(): readonly Option[] {
  return [
    option("--will-topic <topic>", "topic of the message that the server sends if the connection is lost"),
    option("--will-payload <text>", "its payload"),
    option("--will-qos <level>", "its quality of service", parseQos),
    option("--will-retain", "it is kept for later subscribers"),
    option("--will-delay <seconds>", "MQTT 5.0: the server waits so long whether the client comes back", SECONDS),
    option("--will-expires <seconds>", "MQTT 5.0: its lifetime", SECONDS),
    option("--will-content-type <type>", "MQTT 5.0: content type of its payload"),
    option("--will-prop <name=value>", "MQTT 5.0: user property of it; repeatable", collectProperty),
  ];
}

const SECONDS = wholeNumber(0, 4_294_967_295);

/** The will as the flags want it; null without one. @throws {UsageError} */
export function willOf(flags: WillFlags): Will | null {
  const { willTopic, willPayload, willQos, willRetain, willDelay, willExpires, willContentType, willProp } = flags;
  const others = [willPayload, willQos, willRetain, willDelay, willExpires, willContentType, willProp];
  if (willTopic === undefined) {
    if (others.every((each) => each === undefined)) return null;
    throw new UsageError("options of the will need --will-topic");
  }
  return {
    topic: willTopic,
    ...(willPayload === undefined ? {} : { payload: willPayload }),
    ...(willQos === undefined ? {} : { qos: willQos }),
    ...(willRetain === undefined ? {} : { retain: willRetain }),
    ...(willDelay === undefined ? {} : { delaySeconds: willDelay }),
    ...(willExpires === undefined ? {} : { messageExpirySeconds: willExpires }),
    ...(willContentType === undefined ? {} : { contentType: willContentType }),
    ...(willProp === undefined ? {} : { userProperties: willProp }),
  };
}
