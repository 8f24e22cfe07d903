import { abortedError, onAbort, throwIfAborted } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { checkedOptions } from "../../base/option-rules.ts";
import type { AmqpConsumeOptions, AmqpConsumer } from "./consumer.ts";
import { type AmqpMessage, type AmqpReturned, UnroutableError } from "./message.ts";
import type { AmqpPublishOptions } from "./publisher.ts";

/** Requests of one channel that may await their answer at a time. */
const REQUESTS_MAX = 10_000;

/** Options of `request`: those of a publish, and how long the answer may take. */
export interface AmqpRequestOptions extends Omit<AmqpPublishOptions, "replyTo" | "correlationId"> {
  /** Default 10,000. */
  readonly timeoutMs?: number;
}

/** An answer with properties of its own; where it goes and what it belongs to the request says. */
export interface AmqpAnswer extends Omit<AmqpPublishOptions, "correlationId" | "mandatory"> {
  readonly body: string | Uint8Array;
}

/** Makes the answer to a request: its body, with properties where the answer has them. */
export type AmqpResponder = (
  request: AmqpMessage,
) => string | Uint8Array | AmqpAnswer | Promise<string | Uint8Array | AmqpAnswer>;

/** What a requester needs of its channel. */
export interface RequestChannel {
  consume(queue: string, options: AmqpConsumeOptions): Promise<AmqpConsumer>;
  answerAwaited(): void;
}

/** What a requester needs of its client. */
export interface RequestHost {
  readonly clock: Clock;
  replyAddress(): string;
}

interface Waiting {
  /** The server has the request: a new connection will not send it again. */
  confirmed: boolean;
  readonly resolve: (message: AmqpMessage) => void;
  readonly reject: (error: unknown) => void;
}

/** Requests of one channel: one consumer of answers, which correlation ids tell apart. */
export class Requester {
  readonly #channel: RequestChannel;
  readonly #host: RequestHost;
  readonly #waiting = new Map<string, Waiting>();
  #address = "";
  #listening: Promise<AmqpConsumer> | null = null;
  #count = 0;

  constructor(channel: RequestChannel, host: RequestHost) {
    this.#channel = channel;
    this.#host = host;
  }

  /** True while answers are to come. */
  get waiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** See `AmqpChannel.request`. */
  async request(
    options: AmqpRequestOptions,
    publish: (options: AmqpPublishOptions) => Promise<void>,
  ): Promise<AmqpMessage> {
    const { timeoutMs: _, signal, ...given } = options;
    const { timeoutMs } = checkedOptions(
      { code: "ERR_INVALID_ARGUMENT", options },
      { timeoutMs: [1, 2_147_483_647, 10_000] },
    );
    throwIfAborted(signal);
    if (this.#waiting.size >= REQUESTS_MAX) {
      throw new MessagingError("ERR_MAX_INFLIGHT", `${REQUESTS_MAX} requests await their answer already`);
    }
    const correlationId = String(++this.#count);
    const answer = this.#register(correlationId, timeoutMs, signal);
    this.#send(correlationId, { mandatory: true, ...given }, publish).catch((error: unknown) =>
      this.#waiting.get(correlationId)?.reject(error),
    );
    return await answer;
  }

  /** A message came back from a channel without confirms: true when it was a request. */
  returned(message: AmqpReturned): boolean {
    const { replyTo, correlationId } = message.properties;
    const waiting = replyTo === this.#address ? this.#waiting.get(correlationId ?? "") : undefined;
    waiting?.reject(new UnroutableError(message));
    return waiting !== undefined;
  }

  /** The connection is gone: answers to what the server has had cannot come any more. What it has not confirmed is sent again. */
  suspend(error: MessagingError): void {
    for (const each of [...this.#waiting.values()]) if (each.confirmed) each.reject(error);
  }

  /** There will be no answers. */
  end(error: MessagingError): void {
    for (const each of [...this.#waiting.values()]) each.reject(error);
  }

  #register(id: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<AmqpMessage> {
    return new Promise((resolve, reject) => {
      let release = noop;
      const finish = (): void => {
        timer.cancel();
        release();
        this.#waiting.delete(id);
      };
      const fail = (error: unknown): void => {
        finish();
        reject(error);
      };
      const timer = this.#host.clock.setTimer(timeoutMs, () =>
        fail(new MessagingError("ERR_TIMEOUT", `no answer within ${timeoutMs} ms`)),
      );
      const answered = (message: AmqpMessage): void => {
        finish();
        resolve(message);
      };
      this.#waiting.set(id, { confirmed: false, resolve: answered, reject: fail });
      if (signal !== undefined) release = onAbort(signal, () => fail(abortedError(signal)));
    });
  }

  async #send(
    correlationId: string,
    options: AmqpPublishOptions,
    publish: (options: AmqpPublishOptions) => Promise<void>,
  ): Promise<void> {
    await this.#listen();
    const waiting = this.#waiting.get(correlationId);
    if (waiting === undefined) return;
    this.#channel.answerAwaited();
    await publish({ ...options, replyTo: this.#address, correlationId });
    waiting.confirmed = true;
  }

  #listen(): Promise<AmqpConsumer> {
    this.#listening ??= this.#consume();
    return this.#listening;
  }

  async #consume(): Promise<AmqpConsumer> {
    this.#address = this.#host.replyAddress();
    try {
      const consumer = await this.#channel.consume(this.#address, {
        noAck: true,
        handler: (message) => this.#waiting.get(message.properties.correlationId ?? "")?.resolve(message),
      });
      void consumer.closed.then(() => {
        this.#listening = null;
      });
      return consumer;
    } catch (error) {
      this.#listening = null;
      throw error;
    }
  }
}

/** The handler of a consumer that answers requests through `channel`. */
export function respondWith(
  channel: {
    publish(exchange: string, key: string, body: string | Uint8Array, options: AmqpPublishOptions): Promise<void>;
  },
  responder: AmqpResponder,
): (request: AmqpMessage) => Promise<void> {
  return async (request) => {
    const { replyTo = "", correlationId } = request.properties;
    const answer = await responder(request);
    const bare = typeof answer === "string" || answer instanceof Uint8Array;
    const { body, ...options } = bare ? { body: answer } : answer;
    if (replyTo !== "") await channel.publish("", replyTo, body, { deliveryMode: 1, ...options, correlationId });
  };
}
