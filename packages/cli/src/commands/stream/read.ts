import { Argument, InvalidArgumentError } from "commander";
import { type Client, type Message, MessagingError, type StreamFrom } from "polymq";
import type { CommandDefinition } from "../../command.ts";
import { type ConnectionFlags, connectionOptions } from "../../options/connection.ts";
import { type GroupFlags, groupChoice, groupOptions, type LimitFlags, limitOptions } from "../../options/consuming.ts";
import { option } from "../../options/parse.ts";
import { type OutputFlags, outputOptions, printerOf, TEMPLATE_HELP } from "../../output/printer.ts";
import { withClient } from "../../session/client-session.ts";
import { Consumption } from "../../session/consumption.ts";

interface StreamReadFlags extends ConnectionFlags, LimitFlags, OutputFlags, GroupFlags {
  readonly from?: StreamFrom;
  /** False: `--no-commit`. */
  readonly commit?: boolean;
}

/** `polymq stream read`: prints messages of a stream, which keeps them. */
export const STREAM_READ_COMMAND: CommandDefinition<StreamReadFlags> = {
  name: "read",
  summary: "print messages of a stream, which keeps them",
  arguments: [new Argument("<stream>", "the stream's name")],
  options: [
    option(
      "--from <place>",
      "first, last, next, resume (where the group stands), an offset, or a time such as 2030-01-31T12:00:00Z (default: resume)",
      parseFrom,
    ),
    ...groupOptions("a reader of its own"),
    option("--no-commit", "AMQP: leave the group where it stands"),
    ...limitOptions(),
    ...outputOptions(),
    ...connectionOptions(),
  ],
  examples: [
    ["audit --from first -F '%o %p'", "everything with its offset, and what comes"],
    ["audit --from 1000 -C 10 --json", "ten messages from an offset on"],
    ["audit -g reports", "from where the group stands"],
  ],
  notes: TEMPLATE_HELP,
  run: async (call) => {
    const { flags, args, env } = call;
    const print = printerOf(flags, () => env.clock.epochMs());
    return await withClient(call, async (session) => {
      const { count, timeout: timeoutMs } = flags;
      const { client } = session;
      let next = 0;
      const settle = async (message: Message): Promise<void> => {
        await message.ack();
        next = Math.max(next, (message.offset ?? -1) + 1);
      };
      const consumption = new Consumption(session, { count, timeoutMs, print, settle });
      const code = await consumption.run(() => read(client, args[0] ?? "", flags, consumption));
      await commitAtEnd(client, args[0] ?? "", next, flags);
      return code;
    });
  },
};

/**
 * Commits what was read. Over AMQP 0-9-1 servers do so every few seconds only: a command that is over sooner would leave the group where it was. RabbitMQ has no commits.
 * @param next the offset behind the last message; 0 when none was read
 */
async function commitAtEnd(client: Client, name: string, next: number, flags: StreamReadFlags): Promise<void> {
  const { group, commit } = flags;
  if (group === undefined || commit === false || next === 0 || client.dialect === "rabbitmq") return;
  if (client.is("amqp091")) await client.stream(name).commit(next, { group });
}

function read(client: Client, name: string, flags: StreamReadFlags, { handler }: Consumption): Promise<unknown> {
  const options = {
    ...groupChoice(flags),
    ...(flags.from === undefined ? {} : { from: flags.from }),
    ack: "manual",
    handler,
  } as const;
  if (flags.commit !== false) return client.stream(name).read(options);
  if (client.is("amqp091")) return client.stream(name).read({ ...options, commit: "manual" });
  if (client.is("amqp10")) return client.stream(name).read({ ...options, commit: "manual" });
  throw new MessagingError("ERR_UNSUPPORTED", "--no-commit is for AMQP: over MQTT a group commits what it has read");
}

function parseFrom(text: string): StreamFrom {
  if (text === "first" || text === "last" || text === "next" || text === "resume") return text;
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) };
  const timestamp = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timestamp))
    throw new InvalidArgumentError("first, last, next, resume, an offset or an ISO 8601 time.");
  return { timestamp };
}
