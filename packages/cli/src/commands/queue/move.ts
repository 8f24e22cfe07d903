import { Argument } from "commander";
import { inSteps } from "../../admin/in-steps.ts";
import { printDone } from "../../admin/report.ts";
import { type AdminFlags, adminOptions, withAdmin } from "../../admin/with-admin.ts";
import type { CommandDefinition } from "../../command.ts";
import { option, parseCount } from "../../options/parse.ts";

interface QueueMoveFlags extends AdminFlags {
  readonly count?: number;
}

/** `polymq queue move`: moves messages from one queue to another. */
export const QUEUE_MOVE_COMMAND: CommandDefinition<QueueMoveFlags> = {
  name: "move",
  summary: "move messages that nobody works on to another queue, oldest first",
  arguments: [new Argument("<from>", "the queue to take from"), new Argument("<to>", "the queue to put into")],
  options: [
    option("-C, --count <number>", "messages to move at most (default: all of now)", parseCount),
    ...adminOptions(),
  ],
  examples: [
    ["orders parked", ""],
    ["orders parked -C 10", "the ten oldest"],
  ],
  notes: "A message that the other queue does not take ends it; what was moved until then stays moved.",
  run: (call) =>
    withAdmin(call, async (admin) => {
      const [from = "", to = ""] = call.args;
      const most = call.flags.count ?? Number((await admin.get(["queues", from]))["depth"]);
      printDone(call, "moved", await inSteps(most, (limit) => admin.post(["queues", from, "move"], { limit }, { to })));
    }),
};
