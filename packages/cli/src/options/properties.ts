import type { Option } from "commander";
import type { CommonPublishOptions } from "polymq";
import { collectProperty, option, parseSeconds } from "./parse.ts";

/** Flags about what goes along with a message. */
export interface PropertyFlags {
  readonly prop?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly expires?: number;
}

/** The options behind {@link PropertyFlags}. */
export function propertyOptions(): readonly Option[] {
  return [
    option(
      "-D, --prop <name=value>",
      "user property of MQTT 5.0, header or application property of AMQP; repeatable",
      collectProperty,
    ),
    option("--content-type <type>", "content type of the payload, such as application/json"),
    option("--expires <seconds>", "lifetime of the message", parseSeconds),
  ];
}

/** The options of a publish for these flags. */
export function commonPublishOptions({ prop, contentType, expires }: PropertyFlags): CommonPublishOptions {
  return {
    ...(prop === undefined ? {} : { properties: prop }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(expires === undefined ? {} : { expiresAfterMs: expires }),
  };
}
