// Hot path: looked at per published message.
import { Deque } from "../../base/deque.ts";
import type { PendingPublish } from "./pending.ts";

/** What a waiting message counts for, in bytes: its topic, properties and payload. */
function sizeOf(message: PendingPublish): number {
  return message.topic.length + message.payload.length + (message.block?.length ?? 0);
}

/** Publishes that wait for a connection or for room, in order, within limits of messages and bytes. */
export class WaitingLine {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  readonly #items = new Deque<PendingPublish>();
  #bytes = 0;

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** True when the message can be added now. */
  fits(message: PendingPublish): boolean {
    return this.#items.length < this.#messagesMax && this.#bytes + sizeOf(message) <= this.#bytesMax;
  }

  /** True when the message could be added to an empty line. */
  couldFit(message: PendingPublish): boolean {
    return this.#messagesMax > 0 && sizeOf(message) <= this.#bytesMax;
  }

  push(message: PendingPublish): void {
    this.#items.push(message);
    this.#bytes += sizeOf(message);
  }

  peek(): PendingPublish | undefined {
    return this.#items.peek();
  }

  shift(): PendingPublish | undefined {
    const message = this.#items.shift();
    if (message !== undefined) this.#bytes -= sizeOf(message);
    return message;
  }

  /** Takes one message out of the line; harmless when it is not in it. */
  remove(message: PendingPublish): void {
    if (this.#items.remove((other) => other === message) !== undefined) this.#bytes -= sizeOf(message);
  }
}
