import type { Option } from "commander";
import { type Client, type ClientPublishOptions, type CommonPublishOptions, MessagingError } from "polymq";
import { option } from "./parse.ts";

/** Flags about who answers a message, and what its payload is. */
export interface ReplyFlags {
  readonly responseTopic?: string;
  readonly correlationData?: string;
  readonly payloadFormatIndicator?: boolean;
}

/** The options behind {@link ReplyFlags}. */
export function replyOptions(): readonly Option[] {
  return [
    option("--response-topic <topic>", "where an answer is wanted: MQTT 5.0, and AMQP 0-9-1 as reply-to"),
    option("--correlation-data <text>", "what the answer is to carry: MQTT 5.0, and AMQP 0-9-1 as correlation-id"),
    option("--payload-format-indicator", "MQTT 5.0: says that the payload is UTF-8 text"),
  ];
}

/** True when one of them is there. */
export function hasReplyFlags({ responseTopic, correlationData, payloadFormatIndicator }: ReplyFlags): boolean {
  return responseTopic !== undefined || correlationData !== undefined || payloadFormatIndicator === true;
}

/** Publishes over MQTT with them; without MQTT 5.0 it rejects with `ERR_UNSUPPORTED`. */
export function publishWithReply(
  client: Client<"mqtt">,
  { topic, ...flags }: ReplyFlags & { readonly topic: string },
  options: ClientPublishOptions<"mqtt">,
): (payload: Uint8Array) => Promise<unknown> {
  const { qos = 0, retain = false, properties, contentType, expiresAfterMs } = options;
  const { responseTopic, correlationData, payloadFormatIndicator } = flags;
  const publish = {
    qos,
    retain,
    properties: {
      ...(properties === undefined ? {} : { userProperties: properties }),
      ...(contentType === undefined ? {} : { contentType }),
      ...(expiresAfterMs === undefined ? {} : { messageExpirySeconds: Math.ceil(expiresAfterMs / 1_000) }),
      ...(responseTopic === undefined ? {} : { responseTopic }),
      ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
      ...(payloadFormatIndicator === true ? { payloadFormat: 1 as const } : {}),
    },
  };
  return (payload) => client.native.publish(topic, payload, publish);
}

/** Common options with them in AMQP 0-9-1's words. @throws {MessagingError} ERR_UNSUPPORTED for what the protocol does not have */
export function withReply(client: Client, flags: ReplyFlags, options: CommonPublishOptions): CommonPublishOptions {
  if (!hasReplyFlags(flags)) return options;
  const { responseTopic, correlationData, payloadFormatIndicator } = flags;
  if (payloadFormatIndicator === true) {
    throw new MessagingError("ERR_UNSUPPORTED", "--payload-format-indicator is for MQTT 5.0");
  }
  if (!client.is("amqp091")) {
    const what =
      "--response-topic and --correlation-data are for MQTT 5.0 and AMQP 0-9-1; over AMQP 1.0 there is polymq req";
    throw new MessagingError("ERR_UNSUPPORTED", what);
  }
  const properties = {
    ...options.properties,
    ...(responseTopic === undefined ? {} : { "reply-to": responseTopic }),
    ...(correlationData === undefined ? {} : { "correlation-id": correlationData }),
  };
  return { ...options, properties };
}
