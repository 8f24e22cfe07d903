/** One change of a {@link StoreBatch}. */
export type StoreOp =
  | { readonly is: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly is: "delete"; readonly key: Uint8Array }
  | { readonly is: "append"; readonly log: number; readonly offset: number; readonly value: Uint8Array }
  | { readonly is: "truncate"; readonly log: number; readonly first: number }
  | { readonly is: "drop"; readonly log: number };

/**
 * Changes that become durable together or not at all. They take effect in the order in which they were added. Keys and
 * values belong to the batch once added: the caller does not change their bytes any more.
 */
export class StoreBatch {
  readonly ops: StoreOp[] = [];
  #bytes = 0;

  /** Key and value bytes in this batch. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.ops.length === 0;
  }

  /** Stores a small record, replacing what was under `key`. */
  put(key: Uint8Array, value: Uint8Array): void {
    this.#bytes += key.length + value.length;
    this.ops.push({ is: "put", key, value });
  }

  /** Deletes a small record; harmless when there is none. */
  delete(key: Uint8Array): void {
    this.#bytes += key.length;
    this.ops.push({ is: "delete", key });
  }

  /** Appends to a log. `offset` must be the log's next one: the caller counts, the store checks. */
  append(log: number, offset: number, value: Uint8Array): void {
    this.#bytes += value.length;
    this.ops.push({ is: "append", log, offset, value });
  }

  /** Removes a log's entries before `first`; the offsets stay used. `first` is at most the log's next offset. */
  truncate(log: number, first: number): void {
    this.ops.push({ is: "truncate", log, first });
  }

  /** Removes a log with all its entries; appending to it starts at 0 again. */
  drop(log: number): void {
    this.ops.push({ is: "drop", log });
  }
}
