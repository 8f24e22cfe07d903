import type { CommandGroup } from "../command.ts";
import { QUEUE_CONSUME_COMMAND } from "./queue/consume.ts";
import { QUEUE_DECLARE_COMMAND } from "./queue/declare.ts";
import { QUEUE_DELETE_COMMAND } from "./queue/delete.ts";
import { QUEUE_DLQ_COMMANDS } from "./queue/dlq.ts";
import { QUEUE_LIST_COMMAND } from "./queue/list.ts";
import { QUEUE_MOVE_COMMAND } from "./queue/move.ts";
import { QUEUE_PEEK_COMMAND } from "./queue/peek.ts";
import { QUEUE_PUBLISH_COMMAND } from "./queue/publish.ts";
import { QUEUE_PURGE_COMMAND } from "./queue/purge.ts";

/** `polymq queue ...`. */
export const QUEUE_COMMANDS: CommandGroup = {
  name: "queue",
  summary: "queues: publish, consume, and look after them through polymq broker's HTTP side",
  commands: [
    QUEUE_PUBLISH_COMMAND,
    QUEUE_CONSUME_COMMAND,
    QUEUE_LIST_COMMAND,
    QUEUE_PEEK_COMMAND,
    QUEUE_PURGE_COMMAND,
    QUEUE_MOVE_COMMAND,
    QUEUE_DECLARE_COMMAND,
    QUEUE_DELETE_COMMAND,
    QUEUE_DLQ_COMMANDS,
  ],
};
