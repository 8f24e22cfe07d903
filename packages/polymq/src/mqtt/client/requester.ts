import { abortedError, onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import type { MqttMessage } from "./message.ts";

/** Requests that may await their answer at a time. */
const REQUESTS_MAX = 10_000;

/** How a {@link Requester} reaches its client. */
export interface RequesterOwner {
  readonly clock: Clock;
  randomBytes(count: number): Uint8Array;
  /** Subscribes to the response topic; resolves when the server has confirmed. */
  listen(topic: string, handler: (message: MqttMessage) => void): Promise<{ readonly ended: boolean }>;
  /** The topic that answers are sent to: unique to this client. */
  responseTopic(): string;
}

/** How long a request may take. */
export interface RequestLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What a request's PUBLISH carries so that its answer finds back. */
export interface ReplyTo {
  readonly responseTopic: string;
  readonly correlationData: Uint8Array;
}

interface Waiting {
  readonly resolve: (message: MqttMessage) => void;
  readonly reject: (error: Error) => void;
}

/** Request and response over MQTT 5.0 (§4.10): one response topic for a client, answers told apart by correlation data. */
export class Requester {
  readonly #owner: RequesterOwner;
  readonly #waiting = new Map<string, Waiting>();
  #topic = "";
  #listening: Promise<void> | null = null;
  /** The response topic's subscription; it can end when the server takes it away. */
  #subscription: { readonly ended: boolean } | null = null;

  constructor(owner: RequesterOwner) {
    this.#owner = owner;
  }

  /**
   * Sends a request through `publish` and resolves with its answer; the deadline holds from now on.
   * @throws {MessagingError} ERR_MAX_INFLIGHT when too many await their answer, ERR_TIMEOUT, ERR_ABORTED, and what
   *   subscribing and publishing throw
   */
  request(limits: RequestLimits, publish: (replyTo: ReplyTo) => Promise<unknown>): Promise<MqttMessage> {
    if (this.#waiting.size >= REQUESTS_MAX) {
      const message = `${REQUESTS_MAX} requests await their answer already`;
      return Promise.reject(new MessagingError("ERR_MAX_INFLIGHT", message));
    }
    const correlationData = this.#owner.randomBytes(16);
    const key = keyOf(correlationData);
    const response = this.#register(key, limits);
    this.#send(key, correlationData, publish).catch((error: Error) => this.#waiting.get(key)?.reject(error));
    return response;
  }

  /** Fails all open requests, for there will be no answer. */
  failAll(error: Error): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }

  #register(key: string, { timeoutMs, signal }: RequestLimits): Promise<MqttMessage> {
    return new Promise((resolve, reject) => {
      let release = noop;
      const finish = (): void => {
        timer.cancel();
        release();
        this.#waiting.delete(key);
      };
      const fail = (error: Error): void => {
        finish();
        reject(error);
      };
      const timer = this.#owner.clock.setTimer(timeoutMs, () =>
        fail(new MessagingError("ERR_TIMEOUT", `no answer within ${timeoutMs} ms`)),
      );
      const answered = (message: MqttMessage): void => {
        finish();
        resolve(message);
      };
      this.#waiting.set(key, { resolve: answered, reject: fail });
      release = onAbort(signal, () => fail(signal === undefined ? new Error("unreachable") : abortedError(signal)));
    });
  }

  async #send(
    key: string,
    correlationData: Uint8Array,
    publish: (replyTo: ReplyTo) => Promise<unknown>,
  ): Promise<void> {
    await this.#listen();
    if (this.#waiting.has(key)) await publish({ responseTopic: this.#topic, correlationData });
  }

  #listen(): Promise<void> {
    if (this.#topic === "") this.#topic = this.#owner.responseTopic();
    if (this.#subscription?.ended === true) this.#listening = null;
    this.#listening ??= this.#subscribe();
    return this.#listening;
  }

  async #subscribe(): Promise<void> {
    this.#subscription = null;
    try {
      this.#subscription = await this.#owner.listen(this.#topic, (message) => this.#onMessage(message));
    } catch (error) {
      this.#listening = null;
      throw error;
    }
  }

  #onMessage(message: MqttMessage): void {
    const data = message.correlationData;
    // An answer that is too late, or that nobody asked for.
    if (data !== undefined) this.#waiting.get(keyOf(data))?.resolve(message);
  }
}

function keyOf(data: Uint8Array): string {
  let key = "";
  for (const byte of data) key += String.fromCharCode(byte);
  return key;
}
