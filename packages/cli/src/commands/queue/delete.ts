import { Argument } from "commander";
import { messagesIn } from "../../admin/in-steps.ts";
import { printDone } from "../../admin/report.ts";
import { type AdminFlags, adminOptions, withAdmin } from "../../admin/with-admin.ts";
import type { CommandDefinition } from "../../command.ts";
import { option } from "../../options/parse.ts";

interface QueueDeleteFlags extends AdminFlags {
  readonly ifUnused?: boolean;
  readonly ifEmpty?: boolean;
}

/** `polymq queue delete`: deletes a queue with all it holds. */
export const QUEUE_DELETE_COMMAND: CommandDefinition<QueueDeleteFlags> = {
  name: "delete",
  summary: "delete a queue or stream with all it holds",
  arguments: [new Argument("<queue>", "the queue's name")],
  options: [
    option("--if-unused", "only without consumers"),
    option("--if-empty", "only without messages"),
    ...adminOptions(),
  ],
  examples: [["orders --if-unused", ""]],
  run: (call) =>
    withAdmin(call, async (admin) => {
      const { ifUnused = false, ifEmpty = false } = call.flags;
      const query = { if_unused: String(ifUnused), if_empty: String(ifEmpty) };
      printDone(call, "deleted the queue with", messagesIn(await admin.delete(["queues", call.args[0] ?? ""], query)));
    }),
};
