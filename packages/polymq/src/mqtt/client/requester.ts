import { abortedError, onAbort } from "../../base/abort.ts";
import { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { copyOf } from "../../bytes/copy.ts";
import { invalid } from "../codec/arguments.ts";
import type { PublishProperties } from "../codec/packets.ts";
import type { Payload, PublishOptions, RequestOptions, Responder } from "./call-options.ts";
import { checkTimeout } from "./check-timeout.ts";
import { checkUsable } from "./check-usable.ts";
import type { ClientCore } from "./client-core.ts";
import { Intake } from "./intake.ts";
import type { MqttMessage } from "./message.ts";
import { PendingPublish } from "./pending.ts";
import { missingInVersion4 } from "./refusals.ts";
import type { SubscribeOptions } from "./subscribe-options.ts";
import type { MqttSubscription } from "./subscription.ts";

/** Requests that may await their answer at a time. */
const REQUESTS_MAX = 10_000;

/** Longest wait for the answer to a request. */
const REQUEST_TIMEOUT_MS = 10_000;

/** How a {@link Requester} reaches its client. */
export interface RequesterClient {
  publish(topic: string, payload: Payload, options: PublishOptions): Promise<unknown>;
  subscribe(filter: string, options: SubscribeOptions): Promise<MqttSubscription>;
}

interface Waiting {
  readonly resolve: (message: MqttMessage) => void;
  readonly reject: (error: Error) => void;
}

/** Request and response over MQTT 5.0 (§4.10): one response topic for a client, answers told apart by correlation data. */
export class Requester {
  readonly #core: ClientCore;
  readonly #client: RequesterClient;
  readonly #waiting = new Map<string, Waiting>();
  /** Unique to this client. */
  #topic = "";
  #listening: Promise<void> | null = null;
  /** The response topic's subscription; it can end when the server takes it away. */
  #subscription: MqttSubscription | null = null;

  constructor(core: ClientCore, client: RequesterClient) {
    // Imported as a value: so bundlers see that this part needs that one, and load both together.
    if (!(core.intake instanceof Intake)) throw new TypeError("requests need the receiving side");
    this.#core = core;
    this.#client = client;
  }

  /** Sends a request and resolves with its answer; the deadline holds from now on. See `MqttClientBase.request`. */
  request(topic: string, payload: Payload, options: RequestOptions): Promise<MqttMessage> {
    const { timeoutMs = REQUEST_TIMEOUT_MS, signal, properties, ...rest } = options ?? {};
    checkUsable(this.#core, signal);
    this.#checkLevel();
    checkTimeout(timeoutMs, 1);
    if (this.#waiting.size >= REQUESTS_MAX) {
      throw new MessagingError("ERR_MAX_INFLIGHT", `${REQUESTS_MAX} requests await their answer`);
    }
    const correlationData = this.#core.platform.randomBytes(16);
    const key = correlationData.join();
    const response = this.#register(key, timeoutMs, signal);
    // It leaves after the subscription to the answers is there: what the caller does to its bytes meanwhile is its own affair.
    const kept = payload instanceof Uint8Array ? copyOf(payload) : payload;
    const publish = (responseTopic: string): Promise<unknown> => {
      const all = { ...properties, responseTopic, correlationData };
      return this.#client.publish(topic, kept, { qos: 1, ...rest, properties: all });
    };
    this.#send(key, publish).catch((error: Error) => this.#waiting.get(key)?.reject(error));
    return response;
  }

  /** Answers requests; see `MqttClientBase.respond`. */
  async respond(filter: string, responder: Responder, options: SubscribeOptions): Promise<MqttSubscription> {
    if (typeof responder !== "function") throw invalid("responder must be a function");
    this.#checkLevel();
    const handler = async (request: MqttMessage): Promise<void> => {
      const answered = await responder(request);
      const { responseTopic, correlationData } = request;
      if (responseTopic === undefined) return;
      const bare = typeof answered === "string" || answered instanceof Uint8Array;
      const { payload, properties } = bare ? { payload: answered } : answered;
      const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
      const block = this.#core.encodeProperties({ ...properties, correlationData } as PublishProperties);
      const answer = new PendingPublish(responseTopic, bytes, 1, false, block);
      // The request is in hand: its answer leaves while the client closes, too.
      answer.settles = true;
      await this.#core.publisher.submit(answer, undefined);
    };
    return await this.#client.subscribe(filter, { qos: 1, ...options, handler });
  }

  /** Fails all open requests, for there will be no answer. */
  failAll(error: Error): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }

  /** MQTT 3.1.1 has no response topics. */
  #checkLevel(): void {
    if (this.#core.level === 4) throw missingInVersion4("request and response");
  }

  #register(key: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<MqttMessage> {
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
      const timer = this.#core.platform.clock.setTimer(timeoutMs, () =>
        fail(new MessagingError("ERR_TIMEOUT", `no answer within ${timeoutMs} ms`)),
      );
      const answered = (message: MqttMessage): void => {
        finish();
        resolve(message);
      };
      this.#waiting.set(key, { resolve: answered, reject: fail });
      release = onAbort(signal, () => fail(abortedError(signal as AbortSignal)));
    });
  }

  async #send(key: string, publish: (responseTopic: string) => Promise<unknown>): Promise<void> {
    await this.#listen();
    if (this.#waiting.has(key)) await publish(this.#topic);
  }

  #listen(): Promise<void> {
    if (this.#topic === "") this.#topic = this.#responseTopic();
    if (this.#subscription?.ended === true) this.#listening = null;
    this.#listening ??= this.#subscribe();
    return this.#listening;
  }

  async #subscribe(): Promise<void> {
    this.#subscription = null;
    try {
      const handler = (message: MqttMessage): void => this.#onMessage(message);
      this.#subscription = await this.#client.subscribe(this.#topic, { qos: 1, handler });
    } catch (error) {
      this.#listening = null;
      throw error;
    }
  }

  /** Under what the server offered for responses, if it did (MQTT 5.0 §3.2.2.3.15). */
  #responseTopic(): string {
    const offered = this.#core.capabilities?.responseInformation ?? "";
    const own = [...this.#core.platform.randomBytes(8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${offered === "" ? "polymq/response" : offered.replace(/\/$/, "")}/${own}`;
  }

  #onMessage(message: MqttMessage): void {
    const data = message.correlationData;
    // An answer that is too late, or that nobody asked for.
    if (data !== undefined) this.#waiting.get(data.join())?.resolve(message);
  }
}
