import type { CommandEntry } from "./command.ts";
import { BROKER_COMMAND } from "./commands/broker.ts";
import { PUB_COMMAND } from "./commands/pub.ts";
import { SUB_COMMAND } from "./commands/sub.ts";

/** Every command, in the order of the help text. */
export const COMMANDS: readonly CommandEntry[] = [BROKER_COMMAND, PUB_COMMAND, SUB_COMMAND];
