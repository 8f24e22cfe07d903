import { firstNumber, type Kind } from "../records.ts";

/*
 * Small records of queues; numbers big-endian:
 *   Q queue u64                          a queue's settings
 *   G queue u32, group u32               a group and how far it is
 *   P queue u32, group u32, page u64     what a group has settled above its base; group 0: what was taken out of the queue
 *   C queue u32, group u32, offset u64   deliveries of a message that is out for the second time or more
 *   E queue u64, number u64              a message that waits for its time
 * A queue's messages are the log of its number.
 */

/** The key of a group, or of one of its pages or counts. */
export function groupKey(kind: Kind, queue: number, group: number, index?: number): Uint8Array {
  const key = new Uint8Array(index === undefined ? 9 : 17);
  const view = new DataView(key.buffer);
  key[0] = kind;
  view.setUint32(1, queue);
  view.setUint32(5, group);
  if (index === undefined) return key;
  view.setUint32(9, Math.floor(index / 0x1_0000_0000));
  view.setUint32(13, index >>> 0);
  return key;
}

/** The queue's number in a {@link groupKey}. */
export function queueOfKey(key: Uint8Array): number {
  return Math.floor(firstNumber(key) / 0x1_0000_0000);
}

/** The group's number in a {@link groupKey}. */
export function groupOfKey(key: Uint8Array): number {
  return firstNumber(key) % 0x1_0000_0000;
}
