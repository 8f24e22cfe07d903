import { MessagingError } from "../base/errors.ts";
import { copyOf } from "../bytes/copy.ts";
import type { MessageStore, StoredPublish, StoredSession, StoreOperation } from "./message-store.ts";

/** One change in the terms of `abstract-level`. */
export type LevelOperation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: string };

/** The part of an `abstract-level` database that is used; `classic-level`, `browser-level` and `memory-level` all have it. */
export interface LevelDatabase {
  /** Opens it, also when it is open. */
  open(): Promise<void>;
  /** All operations or none; with `sync`, resolves when they are on disk. */
  batch(operations: LevelOperation[], options: LevelEncodings & { readonly sync?: boolean }): Promise<void>;
  /** Entries in the order of their keys. */
  iterator(
    options: LevelEncodings & { readonly gte: string; readonly lt: string },
  ): AsyncIterable<[string, Uint8Array]>;
}

/** Keys are text, values are bytes. */
export interface LevelEncodings {
  readonly keyEncoding: "utf8";
  readonly valueEncoding: "view";
}

/** Options of {@link LevelStore}. */
export interface LevelStoreOptions {
  /** Any open or openable `abstract-level` database; it may hold other things and other clients too. */
  readonly database: LevelDatabase;
  /** True waits for the disk at each batch, where the database can (classic-level: fsync). Default true. */
  readonly sync?: boolean;
}

const ENCODINGS: LevelEncodings = { keyEncoding: "utf8", valueEncoding: "view" };

/** Keys of version 1 of this layout. */
const PREFIX = "polymq/1/";

/**
 * A durable {@link MessageStore} over any `abstract-level` database. Keys: `polymq/1/<client id>/p/<packet id>` for outbound
 * messages, `.../r/<packet id>` for received QoS 2 ids; one record each, so a batch is one atomic write.
 */
export class LevelStore implements MessageStore {
  readonly #database: LevelDatabase;
  readonly #sync: boolean;
  /** Of the open session's keys; "" while none is open. */
  #prefix = "";
  /** Outbound messages by packet id without their payloads, to rewrite one when it is released. */
  readonly #publishes = new Map<number, StoredPublish>();
  readonly #received = new Set<number>();
  /** True when a batch may have failed: what is known here is read anew before the next one. */
  #unsure = false;

  constructor(options: LevelStoreOptions) {
    this.#database = options.database;
    this.#sync = options.sync ?? true;
  }

  async open(clientId: string): Promise<StoredSession> {
    await this.#database.open();
    this.#prefix = `${PREFIX}${encodeURIComponent(clientId)}/`;
    try {
      const publishes = await this.#load();
      publishes.sort((a, b) => a.order - b.order);
      return { publishes, receivedIds: [...this.#received] };
    } catch (error) {
      this.#prefix = "";
      throw error;
    }
  }

  async write(operations: readonly StoreOperation[]): Promise<void> {
    if (this.#prefix === "") throw new MessagingError("ERR_STORE_FAILED", "the store is not open");
    if (this.#unsure) await this.#load();
    const batch: LevelOperation[] = [];
    this.#unsure = true;
    for (const operation of operations) this.#translate(operation, batch);
    if (batch.length > 0) await this.#database.batch(batch, { ...ENCODINGS, sync: this.#sync });
    this.#unsure = false;
  }

  /** Ends the use of the session; the database stays open, for it belongs to the caller. */
  close(): Promise<void> {
    this.#prefix = "";
    return Promise.resolve();
  }

  /** Reads the session; returns its outbound messages. */
  async #load(): Promise<StoredPublish[]> {
    const prefix = this.#prefix;
    this.#publishes.clear();
    this.#received.clear();
    const publishes: StoredPublish[] = [];
    const range = { ...ENCODINGS, gte: prefix, lt: `${prefix}~` };
    for await (const [key, value] of this.#database.iterator(range)) {
      const packetId = packetIdOf(key.slice(prefix.length));
      if (key.startsWith("r/", prefix.length)) this.#received.add(packetId);
      else publishes.push(decodeRecord(packetId, value));
    }
    for (const publish of publishes) this.#remember(publish);
    this.#unsure = false;
    return publishes;
  }

  #translate(operation: StoreOperation, batch: LevelOperation[]): void {
    switch (operation.op) {
      case "putPublish":
        this.#putPublish(operation.publish, batch);
        return;
      case "releasePublish": {
        const publish = this.#publishes.get(operation.packetId);
        // The payload is not needed for a release any more.
        if (publish !== undefined) this.#putPublish({ ...publish, released: true }, batch);
        return;
      }
      case "deletePublish":
        this.#publishes.delete(operation.packetId);
        batch.push({ type: "del", key: this.#key("p", operation.packetId) });
        return;
      case "putReceived":
        this.#received.add(operation.packetId);
        batch.push({ type: "put", key: this.#key("r", operation.packetId), value: EMPTY });
        return;
      case "deleteReceived":
        this.#received.delete(operation.packetId);
        batch.push({ type: "del", key: this.#key("r", operation.packetId) });
        return;
      case "clearReceived":
        this.#clearReceived(batch);
        return;
      case "clear":
        this.#clear(batch);
        return;
    }
  }

  #putPublish(publish: StoredPublish, batch: LevelOperation[]): void {
    this.#remember(publish);
    batch.push({ type: "put", key: this.#key("p", publish.packetId), value: encodeRecord(publish) });
  }

  #clear(batch: LevelOperation[]): void {
    for (const id of this.#publishes.keys()) batch.push({ type: "del", key: this.#key("p", id) });
    this.#publishes.clear();
    this.#clearReceived(batch);
  }

  #clearReceived(batch: LevelOperation[]): void {
    for (const id of this.#received) batch.push({ type: "del", key: this.#key("r", id) });
    this.#received.clear();
  }

  #remember(publish: StoredPublish): void {
    this.#publishes.set(publish.packetId, { ...publish, payload: EMPTY });
  }

  #key(kind: "p" | "r", packetId: number): string {
    return `${this.#prefix}${kind}/${packetId.toString(16).padStart(4, "0")}`;
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);

/** The packet id in a key behind its prefix. @throws {MessagingError} ERR_STORE_FAILED when it is no key of ours */
function packetIdOf(key: string): number {
  const packetId = /^[pr]\/[0-9a-f]{4}$/.test(key) ? Number.parseInt(key.slice(2), 16) : 0;
  if (packetId === 0) throw new MessagingError("ERR_STORE_FAILED", `the store holds a key that is not its own: ${key}`);
  return packetId;
}

/** Record: length u32 of the JSON head, the head, the payload. */
function encodeRecord(publish: StoredPublish): Uint8Array {
  const { payload, packetId: _, ...rest } = publish;
  const head = new TextEncoder().encode(JSON.stringify(rest));
  const record = new Uint8Array(4 + head.length + payload.length);
  new DataView(record.buffer).setUint32(0, head.length);
  record.set(head, 4);
  record.set(payload, 4 + head.length);
  return record;
}

function decodeRecord(packetId: number, record: Uint8Array): StoredPublish {
  try {
    const headLength = new DataView(record.buffer, record.byteOffset, record.length).getUint32(0);
    if (4 + headLength > record.length) throw new TypeError("shorter than its head");
    const head: unknown = JSON.parse(new TextDecoder().decode(record.subarray(4, 4 + headLength)));
    return { ...checkHead(head), packetId, payload: copyOf(record.subarray(4 + headLength)) };
  } catch (cause) {
    throw new MessagingError("ERR_STORE_FAILED", `the stored message of packet id ${packetId} is damaged`, { cause });
  }
}

function checkHead(head: unknown): Omit<StoredPublish, "packetId" | "payload"> {
  if (typeof head !== "object" || head === null) throw new TypeError("no object");
  const { order, qos, topic, retain, properties, released } = head as Record<string, unknown>;
  if (
    !Number.isSafeInteger(order) ||
    typeof order !== "number" ||
    (qos !== 1 && qos !== 2) ||
    typeof topic !== "string"
  )
    throw new TypeError("head");
  if (typeof retain !== "boolean" || typeof released !== "boolean") throw new TypeError("flags");
  if (properties !== null && typeof properties !== "string") throw new TypeError("properties");
  return { order, qos, topic, retain, properties, released };
}
