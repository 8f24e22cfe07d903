// Hot path: runs per message that goes on at once. No closure, promise, spread, iterator or regex here.
import { Deque } from "polymq/internal";
import type { Message } from "./message.ts";

/** How much may lie in input that is kept for the sake of messages in it. */
export interface PassingLimits {
  readonly bytesMax: number;
  readonly messagesMax: number;
}

const LIMITS: PassingLimits = { bytesMax: 4 * 1024 * 1024, messagesMax: 4_096 };

/**
 * Messages that went on as soon as they came, and whose bytes still lie in the input that brought them: most are acknowledged so soon that a copy of their own is a waste (it was half of
 * the CPU of a QoS 1 message of 256 B). A message keeps a whole chunk of input in memory, so that little may: beyond the limits the oldest that are
 * still held get their copies, and a message that has to wait has one from the beginning.
 */
export class PassingMessages {
  readonly #limits: PassingLimits;
  /** In the order of arrival. */
  readonly #inputs = new Deque<Input>();
  #last: Input | null = null;
  #bytes = 0;
  #count = 0;

  constructor(limits: PassingLimits = LIMITS) {
    this.#limits = limits;
  }

  /** Bytes of input that are kept for messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes note of a message that lies in `chunk`; whoever holds it does so (`HeldMessages`) before the next one is added. */
  add(message: Message, chunk: Uint8Array): void {
    if (this.#count >= this.#limits.messagesMax) this.#leave();
    const last = this.#last;
    const input = last !== null && last.chunk === chunk ? last : this.#enter(chunk);
    input.messages.push(message);
    this.#count++;
  }

  #enter(chunk: Uint8Array): Input {
    const { buffer } = chunk;
    const last = this.#last;
    if (last !== null && last.buffer === buffer) {
      last.chunk = chunk; // of the same read
      return last;
    }
    for (let oldest = this.#inputs.peek(); oldest?.isDone() === true; oldest = this.#inputs.peek()) this.#leave();
    while (this.#inputs.length > 0 && this.#bytes + buffer.byteLength > this.#limits.bytesMax) this.#leave();
    const input = new Input(chunk);
    this.#inputs.push(input);
    this.#last = input;
    this.#bytes += buffer.byteLength;
    return input;
  }

  /** Lets go of the oldest input. */
  #leave(): void {
    const input = this.#inputs.shift();
    if (input === undefined) return;
    input.leave();
    this.#bytes -= input.buffer.byteLength;
    this.#count -= input.messages.length;
    if (this.#last === input) this.#last = null;
  }
}

/** The memory of one chunk of input or of several, and the messages that lie in it. */
class Input {
  readonly buffer: ArrayBufferLike;
  /** The last one. */
  chunk: Uint8Array;
  readonly messages: Message[] = [];
  /** Those before this one are not held any more. */
  #done = 0;

  constructor(chunk: Uint8Array) {
    this.chunk = chunk;
    this.buffer = chunk.buffer;
  }

  /** True when nobody holds any of them. */
  isDone(): boolean {
    while (this.#done < this.messages.length && this.messages[this.#done]?.holders === 0) this.#done++;
    return this.#done === this.messages.length;
  }

  /** Copies those that are held. */
  leave(): void {
    for (let i = this.#done; i < this.messages.length; i++) {
      const message = this.messages[i] as Message;
      if (message.holders > 0) message.keep();
    }
  }
}
