import type { CommandEntry } from "./command.ts";
import { BENCH_COMMAND } from "./commands/bench.ts";
import { BROKER_COMMAND } from "./commands/broker.ts";
import { completionCommand } from "./commands/completion.ts";
import { PING_COMMAND } from "./commands/ping.ts";
import { PROBE_COMMAND } from "./commands/probe.ts";
import { PROXY_COMMAND } from "./commands/proxy.ts";
import { PUB_COMMAND } from "./commands/pub.ts";
import { QUEUE_COMMANDS } from "./commands/queue-commands.ts";
import { REP_COMMAND } from "./commands/rep.ts";
import { REQ_COMMAND } from "./commands/req.ts";
import { STREAM_COMMANDS } from "./commands/stream-commands.ts";
import { SUB_COMMAND } from "./commands/sub.ts";

const TABLE: readonly CommandEntry[] = [
  BROKER_COMMAND,
  PUB_COMMAND,
  SUB_COMMAND,
  REQ_COMMAND,
  REP_COMMAND,
  QUEUE_COMMANDS,
  STREAM_COMMANDS,
  PING_COMMAND,
  PROBE_COMMAND,
  BENCH_COMMAND,
  PROXY_COMMAND,
];

/** Every command, in the order of the help text. */
export const COMMANDS: readonly CommandEntry[] = [...TABLE, completionCommand(TABLE)];
