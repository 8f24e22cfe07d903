import { Argument } from "commander";
import type { Message } from "polymq";
import type { CommandDefinition } from "../../command.ts";
import { type ConnectionFlags, connectionOptions } from "../../options/connection.ts";
import { type GroupFlags, groupChoice, groupOptions, type LimitFlags, limitOptions } from "../../options/consuming.ts";
import { wordOption } from "../../options/parse.ts";
import { type OutputFlags, outputOptions, printerOf, TEMPLATE_HELP } from "../../output/printer.ts";
import { withClient } from "../../session/client-session.ts";
import { Consumption } from "../../session/consumption.ts";

interface QueueConsumeFlags extends ConnectionFlags, LimitFlags, OutputFlags, GroupFlags {
  readonly settle?: Settlement;
}

/** What `--settle` may say. */
type Settlement = "ack" | "nack" | "reject" | "none";

/** What becomes of a message that was printed. */
const SETTLE: Readonly<Record<Settlement, (message: Message) => Promise<void>>> = {
  ack: (message) => message.ack(),
  nack: (message) => message.nack(),
  reject: (message) => message.reject(),
  none: () => Promise.resolve(),
};

/** `polymq queue consume`: takes messages from a queue and prints them. */
export const QUEUE_CONSUME_COMMAND: CommandDefinition<QueueConsumeFlags> = {
  name: "consume",
  summary: "take messages from a queue and print them",
  arguments: [new Argument("<queue>", "the queue's name")],
  options: [
    ...groupOptions("the queue's own"),
    wordOption(
      "--settle <how>",
      "a printed message is done with, given back, a dead letter, or left unsettled until the end (default: ack)",
      Object.keys(SETTLE),
    ),
    ...limitOptions(),
    ...outputOptions(),
    ...connectionOptions(),
  ],
  examples: [
    ["orders -g shipping", "until stopped"],
    ["orders -C 1 -W 5 --json", "one message, or exit code 124 after 5 seconds"],
    ["orders -C 10 --settle none", "ten messages, which the queue gets back"],
    ["orders -C 1 --settle reject", "makes a message a dead letter"],
  ],
  notes: TEMPLATE_HELP,
  run: async (call) => {
    const { flags, args, env } = call;
    const print = printerOf(flags, () => env.clock.epochMs());
    return await withClient(call, (session) => {
      const { count, timeout: timeoutMs, settle = "ack" } = flags;
      const consumption = new Consumption(session, { count, timeoutMs, print, settle: SETTLE[settle] });
      const { handler } = consumption;
      const queue = session.client.queue(args[0] ?? "");
      return consumption.run(() => queue.consume({ ...groupChoice(flags), ack: "manual", handler }));
    });
  },
};
