import { abortedError, onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import type { MqttMessage } from "./message.ts";

/** Requests that may await their answer at a time. */
const REQUESTS_MAX = 10_000;

/** How a {@link Requester} reaches its client. */
export interface RequesterOwner {
  readonly clock: Clock;
  randomBytes(count: number): Uint8Array;
  /** Subscribes to the response topic once; resolves when the server has confirmed. */
  listen(topic: string, handler: (message: MqttMessage) => void): Promise<void>;
  /** The topic that answers are sent to: unique to this client. */
  responseTopic(): string;
}

interface Waiting {
  readonly resolve: (message: MqttMessage) => void;
  readonly reject: (error: Error) => void;
}

/** A request that was registered: what goes into its PUBLISH, and its answer. */
export interface OpenRequest {
  readonly responseTopic: string;
  readonly correlationData: Uint8Array;
  readonly response: Promise<MqttMessage>;
  /** Gives up, because the request itself could not be sent. */
  fail(error: Error): void;
}

/** Request and response over MQTT 5.0 (§4.10): one response topic for a client, answers told apart by correlation data. */
export class Requester {
  readonly #owner: RequesterOwner;
  readonly #waiting = new Map<string, Waiting>();
  #topic = "";
  #listening: Promise<void> | null = null;

  constructor(owner: RequesterOwner) {
    this.#owner = owner;
  }

  /** Registers a request. @throws {MessagingError} ERR_MAX_INFLIGHT when too many await their answer */
  async open(options: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined }): Promise<OpenRequest> {
    if (this.#waiting.size >= REQUESTS_MAX) {
      throw new MessagingError("ERR_MAX_INFLIGHT", `${REQUESTS_MAX} requests await their answer already`);
    }
    await this.#listen();
    const correlationData = this.#owner.randomBytes(16);
    const key = keyOf(correlationData);
    let fail: (error: Error) => void = ignore;
    const response = new Promise<MqttMessage>((resolve, reject) => {
      const { signal, timeoutMs } = options;
      let release: () => void = ignore;
      const finish = (): void => {
        timer.cancel();
        release();
        this.#waiting.delete(key);
      };
      fail = (error) => {
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
    return { responseTopic: this.#topic, correlationData, response, fail: (error) => fail(error) };
  }

  /** Fails all open requests, for there will be no answer. */
  failAll(error: Error): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
    this.#listening = null;
  }

  #listen(): Promise<void> {
    this.#topic = this.#topic === "" ? this.#owner.responseTopic() : this.#topic;
    this.#listening ??= this.#owner
      .listen(this.#topic, (message) => this.#onMessage(message))
      .catch((error: unknown) => {
        this.#listening = null;
        throw error;
      });
    return this.#listening;
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

function ignore(): void {
  // Stands in until the real function exists.
}
