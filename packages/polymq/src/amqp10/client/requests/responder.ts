import { noop } from "../../../base/noop.ts";
import { Condition } from "../../codec/conditions.ts";
import type { MessageInput } from "../../codec/message.ts";
import type { MessageView } from "../../codec/message-view.ts";
import { plain } from "../../codec/values.ts";
import type { AmqpDelivery } from "../delivery.ts";
import type { SourceOptions } from "../options.ts";
import type { AmqpReceiver } from "../receiver.ts";
import type { AmqpRelay } from "../relay.ts";
import type { AmqpSession } from "../session.ts";
import { wholeNumber } from "../settings.ts";

/** Settings of a responder. */
export interface ResponderOptions {
  readonly source?: SourceOptions;
  /** Requests at work or waiting here, 1 to 65,535. Default 256. */
  readonly credit?: number;
  /** Handlers that may run at a time, 1 to 65,535. Default 1: one after the other, in order. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

/** Makes the answer to a request; null for none. */
export type RequestHandler = (
  request: MessageView,
  delivery: AmqpDelivery,
) => Promise<MessageInput | null> | MessageInput | null;

/** Answers requests that come to an address, made by `AmqpSession.createResponder`. */
export class AmqpResponder {
  readonly #receiver: AmqpReceiver;
  readonly #relay: AmqpRelay;
  readonly #handler: RequestHandler;
  readonly #working: Promise<void>[];
  #isClosing = false;
  /** Handlers under way. */
  #busy = 0;
  /** Told when none is any more. */
  #idle: (() => void) | null = null;

  private constructor(receiver: AmqpReceiver, relay: AmqpRelay, handler: RequestHandler, concurrency: number) {
    this.#receiver = receiver;
    this.#relay = relay;
    this.#handler = handler;
    this.#working = Array.from({ length: concurrency }, () => this.#work());
  }

  /** For the session. */
  static async attach(
    session: AmqpSession,
    address: string | null,
    handler: RequestHandler,
    options: ResponderOptions,
  ): Promise<AmqpResponder> {
    const count = { from: 1, to: 65_535 };
    const credit = wholeNumber("credit", options.credit, { ...count, otherwise: 256 });
    const concurrency = wholeNumber("concurrency", options.concurrency, { ...count, otherwise: 1 });
    const within = options.signal === undefined ? {} : { signal: options.signal };
    const relay = await session.createRelay(within);
    const source = options.source === undefined ? {} : { source: options.source };
    try {
      const receiver = await session.createReceiver(address, { credit, ...source, ...within });
      return new AmqpResponder(receiver, relay, handler, concurrency);
    } catch (error) {
      relay.close().catch(noop);
      throw error;
    }
  }

  /** Where requests come to; of a dynamic source, the server's name for it. */
  get address(): string | null {
    return this.#receiver.address;
  }

  /** Stops taking requests; resolves when handlers under way are done and the links are closed. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#receiver.stop();
    for (let next = this.#receiver.prefetched(); next !== null; next = this.#receiver.prefetched()) {
      next.release().catch(noop);
    }
    if (this.#busy > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.#receiver.detach();
    await Promise.all(this.#working);
    await this.#relay.close();
  }

  /** Closes the responder, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #work(): Promise<void> {
    try {
      for await (const delivery of this.#receiver) {
        if (this.#isClosing) {
          delivery.release().catch(noop);
          continue;
        }
        this.#busy++;
        try {
          await this.#answer(delivery);
        } finally {
          if (--this.#busy === 0) this.#idle?.();
        }
      }
    } catch (error) {
      this.#warn("a responder's link ended", error);
    }
  }

  /** The request is accepted when its answer is; a handler that fails rejects it, and an answer that nobody takes does not. */
  async #answer(delivery: AmqpDelivery): Promise<void> {
    let answer: MessageInput | null;
    try {
      answer = await this.#handler(delivery.message, delivery);
    } catch (error) {
      this.#warn("a responder's handler failed", error);
      const description = error instanceof Error ? error.message : String(error);
      return await this.#settle(() => delivery.reject({ condition: Condition.internalError, description }));
    }
    const { replyTo, messageId, correlationId } = delivery.message.properties ?? {};
    const to = plain(replyTo ?? null);
    if (answer !== null && typeof to === "string") {
      const properties = { ...answer.properties, correlationId: correlationId ?? messageId ?? null };
      try {
        await this.#relay.send(to, { ...answer, properties });
      } catch (error) {
        this.#warn("an answer could not be sent", error);
      }
    }
    await this.#settle(() => delivery.accept());
  }

  async #settle(say: () => Promise<void>): Promise<void> {
    try {
      await say();
    } catch (error) {
      this.#warn("a request could not be settled and may come again", error);
    }
  }

  #warn(message: string, error: unknown): void {
    this.#receiver.session.core.warn(message, error);
  }
}
