import type { QueueLog } from "./queue-log.ts";
import type { QueueSettings } from "./queue-settings.ts";

/**
 * The offset below which the rules of a queue let messages go: too old, or more than so many bytes or messages behind the end; the strictest
 * rule counts. 0 when there is no rule. Costs O(log n) reads.
 */
export function retentionPoint(log: QueueLog, rules: QueueSettings["retention"], epochMs: number): number {
  const { ageMs, bytes, messages } = rules;
  let point = 0;
  if (messages > 0) point = Math.max(point, log.next - messages);
  if (bytes > 0 && log.bytes > bytes) {
    const until = log.endBytes - bytes;
    point = Math.max(
      point,
      log.search((message) => message.endBytes - message.record.length >= until),
    );
  }
  if (ageMs > 0) {
    const oldestMs = epochMs - ageMs;
    point = Math.max(
      point,
      log.search((message) => message.createdAtMs >= oldestMs),
    );
  }
  return point;
}
