import { ByteWriter, isMessagingError, MessagingError, type TextCodec } from "polymq/internal";
import type { StoreBatch } from "../../storage/batch.ts";
import type { BatchSource } from "../../storage/committer.ts";
import { KIND, recordKeyOf } from "../records.ts";
import type { QueueDeclaration } from "./queue-declaration.ts";
import type { ExchangeDefinition } from "./topology-port.ts";

/*
 * Small records of exchanges and bindings, all JSON; numbers rise in the order of declaration:
 *   X number         an exchange
 *   B number         a binding
 *   D queue's number how a queue was declared
 */

/** An exchange as it is stored. */
export interface ExchangeRecord extends ExchangeDefinition {
  readonly host: string;
}

/** A binding as it is stored. */
export interface BindingRecord {
  readonly host: string;
  readonly source: string;
  readonly to: "queue" | "exchange";
  readonly destination: string;
  readonly key: string;
  /** As `argumentsText` writes them. */
  readonly arguments: string;
}

/** Keeps the store in step with exchanges, bindings and declarations. Whatever one call changes goes in one batch, with the queues it concerns. */
export class TopologyRecords implements BatchSource {
  readonly #text: TextCodec;
  readonly #touch: () => void;
  #changes: { readonly key: Uint8Array; readonly value: Uint8Array | null }[] = [];

  /** @param touch told when there is something to store; null: nothing is kept */
  constructor(text: TextCodec, touch: (() => void) | null) {
    this.#text = text;
    this.#touch = touch ?? ignore;
    this.isKept = touch !== null;
  }

  /** False when everything ends with the broker. */
  readonly isKept: boolean;

  fill(batch: StoreBatch): void {
    const changes = this.#changes;
    if (changes.length === 0) return;
    this.#changes = [];
    for (const { key, value } of changes) {
      if (value === null) batch.delete(key);
      else batch.put(key, value);
    }
  }

  saveExchange(number: number, record: ExchangeRecord): void {
    this.#change(recordKeyOf(KIND.exchange, number), record);
  }

  dropExchange(number: number): void {
    this.#change(recordKeyOf(KIND.exchange, number), null);
  }

  saveBinding(number: number, record: BindingRecord): void {
    this.#change(recordKeyOf(KIND.binding, number), record);
  }

  dropBinding(number: number): void {
    this.#change(recordKeyOf(KIND.binding, number), null);
  }

  saveDeclaration(queue: number, declaration: QueueDeclaration): void {
    this.#change(recordKeyOf(KIND.declaration, queue), declaration);
  }

  dropDeclaration(queue: number): void {
    this.#change(recordKeyOf(KIND.declaration, queue), null);
  }

  /** Reads what one of these wrote, as far as `isSound` says that it is one. @throws {MessagingError} ERR_STORE_CORRUPT */
  read<T>(value: Uint8Array, isSound: (record: T) => boolean): T {
    try {
      const record = JSON.parse(this.#text.utf8(value, 0, value.length)) as T;
      if (isSound(record)) return record;
    } catch (cause) {
      if (isMessagingError(cause)) throw cause;
      throw new MessagingError("ERR_STORE_CORRUPT", "a stored exchange, binding or declaration cannot be read", {
        cause,
      });
    }
    throw new MessagingError("ERR_STORE_CORRUPT", "a stored record that is no exchange, binding or declaration");
  }

  #change(key: Uint8Array, record: object | null): void {
    if (!this.isKept) return;
    this.#changes.push({ key, value: record === null ? null : this.#encode(JSON.stringify(record)) });
    this.#touch();
  }

  #encode(json: string): Uint8Array {
    const writer = new ByteWriter(this.#text, json.length * 3);
    writer.utf8(json);
    return writer.copyFrom(0);
  }
}

function ignore(): void {}
