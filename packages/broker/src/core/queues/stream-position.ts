import type { QueueLog } from "./queue-log.ts";
import type { StreamPosition } from "./queue-port.ts";

/** The offset that a position means in a log as it is now; null for `resume`, which moves nobody. */
export function findPosition(log: QueueLog, position: StreamPosition): number | null {
  switch (position.at) {
    case "resume":
      return null;
    case "first":
      return log.first;
    case "last":
      return Math.max(log.first, log.next - 1);
    case "next":
      return log.next;
    case "offset":
      return Math.min(log.next, Math.max(log.first, position.offset));
    case "timestamp":
      return log.search((message) => message.createdAtMs >= position.epochMs);
  }
}
