import type { MemoryBroker } from "@polymq/broker/testing";
import type { DeadLetter } from "./queue-ledger.ts";
import { idOf } from "./queue-watch.ts";

/** More than a run has. */
const COUNT_MAX = 100_000;

/** What lies in the dead-letter queue of a queue. */
export function deadLettersIn(broker: MemoryBroker, queue: string): DeadLetter[] {
  const { queues } = broker.hub;
  const name = `$dlq/${queue}`;
  if (!queues.has(name)) return [];
  return queues.peek(name, 0, COUNT_MAX).flatMap(({ deadLetter, payload }) => {
    if (deadLetter === null) return [];
    const { queue: from, group, offset, reason } = deadLetter;
    return [{ id: idOf(payload), queue: from, group, offset, reason }];
  });
}
