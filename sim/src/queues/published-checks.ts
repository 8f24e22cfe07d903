import type { Queued } from "./queue-ledger.ts";

/** Of what was published together all is there, or nothing. */
export function halves(messages: Iterable<Queued>, seen: ReadonlySet<string>): string[] {
  const together = new Map<string, string[]>();
  for (const { id, together: name } of messages) {
    if (name !== undefined) together.set(name, [...(together.get(name) ?? []), id]);
  }
  return [...together].flatMap(([name, ids]) => {
    const there = ids.filter((id) => seen.has(id));
    return there.length === 0 || there.length === ids.length ? [] : [`of ${name}, ${ids}, there is but ${there}`];
  });
}

/** What a publisher sent first is first in the log; only the first copy of a message counts. */
export function overtaken(
  queue: string,
  log: Iterable<readonly [number, string]>,
  messageOf: (id: string) => Queued | undefined,
): string[] {
  const seen = new Set<string>();
  const last = new Map<string, Queued>();
  const wrong: string[] = [];
  for (const [, id] of [...log].sort(([a], [b]) => a - b)) {
    const queued = messageOf(id);
    if (queued === undefined || queued.from === null || seen.has(id)) continue;
    seen.add(id);
    const before = last.get(queued.from);
    if (before !== undefined && before.number > queued.number) {
      wrong.push(`${id} is in ${queue} behind ${before.id}, which was published after it`);
    }
    last.set(queued.from, queued);
  }
  return wrong;
}
