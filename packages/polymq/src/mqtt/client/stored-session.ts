import type { Clock } from "../../base/clock.ts";
import { deferred } from "../../base/deferred.ts";
import { isMessagingError, MessagingError } from "../../base/errors.ts";
import type { MessageStore, StoredPublish, StoreOperation } from "../../store/message-store.ts";
import type { InboundFlow } from "../engine/inbound-flow.ts";
import { type OutboundFlow, Phase } from "../engine/outbound-flow.ts";
import type { Connection } from "./connection.ts";
import type { Settings } from "./options.ts";
import { type ClientItem, PendingPublish, type RestoredPublish } from "./pending.ts";
import { StoreWriter } from "./store-writer.ts";
import { StoredLane, type StoredLaneOwner, type StoredLaneParts } from "./stored-lane.ts";
import { restoredProperties } from "./stored-properties.ts";

/** Time that a store gets at the end for what it still has to write. */
const STORE_CLOSE_MS = 5_000;

/** Where what was stored goes. */
export interface RestoreTargets {
  readonly outbound: OutboundFlow<ClientItem>;
  readonly inbound: InboundFlow;
}

/** A client's use of its message store: opened once before the first connect, closed with the client. */
export class StoredSession {
  readonly writer: StoreWriter;
  readonly #onFailed: (error: MessagingError) => void;
  readonly #store: MessageStore;
  readonly #settings: Settings;
  #lane: StoredLane | null = null;
  #opening: Promise<void> | null = null;
  /** True while the store may hold ids of a session that is gone. */
  #receivedStale = false;

  /** @param onFailed told of a write that failed and that nobody waits for */
  constructor(store: MessageStore, settings: Settings, onFailed: (error: MessagingError) => void) {
    this.#store = store;
    this.#settings = settings;
    this.#onFailed = onFailed;
    this.writer = new StoreWriter(store, onFailed);
  }

  /** The way of messages to the server with this store. */
  lane(parts: StoredLaneParts, owner: StoredLaneOwner): StoredLane {
    this.#lane = new StoredLane(this.writer, parts, owner);
    return this.#lane;
  }

  /**
   * Opens the store and puts back what an earlier process left in it; once, and anew after a failure.
   * @throws {MessagingError} ERR_STORE_FAILED, ERR_EMPTY_CLIENT_ID without a client id to keep a session under
   */
  open(into: RestoreTargets): Promise<void> {
    this.#opening ??= this.#restore(into).catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  /** A connection begins. Received ids of a session that the server has lost would make its next messages look like repetitions. */
  begin(connection: Connection, sessionPresent: boolean): void {
    if (!sessionPresent) this.#receivedStale = true;
    if (!this.#receivedStale) return;
    this.#write(connection, { op: "clearReceived" }, () => {
      this.#receivedStale = false;
    });
  }

  /** Answers PUBREL once the id is forgotten for good: after PUBCOMP the server may use it for another message. */
  release(connection: Connection, packetId: number, known: boolean): void {
    this.#write(connection, { op: "deleteReceived", packetId }, () => connection.engine.sendPubcomp(packetId, known));
  }

  /** What the connection cannot go on without: it ends when that could not be stored. */
  #write(connection: Connection, operation: StoreOperation, stored: () => void): void {
    this.writer.write(operation, (error) => {
      if (error === null) return stored();
      this.#onFailed(error);
      connection.fail(error);
    });
  }

  /**
   * Closes the store after all writes.
   * @throws {MessagingError} ERR_STORE_FAILED, also for a store that takes more than 5 s
   */
  async close(clock: Clock): Promise<void> {
    if (this.#opening === null) return;
    const done = deferred<void>();
    const timer = clock.setTimer(STORE_CLOSE_MS, () =>
      done.reject(
        new MessagingError("ERR_STORE_FAILED", `the message store did not close within ${STORE_CLOSE_MS} ms`),
      ),
    );
    const closing = this.#opening.then(() => this.writer.idle()).then(() => this.#store.close());
    closing.then(done.resolve, done.reject);
    try {
      await done.promise;
    } catch (cause) {
      throw storeError(cause, "the message store could not be closed");
    } finally {
      timer.cancel();
    }
  }

  /**
   * A clean start without a session to go on with keeps the messages that are not acknowledged (they are published anew), and
   * forgets received ids, which mean nothing any more.
   */
  async #restore(into: RestoreTargets): Promise<void> {
    const { clientId, cleanStart } = this.#settings;
    if (clientId === "") throw new MessagingError("ERR_EMPTY_CLIENT_ID", "a store needs a client id of your own");
    try {
      const session = await this.#store.open(clientId);
      const entries = session.publishes.map(entryOf);
      // Before anything is put back, for a failure is followed by another try.
      if (cleanStart) await this.#store.write([{ op: "clearReceived" }]);
      else into.inbound.restore(session.receivedIds);
      into.outbound.restore(entries);
      for (const { order } of entries) this.#lane?.restored(order);
    } catch (cause) {
      throw storeError(cause, "the message store could not be opened");
    }
  }
}

function storeError(cause: unknown, message: string): MessagingError {
  return isMessagingError(cause) ? cause : new MessagingError("ERR_STORE_FAILED", message, { cause });
}

function entryOf(stored: StoredPublish): RestoredPublish {
  const { packetId, order, topic, payload, qos, retain, properties, released } = stored;
  const item = new PendingPublish(topic, payload, qos, retain, restoredProperties(properties));
  item.packetId = packetId;
  item.attempted = true;
  item.releaseStored = released;
  const phase = released ? Phase.Released : qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce;
  return { id: packetId, item, phase, order };
}
