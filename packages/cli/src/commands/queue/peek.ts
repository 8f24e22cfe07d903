import { Argument, type Option } from "commander";
import { type AdminClient, itemsOf } from "../../admin/admin-client.ts";
import { type AdminFlags, adminOptions, withAdmin } from "../../admin/with-admin.ts";
import type { CommandCall, CommandDefinition } from "../../command.ts";
import { option, wholeNumber } from "../../options/parse.ts";
import { peekedMessage } from "../../output/peeked-message.ts";
import { type OutputFlags, printerOf, TEMPLATE_HELP, textOptions } from "../../output/printer.ts";

/** Flags of commands that look at messages. */
export interface PeekFlags extends AdminFlags, OutputFlags {
  readonly count?: number;
  readonly from?: number;
}

/** The options behind {@link PeekFlags}. */
export function peekOptions(): readonly Option[] {
  return [
    option("-C, --count <number>", "messages to show at most (default: 100)", wholeNumber(1, Number.MAX_SAFE_INTEGER)),
    option("--from <offset>", "the first offset (default: 0)", wholeNumber(0, Number.MAX_SAFE_INTEGER)),
    ...textOptions(),
    ...adminOptions(),
  ];
}

/** `polymq queue peek`: prints messages without taking them. */
export const QUEUE_PEEK_COMMAND: CommandDefinition<PeekFlags> = {
  name: "peek",
  summary: "look at messages without taking them",
  arguments: [new Argument("<queue>", "the queue's name")],
  options: peekOptions(),
  examples: [
    ["orders -C 5 -F '%o %p'", "five messages with their offsets"],
    ["'$dlq/orders' --json", ""],
  ],
  notes: TEMPLATE_HELP,
  run: (call) => withAdmin(call, (admin) => printMessages(call, admin, (queue) => ["queues", queue, "messages"])),
};

/** Bytes of a payload that are shown. */
const PAYLOAD_MAX = 4_194_304;

/** Messages that one request asks for. */
const STEP = 100;

/** Prints the messages of a list that is asked for by offsets. */
export async function printMessages(
  { flags, args, env }: CommandCall<PeekFlags>,
  admin: AdminClient,
  pathOf: (queue: string) => readonly string[],
): Promise<void> {
  const [queue = ""] = args;
  const print = printerOf(flags, () => env.clock.epochMs());
  let left = flags.count ?? STEP;
  let from = flags.from ?? 0;
  while (left > 0) {
    const limit = Math.min(STEP, left);
    const items = itemsOf(await admin.get(pathOf(queue), { from, limit, payload_max: PAYLOAD_MAX }));
    for (const item of items) {
      env.out(print(peekedMessage(item, queue)));
      from = Math.max(from, Number(item["offset"]) + 1);
    }
    await env.outReady();
    if (items.length < limit) return;
    left -= items.length;
  }
}
