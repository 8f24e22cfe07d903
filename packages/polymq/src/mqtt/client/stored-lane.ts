import type { TopicEncoder } from "../codec/topic-encoder.ts";
import type { OutboundFlow } from "../engine/outbound-flow.ts";
import { type Inflight, phaseOf } from "./inflight.ts";
import type { Link } from "./link.ts";
import type { ClientItem, PendingPublish } from "./pending.ts";
import type { StoreWriter } from "./store-writer.ts";
import { storedProperties } from "./stored-properties.ts";

/** What a {@link StoredLane} needs of its publisher. */
export interface StoredLaneOwner {
  /** The open connection, or null. */
  link(): Link | null;
  /** True while `packetId` is the next to be sent again: what follows for it is sent then. */
  resends(packetId: number): boolean;
  /** A message was written: an acknowledgement is awaited. */
  written(): void;
  /** The promise of `item` fails. */
  failed(item: PendingPublish, error: Error): void;
  /** Something may be sent now. */
  pump(): void;
}

/** What a {@link StoredLane} works on. */
export interface StoredLaneParts {
  readonly outbound: OutboundFlow<ClientItem>;
  readonly inflight: Inflight;
  readonly topics: TopicEncoder;
}

/** The way of a message whose store has to know of each step before the server does. */
export class StoredLane {
  /** Messages being stored; they are sent in order when they are. */
  storing = 0;
  readonly #store: StoreWriter;
  readonly #outbound: OutboundFlow<ClientItem>;
  readonly #inflight: Inflight;
  readonly #topics: TopicEncoder;
  readonly #owner: StoredLaneOwner;
  #order = 1;

  constructor(store: StoreWriter, parts: StoredLaneParts, owner: StoredLaneOwner) {
    this.#store = store;
    this.#outbound = parts.outbound;
    this.#inflight = parts.inflight;
    this.#topics = parts.topics;
    this.#owner = owner;
  }

  /** The store has messages up to this `order`. */
  restored(order: number): void {
    this.#order = Math.max(this.#order, order + 1);
  }

  /** Stores a message, whose payload must not change any more, and sends it then. Throws when no packet id is free. */
  send(link: Link, item: PendingPublish): void {
    this.#inflight.begin(item);
    const packetId = item.packetId;
    this.storing++;
    item.storing = true;
    const publish = {
      packetId,
      order: this.#order++,
      qos: item.qos === 2 ? (2 as const) : (1 as const),
      topic: item.topic,
      payload: item.payload,
      retain: item.retain,
      properties: storedProperties(item.block),
      released: false,
    };
    this.#store.write({ op: "putPublish", publish }, (error) => {
      this.storing--;
      item.storing = false;
      if (error !== null) {
        this.#outbound.finish(packetId, phaseOf(item));
        this.#owner.failed(item, error);
      } else if (this.#owner.link() === link) this.#sendStored(link, item);
      // Else it is among those that the connection of now sends again.
      this.#owner.pump();
    });
  }

  /** PUBREL leaves after it is stored that the server has the message: else a restart would send the message again. */
  release(link: Link, item: PendingPublish, packetId: number): void {
    item.storing = true;
    this.#store.write({ op: "releasePublish", packetId }, (error) => {
      item.storing = false;
      if (error !== null) {
        (this.#owner.link() ?? link).fail(error);
        return;
      }
      item.releaseStored = true;
      if (this.#owner.link() === link && !this.#owner.resends(packetId)) link.engine.sendPubrel(packetId, 0);
      else this.#owner.pump();
    });
  }

  /** The exchange is over. */
  forget(packetId: number): void {
    this.#store.write({ op: "deletePublish", packetId }, null);
  }

  #sendStored(link: Link, item: PendingPublish): void {
    try {
      this.#inflight.write(link, item, this.#topics.encode(item.topic), item.payload);
      this.#owner.written();
    } catch (error) {
      this.#outbound.finish(item.packetId, phaseOf(item));
      this.forget(item.packetId);
      this.#owner.failed(item, error instanceof Error ? error : new Error(String(error)));
    }
  }
}
