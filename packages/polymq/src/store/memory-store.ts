import { copyOf } from "../bytes/copy.ts";
import type { MessageStore, StoredPublish, StoredSession, StoreOperation } from "./message-store.ts";

/**
 * A {@link MessageStore} in memory: state outlives a client object, not the process. A client without a store keeps the
 * same state by itself; this one is for handing a session from one client object to the next, and for tests.
 */
export class MemoryStore implements MessageStore {
  readonly #sessions = new Map<string, SessionRecord>();
  #current: SessionRecord | null = null;

  open(clientId: string): Promise<StoredSession> {
    let session = this.#sessions.get(clientId);
    if (session === undefined) {
      session = { publishes: new Map(), received: new Set() };
      this.#sessions.set(clientId, session);
    }
    this.#current = session;
    const publishes = [...session.publishes.values()].sort((a, b) => a.order - b.order);
    return Promise.resolve({ publishes, receivedIds: [...session.received] });
  }

  write(operations: readonly StoreOperation[]): Promise<void> {
    const session = this.#current;
    if (session === null) return Promise.reject(new Error("the store is not open"));
    for (const operation of operations) apply(session, operation);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#current = null;
    return Promise.resolve();
  }
}

interface SessionRecord {
  readonly publishes: Map<number, StoredPublish>;
  readonly received: Set<number>;
}

function apply(session: SessionRecord, operation: StoreOperation): void {
  switch (operation.op) {
    case "putPublish": {
      const payload = copyOf(operation.publish.payload);
      session.publishes.set(operation.publish.packetId, { ...operation.publish, payload });
      return;
    }
    case "releasePublish": {
      const publish = session.publishes.get(operation.packetId);
      if (publish !== undefined) session.publishes.set(operation.packetId, { ...publish, released: true });
      return;
    }
    case "deletePublish":
      session.publishes.delete(operation.packetId);
      return;
    case "putReceived":
      session.received.add(operation.packetId);
      return;
    case "deleteReceived":
      session.received.delete(operation.packetId);
      return;
    case "clearReceived":
      session.received.clear();
      return;
    case "clear":
      session.publishes.clear();
      session.received.clear();
      return;
  }
}
