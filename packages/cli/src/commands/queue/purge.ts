import { Argument } from "commander";
import { messagesIn } from "../../admin/in-steps.ts";
import { printDone } from "../../admin/report.ts";
import { type AdminFlags, adminOptions, withAdmin } from "../../admin/with-admin.ts";
import type { CommandDefinition } from "../../command.ts";

/** `polymq queue purge`: removes what nobody works on. */
export const QUEUE_PURGE_COMMAND: CommandDefinition<AdminFlags> = {
  name: "purge",
  summary: "remove all messages that nobody works on",
  arguments: [new Argument("<queue>", "the queue's name")],
  options: adminOptions(),
  examples: [["orders", ""]],
  run: (call) =>
    withAdmin(call, async (admin) => {
      printDone(call, "purged", messagesIn(await admin.post(["queues", call.args[0] ?? "", "purge"])));
    }),
};
