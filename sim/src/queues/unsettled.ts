import type { MemoryBroker } from "@polymq/broker/testing";

/** What the groups of these queues have still to settle, in words. */
export function unsettledIn(broker: MemoryBroker | null, queues: readonly { readonly name: string }[]): string[] {
  return queues.flatMap(({ name }) => {
    const queue = broker?.hub.queues.get(name) ?? null;
    if (queue === null) return [`there is no queue ${name}`];
    const groups = queue.groups.filter((group) => group.depth > 0);
    const delayed = queue.delayed > 0 ? [`${queue.delayed} delayed messages in ${name}`] : [];
    return [...delayed, ...groups.map(({ id, depth }) => `${depth} messages of ${name}/${id}`)];
  });
}
