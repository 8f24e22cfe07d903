import { printRows } from "../../admin/report.ts";
import type { AdminFlags } from "../../admin/with-admin.ts";
import { adminOptions, withAdmin } from "../../admin/with-admin.ts";
import type { CommandDefinition } from "../../command.ts";
import { option } from "../../options/parse.ts";

interface QueueListFlags extends AdminFlags {
  readonly prefix?: string;
}

/** `polymq queue list`: the queues of a broker. */
export const QUEUE_LIST_COMMAND: CommandDefinition<QueueListFlags> = {
  name: "list",
  summary: "list queues and streams with what they hold",
  options: [option("--prefix <text>", "only names that begin so"), ...adminOptions()],
  examples: [
    ["", "a table"],
    ["--json | jq .name", "a line of JSON for each queue, with settings, groups and statistics"],
  ],
  run: (call) =>
    withAdmin(call, async (admin) => {
      const queues = await admin.list(["queues"], { limit: 1_000, prefix: call.flags.prefix });
      printRows(call, queues, ["name", "kind", "depth", "bytes", "consumers", "groups", "delayed"]);
    }),
};
