import type { Hub } from "./core/hub.ts";
import type { QueueInspection } from "./core/queues/queue-inspection.ts";

/** The queues of a running broker, for whoever runs it. */
export interface BrokerQueues {
  /** Pictures of all queues with their groups, oldest first. */
  list(): readonly QueueInspection[];
  /** A picture of one, or null. */
  get(queue: string): QueueInspection | null;
  /**
   * Deletes a group by its id, as `list` gives it: its consumers are told, it counts for `maxDepth` and holds messages back no more. What it has not settled
   * stays for other groups; without any, for the next one. Resolves when that is durable.
   * @throws {MessagingError} ERR_QUEUE_NOT_FOUND for the queue or the group, ERR_STORE_FAILED
   */
  deleteGroup(queue: string, group: string): Promise<void>;
}

/** {@link BrokerQueues} of a hub. */
export function brokerQueues(hub: Hub): BrokerQueues {
  return {
    list: () => hub.queues.list(),
    get: (queue) => hub.queues.get(queue),
    deleteGroup: async (queue, group) => {
      hub.queues.deleteGroup(queue, group);
      await hub.committer.flush();
    },
  };
}
