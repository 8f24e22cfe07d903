import type { Option } from "commander";
import type { QueuePublishOptions } from "polymq";
import { option, parseSeconds, wholeNumber } from "./parse.ts";
import { commonPublishOptions, type PropertyFlags, propertyOptions } from "./properties.ts";

/** Flags about a message for a queue or stream. */
export interface QueuePublishFlags extends PropertyFlags {
  readonly routingKey?: string;
  readonly priority?: number;
  readonly deliverAfter?: number;
}

/** The options behind {@link QueuePublishFlags}. */
export function queuePublishFlagOptions(): readonly Option[] {
  return [
    option("--routing-key <key>", "levels behind the queue's name, for groups with a filter"),
    option("--priority <number>", "0 to 255, higher first, on a queue with priorities", wholeNumber(0, 255)),
    option("--deliver-after <seconds>", "the queue gets it so much later (polymq's broker)", parseSeconds),
    ...propertyOptions(),
  ];
}

/** The options of a publish for these flags. */
export function queuePublishOptions(flags: QueuePublishFlags): QueuePublishOptions {
  const { routingKey, priority, deliverAfter } = flags;
  return {
    ...commonPublishOptions(flags),
    ...(routingKey === undefined ? {} : { routingKey }),
    ...(priority === undefined ? {} : { priority }),
    ...(deliverAfter === undefined ? {} : { deliverAfterMs: deliverAfter }),
  };
}
