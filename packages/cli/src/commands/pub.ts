import { type Client, MessagingError } from "polymq";
import type { CommandDefinition } from "../command.ts";
import { type PayloadFlags, payloadOptions, payloadsOf, publishRules } from "../input/payloads.ts";
import { type ConnectionFlags, connectionOptions } from "../options/connection.ts";
import { option, parseQos } from "../options/parse.ts";
import { commonPublishOptions, type PropertyFlags, propertyOptions } from "../options/properties.ts";
import { hasReplyFlags, publishWithReply, type ReplyFlags, replyOptions, withReply } from "../options/reply-flags.ts";
import { withClient } from "../session/client-session.ts";
import { publishAll } from "../session/publish-all.ts";

interface PubFlags extends ConnectionFlags, PayloadFlags, PropertyFlags, ReplyFlags {
  readonly topic: string;
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly mandatory?: boolean;
}

/** `polymq pub`: publishes to a topic. */
export const PUB_COMMAND: CommandDefinition<PubFlags> = {
  name: "pub",
  summary: "publish messages to a topic",
  options: [
    option(
      "-t, --topic <topic>",
      "topic, its levels separated by slashes; one below $queue/ is a queue",
    ).makeOptionMandatory(),
    ...payloadOptions(),
    option("-q, --qos <level>", "0 at most once, 1 at least once, 2 exactly once (MQTT) (default: 0)", parseQos),
    option("-r, --retain", "MQTT: the server keeps it for later subscribers"),
    ...propertyOptions(),
    ...replyOptions(),
    option("--exchange <name>", "AMQP 0-9-1: publish to this exchange (default: the one that stands for topics)"),
    option("--routing-key <key>", "AMQP 0-9-1: with this routing key (default: the topic)"),
    option("--mandatory", "AMQP 0-9-1: fail when no queue takes the message"),
    ...connectionOptions(),
  ],
  examples: [
    ["-t hello -m world", "over MQTT to localhost:1883"],
    ["-L amqp://localhost:5672 -t sensors/1 -m 21.5 -D unit=C", "over AMQP 0-9-1"],
    ["-t logs -q 1 -l < app.log", "each line a message"],
    ["-t state -r -n", "removes a kept message"],
  ],
  run: async (call) => {
    const { flags, env } = call;
    const payloads = payloadsOf(flags, env);
    return await withClient(call, (session) =>
      publishAll(session, payloads, publisher(session.client, flags), publishRules(flags)),
    );
  },
};

/** Publishes one payload as the flags say. @throws {MessagingError} ERR_UNSUPPORTED for what the protocol does not have */
function publisher(client: Client, flags: PubFlags): (payload: Uint8Array) => Promise<unknown> {
  const { topic, qos = 0, retain = false, exchange, routingKey, mandatory } = flags;
  if (!client.is("amqp091") && (exchange !== undefined || routingKey !== undefined || mandatory === true)) {
    throw new MessagingError("ERR_UNSUPPORTED", "--exchange, --routing-key and --mandatory are for AMQP 0-9-1");
  }
  if (client.is("mqtt")) {
    const options = { ...commonPublishOptions(flags), qos, retain };
    if (hasReplyFlags(flags)) return publishWithReply(client, flags, options);
    return (payload) => client.publish(topic, payload, options);
  }
  if (retain)
    throw new MessagingError("ERR_UNSUPPORTED", "--retain is for MQTT: AMQP keeps no last message of a topic");
  if (qos === 2) throw new MessagingError("ERR_UNSUPPORTED", "--qos 2 is for MQTT");
  const common = withReply(client, flags, commonPublishOptions(flags));
  if (client.is("amqp091")) {
    const options = {
      ...common,
      qos,
      ...(exchange === undefined ? {} : { exchange }),
      ...(routingKey === undefined ? {} : { routingKey }),
      ...(mandatory === undefined ? {} : { mandatory }),
    };
    return (payload) => client.publish(topic, payload, options);
  }
  return (payload) => client.publish(topic, payload, { ...common, qos });
}
