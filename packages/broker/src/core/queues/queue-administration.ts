import { withoutExpiry } from "./dead-letters.ts";
import type { Queue } from "./queue.ts";
import type { QueueMessage } from "./queue-message.ts";

/** What {@link moveMessages} moves. */
export interface MoveRequest {
  /** The queue that takes them. Default: each dead letter goes back to the queue in which it died; other messages stay. */
  readonly to?: string;
  /** Default 1,000. */
  readonly countMax?: number;
}

/** Bytes of records after which one call looks at no more messages. */
const PEEK_BYTES = 16_777_216;

/** Messages that one call moves at most unless told otherwise. */
const MOVE_COUNT = 1_000;

/** Up to `countMax` messages from an offset on that somebody has still to settle; fewer when they are large, but at least one when there is any. */
export function peekMessages(queue: Queue, from: number, countMax: number): QueueMessage[] {
  const found: QueueMessage[] = [];
  const { log } = queue;
  let bytes = 0;
  for (let offset = Math.max(from, log.first); offset < log.next && found.length < countMax; offset++) {
    const message = queue.isLive(offset) ? log.read(offset) : null;
    if (message === null) continue;
    found.push(message);
    bytes += message.record.length;
    if (bytes >= PEEK_BYTES) break;
  }
  return found;
}

/** Removes all messages that nobody works on, delayed ones included; returns how many. */
export function purgeMessages(queue: Queue): number {
  return queue.removeTogether(() => purgeHeld(queue));
}

function purgeHeld(queue: Queue): number {
  const { log } = queue;
  let removed = queue.delayed.clear();
  for (let offset = log.first; offset < log.next; offset++) {
    if (queue.isPending(offset)) continue;
    const isLive = queue.isLive(offset);
    if (queue.remove(offset) && isLive) removed++;
  }
  return removed;
}

/**
 * Moves messages that nobody works on, oldest first; returns how many. They leave and arrive in one batch. A target that is full, or not
 * there, leaves its messages where they are.
 */
export function moveMessages(queue: Queue, request: MoveRequest, find: (name: string) => Queue | null): number {
  return queue.removeTogether(() => moveHeld(queue, request, find));
}

function moveHeld(queue: Queue, request: MoveRequest, find: (name: string) => Queue | null): number {
  const { log } = queue;
  const { countMax = MOVE_COUNT } = request;
  const end = log.next;
  let moved = 0;
  for (let offset = log.first; offset < end && moved < countMax; offset++) {
    if (!queue.isLive(offset) || queue.isPending(offset)) continue;
    const message = log.read(offset);
    const name = request.to ?? message?.deadLetter?.queue;
    const target = name === undefined ? null : find(name);
    if (message === null || target === null || target === queue) continue;
    if (target.refusal(message.payload.length) !== null) continue;
    const facts = message.deadLetter === null ? null : { ...message.deadLetter, isReplayed: true };
    const priority = Math.min(message.priority, target.settings.priorityMax);
    target.append(withoutExpiry(message), message.keyStart, priority, facts);
    queue.remove(offset);
    moved++;
  }
  return moved;
}
