import { copyOf } from "../../bytes/copy.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import type { ClientOwners } from "./owners.ts";
import type { PendingSend } from "./pending-send.ts";

/** A message that waits for the connection. */
export interface BacklogEntry {
  readonly pending: PendingSend;
  readonly payload: Uint8Array;
}

/** Messages of a sender that wait while its connection is being made again, in the order in which they leave. */
export class Backlog {
  readonly #entries = new Map<PendingSend, Uint8Array>();
  #bytes = 0;

  get length(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Messages in their order. */
  get messages(): Iterable<PendingSend> {
    return this.#entries.keys();
  }

  push(pending: PendingSend, payload: Uint8Array): void {
    this.#entries.set(pending, payload);
    this.#bytes += payload.length;
  }

  shift(): BacklogEntry | undefined {
    for (const [pending, payload] of this.#entries) {
      this.#take(pending, payload);
      return { pending, payload };
    }
    return undefined;
  }

  /** Takes a message out; false when it is not here. */
  remove(pending: PendingSend): boolean {
    const payload = this.#entries.get(pending);
    if (payload === undefined) return false;
    this.#take(pending, payload);
    return true;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  /**
   * Takes over what a link had when its connection was lost, before all that waits already: what was on its way under its tags, then what had not
   * left. `again` says for each whether it is to be sent.
   */
  takeOver(link: SenderLink<ClientOwners>, again: (pending: PendingSend, was: "sent" | "waiting") => boolean): void {
    const waiting: BacklogEntry[] = [];
    for (let entry = this.shift(); entry !== undefined; entry = this.shift()) waiting.push(entry);
    const { unsettled, unsent } = link.left;
    for (const delivery of unsettled) {
      const { item, payload, tag } = delivery;
      if (again(item, "sent") && payload !== null) {
        item.how = { ...item.how, tag: copyOf(tag) };
        item.sent = true;
        item.unusual = true;
        this.push(item, copyOf(payload));
      }
      delivery.forget();
    }
    for (const { item, payload } of unsent) if (again(item, "waiting")) this.push(item, payload);
    unsettled.length = 0;
    unsent.length = 0;
    for (const { pending, payload } of waiting) this.push(pending, payload);
  }

  #take(pending: PendingSend, payload: Uint8Array): void {
    this.#entries.delete(pending);
    this.#bytes -= payload.length;
  }
}
