import type { CommandEntry } from "./command.ts";
import { BROKER_COMMAND } from "./commands/broker.ts";
import { PUB_COMMAND } from "./commands/pub.ts";
import { QUEUE_COMMANDS } from "./commands/queue-commands.ts";
import { STREAM_COMMANDS } from "./commands/stream-commands.ts";
import { SUB_COMMAND } from "./commands/sub.ts";

/** Every command, in the order of the help text. */
export const COMMANDS: readonly CommandEntry[] = [
  BROKER_COMMAND,
  PUB_COMMAND,
  SUB_COMMAND,
  QUEUE_COMMANDS,
  STREAM_COMMANDS,
];
