import { Argument } from "commander";
import { printRows } from "../../admin/report.ts";
import { type AdminFlags, adminOptions, withAdmin } from "../../admin/with-admin.ts";
import type { CommandDefinition } from "../../command.ts";
import { wordOption } from "../../options/parse.ts";

interface QueueDeclareFlags extends AdminFlags {
  readonly kind?: string;
}

/** `polymq queue declare`: makes a queue or stream. */
export const QUEUE_DECLARE_COMMAND: CommandDefinition<QueueDeclareFlags> = {
  name: "declare",
  summary: "make a queue or stream, or see that it is there",
  arguments: [new Argument("<queue>", "the queue's name")],
  options: [
    wordOption("--kind <kind>", "messages are gone once settled, or stay (default: classic)", ["classic", "stream"]),
    ...adminOptions(),
  ],
  examples: [
    ["orders", ""],
    ["audit --kind stream", ""],
  ],
  run: (call) =>
    withAdmin(call, async (admin) => {
      const { kind = "classic" } = call.flags;
      const queue = await admin.post(["queues"], {}, { name: call.args[0] ?? "", kind });
      printRows(call, [queue], ["name", "kind", "depth"]);
    }),
};
