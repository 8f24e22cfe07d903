import { Argument } from "commander";
import { isMessagingError, MessagingError } from "polymq";
import type { CommandDefinition } from "../../command.ts";
import { ExitCode } from "../../exit-code.ts";
import { UsageError } from "../../failure.ts";
import { type ConnectionFlags, connectionOptions } from "../../options/connection.ts";
import { option } from "../../options/parse.ts";
import { withClient } from "../../session/client-session.ts";

interface StreamCommitFlags extends ConnectionFlags {
  readonly group: string;
}

/** `polymq stream commit`: says where a group goes on reading. */
export const STREAM_COMMIT_COMMAND: CommandDefinition<StreamCommitFlags> = {
  name: "commit",
  summary: "say where a group goes on reading a stream (AMQP)",
  arguments: [
    new Argument("<stream>", "the stream's name"),
    new Argument("<offset>", "the next message that the group reads"),
  ],
  options: [option("-g, --group <name>", "the group").makeOptionMandatory(), ...connectionOptions()],
  examples: [["audit 1000 -g reports -L amqp://localhost:5672", ""]],
  run: async (call) => {
    const { flags, args } = call;
    const [name = "", text = ""] = args;
    if (!/^\d{1,15}$/.test(text)) throw new UsageError("an offset is a whole number");
    const [offset, { group }] = [Number(text), flags];
    return await withClient(call, async ({ client }) => {
      try {
        if (client.is("amqp091")) await client.stream(name).commit(offset, { group });
        else if (client.is("amqp10")) await client.stream(name).commit(offset, { group });
        else throw new MessagingError("ERR_UNSUPPORTED", "offsets are committed over AMQP: see --protocol");
      } catch (cause) {
        throw refused(cause, `${name} may have no group ${group}, or it was not given as much`);
      }
      return ExitCode.ok;
    });
  },
};

/** Over AMQP 0-9-1 a server refuses without a reason: what it may be is better than nothing. */
function refused(error: unknown, why: string): unknown {
  if (!isMessagingError(error) || error.code !== "ERR_PUBLISH_REJECTED") return error;
  return new MessagingError(error.code, `nothing was committed: ${error.message}; ${why}`, { cause: error });
}
