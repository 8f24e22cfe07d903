import { Argument } from "commander";
import type { CommandDefinition } from "../../command.ts";
import { type PayloadFlags, payloadOptions, payloadsOf, publishRules } from "../../input/payloads.ts";
import { type ConnectionFlags, connectionOptions } from "../../options/connection.ts";
import { type QueuePublishFlags, queuePublishFlagOptions, queuePublishOptions } from "../../options/queue-publish.ts";
import { withClient } from "../../session/client-session.ts";
import { publishAll } from "../../session/publish-all.ts";

interface StreamPublishFlags extends ConnectionFlags, PayloadFlags, QueuePublishFlags {}

/** `polymq stream publish`: appends messages to a stream. */
export const STREAM_PUBLISH_COMMAND: CommandDefinition<StreamPublishFlags> = {
  name: "publish",
  summary: "append messages to a stream",
  arguments: [new Argument("<stream>", "the stream's name")],
  options: [...payloadOptions(), ...queuePublishFlagOptions(), ...connectionOptions()],
  examples: [
    ["audit -m 'ann came in'", ""],
    ["audit -l < audit.log", "each line a message"],
  ],
  notes:
    "Over AMQP 0-9-1 a stream that is not there is made; over the others it has to be there (polymq queue declare --kind stream).",
  run: async (call) => {
    const { flags, args, env } = call;
    const payloads = payloadsOf(flags, env);
    const options = queuePublishOptions(flags);
    return await withClient(call, (session) => {
      const stream = session.client.stream(args[0] ?? "");
      return publishAll(session, payloads, (payload) => stream.publish(payload, options), publishRules(flags));
    });
  },
};
