import { StoreBatch, type StoreOp } from "@polymq/broker/storage";
import type { PlantedFault } from "../world/planted-fault.ts";
import { addTo } from "./batches.ts";
import { wrapStore } from "./wrapped-store.ts";

/** First byte of the key of a group's record, which holds its cursor and what it has settled. */
const GROUP_RECORD = "G".charCodeAt(0);
/** And of the pages of what was settled above that. */
const PAGE_RECORD = "P".charCodeAt(0);

/** Now and then a group's progress is not written, while the batch that it belongs to is. */
export const lostCursor: PlantedFault = {
  name: "a lost cursor write",
  store: (store, world) =>
    wrapStore(store, {
      commit: (batch) => {
        if (!world.chance.happens(0.5)) return store.commit(batch);
        const kept = new StoreBatch();
        for (const op of batch.ops) if (!isProgress(op)) addTo(kept, op);
        return store.commit(kept);
      },
    }),
};

function isProgress(op: StoreOp): boolean {
  return op.is === "put" && (op.key[0] === GROUP_RECORD || op.key[0] === PAGE_RECORD);
}

/** The position of a log that was worked off is one too low after a restart: its last offset is given out again. */
export const reusedOffset: PlantedFault = {
  name: "an offset reused",
  disk: (medium) => {
    for (const [log, { first, next }] of medium.ranges) {
      if (first === next && next > 0) medium.ranges.set(log, { first: next - 1, next: next - 1 });
    }
  },
};

/** Dead-letter queues keep their newest message alone. */
export const droppedDeadLetter: PlantedFault = {
  name: "a dead letter dropped",
  broker: (broker, world) => {
    const { queues } = broker.hub;
    const look = (): void => {
      for (const { name, settings } of queues.list()) {
        if (!name.startsWith("$dlq/") || settings.maxDepth === 1) continue;
        queues.declare({ ...settings, maxDepth: 1, overflow: "drop-head" }, { ifExists: "update" });
      }
    };
    const subscribe = queues.subscribe.bind(queues);
    queues.subscribe = (name, request) => {
      look();
      return subscribe(name, request);
    };
    world.trace.note("planted", "dead letters are dropped");
  },
};

/** What a member works on is given to another one before its time is over. */
export const takenBackTooSoon: PlantedFault = {
  name: "a message taken back too soon",
  broker: (broker, world) => {
    const { queues } = broker.hub;
    const subscribe = queues.subscribe.bind(queues);
    queues.subscribe = (name, request) => {
      const joined = subscribe(name, request);
      const settings = queues.list().find((queue) => queue.name === name)?.settings;
      if (settings !== undefined && settings.visibilityTimeoutMs !== SOON_MS)
        queues.declare({ ...settings, visibilityTimeoutMs: SOON_MS }, { ifExists: "update" });
      return joined;
    };
    world.trace.note("planted", "messages are taken back too soon");
  },
};

const SOON_MS = 100;
