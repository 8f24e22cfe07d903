import { Argument } from "commander";
import { inSteps, messagesIn } from "../../admin/in-steps.ts";
import { printDone, printRows } from "../../admin/report.ts";
import { type AdminFlags, adminOptions, withAdmin } from "../../admin/with-admin.ts";
import type { CommandDefinition, CommandGroup } from "../../command.ts";
import { option, parseCount } from "../../options/parse.ts";
import { TEMPLATE_HELP } from "../../output/printer.ts";
import { type PeekFlags, peekOptions, printMessages } from "./peek.ts";

interface ReplayFlags extends AdminFlags {
  readonly count?: number;
}

const QUEUE = "the queue in which they died";

const LIST: CommandDefinition<AdminFlags> = {
  name: "list",
  summary: "list queues that have dead letters",
  options: adminOptions(),
  examples: [["", ""]],
  run: (call) =>
    withAdmin(call, async (admin) => {
      const rows = await admin.list(["dead-letters"], { limit: 1_000 });
      printRows(call, rows, ["queue", "deadLetterQueue", "messages", "bytes"]);
    }),
};

const PEEK: CommandDefinition<PeekFlags> = {
  name: "peek",
  summary: "look at dead letters, and with --json why they died",
  arguments: [new Argument("<queue>", QUEUE)],
  options: peekOptions(),
  examples: [["orders --json | jq .deadLetter", ""]],
  notes: TEMPLATE_HELP,
  run: (call) => withAdmin(call, (admin) => printMessages(call, admin, (queue) => ["dead-letters", queue])),
};

const REPLAY: CommandDefinition<ReplayFlags> = {
  name: "replay",
  summary: "send dead letters back to the queue in which they died, oldest first",
  arguments: [new Argument("<queue>", QUEUE)],
  options: [option("-C, --count <number>", "messages at most (default: all of now)", parseCount), ...adminOptions()],
  examples: [["orders -C 1", ""]],
  run: (call) =>
    withAdmin(call, async (admin) => {
      const [queue = ""] = call.args;
      const most = call.flags.count ?? (await deadLetters(queue, (prefix) => admin.list(["dead-letters"], { prefix })));
      // Where there are none, this says whether there is such a queue.
      if (most === 0) await admin.get(["dead-letters", queue], { limit: 1 });
      printDone(
        call,
        "replayed",
        await inSteps(most, (limit) => admin.post(["dead-letters", queue, "replay"], { limit })),
      );
    }),
};

const PURGE: CommandDefinition<AdminFlags> = {
  name: "purge",
  summary: "remove a queue's dead letters",
  arguments: [new Argument("<queue>", QUEUE)],
  options: adminOptions(),
  examples: [["orders", ""]],
  run: (call) =>
    withAdmin(call, async (admin) => {
      printDone(call, "purged", messagesIn(await admin.post(["dead-letters", call.args[0] ?? "", "purge"])));
    }),
};

/** How many dead letters a queue has now; what dies again during the replay stays. */
async function deadLetters(
  queue: string,
  list: (prefix: string) => Promise<readonly Readonly<Record<string, unknown>>[]>,
): Promise<number> {
  const row = (await list(queue)).find((each) => each["queue"] === queue);
  return row === undefined ? 0 : messagesIn(row);
}

/** `polymq queue dlq ...`: dead letters. */
export const QUEUE_DLQ_COMMANDS: CommandGroup = {
  name: "dlq",
  summary: "dead letters: list, look at, send back, remove",
  commands: [LIST, PEEK, REPLAY, PURGE],
};
