import { Argument } from "commander";
import type { CommandDefinition } from "../../command.ts";
import { type PayloadFlags, payloadOptions, payloadsOf, publishRules } from "../../input/payloads.ts";
import { type ConnectionFlags, connectionOptions } from "../../options/connection.ts";
import { collect, option } from "../../options/parse.ts";
import { type QueuePublishFlags, queuePublishFlagOptions, queuePublishOptions } from "../../options/queue-publish.ts";
import { withClient } from "../../session/client-session.ts";
import { publishAll } from "../../session/publish-all.ts";

interface QueuePublishCommandFlags extends ConnectionFlags, PayloadFlags, QueuePublishFlags {
  readonly forGroup?: readonly string[];
}

/** `polymq queue publish`: puts messages into a queue. */
export const QUEUE_PUBLISH_COMMAND: CommandDefinition<QueuePublishCommandFlags> = {
  name: "publish",
  summary: "put messages into a queue",
  arguments: [new Argument("<queue>", "the queue's name")],
  options: [
    ...payloadOptions(),
    ...queuePublishFlagOptions(),
    option(
      "--for-group <name>",
      "a group that has to get the message although nobody has joined it yet; repeatable",
      collect,
    ),
    ...connectionOptions(),
  ],
  examples: [
    ["orders -m 'order 1'", "over MQTT"],
    ["orders -L amqp10://localhost:5672 -m x --routing-key eu", "over AMQP 1.0"],
    ["jobs -l < jobs.txt", "each line a message"],
  ],
  run: async (call) => {
    const { flags, args, env } = call;
    const payloads = payloadsOf(flags, env);
    const options = queuePublishOptions(flags);
    return await withClient(call, (session) => {
      const queue = session.client.queue(args[0] ?? "", flags.forGroup === undefined ? {} : { groups: flags.forGroup });
      return publishAll(session, payloads, (payload) => queue.publish(payload, options), publishRules(flags));
    });
  },
};
