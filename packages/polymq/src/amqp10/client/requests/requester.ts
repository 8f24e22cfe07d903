import { abortedError, onAbort } from "../../../base/abort.ts";
import type { Timer } from "../../../base/clock.ts";
import { type Deferred, deferred } from "../../../base/deferred.ts";
import { MessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import type { MessageInput } from "../../codec/message.ts";
import type { MessageView } from "../../codec/message-view.ts";
import { type AmqpValue, plain } from "../../codec/values.ts";
import { randomName } from "../connection-settings.ts";
import type { ReceiverOptions, SenderOptions, SourceOptions } from "../options.ts";
import type { AmqpReceiver } from "../receiver.ts";
import type { AmqpSender } from "../sender.ts";
import type { AmqpSession } from "../session.ts";
import { wholeNumber } from "../settings.ts";

/** Settings of a requester. */
export interface RequesterOptions {
  /** Where answers go. Default: a dynamic node, which the server makes for this requester (§3.5.3). */
  readonly source?: SourceOptions;
  /** The address that requests give for their answers. Default: that of the source. */
  readonly replyTo?: string;
  /** Time for each answer, in ms; 0 for no limit. Default 30,000. */
  readonly timeoutMs?: number;
  /** Requests without an answer at one time, 1 to 65,535. Default 1,024. */
  readonly requestsMax?: number;
  /** Further settings of the two links. */
  readonly sender?: Pick<SenderOptions, "name" | "properties" | "settlementMode" | "target">;
  readonly receiver?: Pick<ReceiverOptions, "name" | "properties" | "senderSettlementMode" | "target">;
  readonly signal?: AbortSignal;
}

/** A request without an answer. */
interface Open {
  readonly answer: Deferred<MessageView>;
  /** Takes the request back while it waits. */
  readonly abort: AbortController;
  timer: Timer | null;
}

/** Sends requests to one address and finds their answers, made by `AmqpSession.createRequester`. */
export class AmqpRequester {
  readonly #session: AmqpSession;
  readonly #options: RequesterOptions;
  readonly #timeoutMs: number;
  readonly #requestsMax: number;
  readonly #prefix: string;
  readonly #open = new Map<string, Open>();
  #sender: AmqpSender | null = null;
  #receiver: AmqpReceiver | null = null;
  #next = 0;
  #stop: () => void = noop;

  /** For the session. @throws {MessagingError} ERR_INVALID_OPTIONS */
  constructor(session: AmqpSession, options: RequesterOptions) {
    this.#session = session;
    this.#options = options;
    this.#prefix = randomName(session.core.platform);
    const time = { from: 0, to: 2_147_483_647, otherwise: 30_000 };
    this.#timeoutMs = wholeNumber("timeoutMs", options.timeoutMs, time);
    this.#requestsMax = wholeNumber("requestsMax", options.requestsMax, { from: 1, to: 65_535, otherwise: 1_024 });
  }

  /** Where answers come to; another one after each reconnect, with a dynamic node. */
  get replyTo(): string | null {
    return this.#options.replyTo ?? this.#receiver?.address ?? null;
  }

  /** Requests without an answer. */
  get openRequests(): number {
    return this.#open.size;
  }

  /** For the session: attaches both links. */
  async open(address: string | null): Promise<this> {
    const { source = { dynamic: true }, signal } = this.#options;
    const within = signal === undefined ? {} : { signal };
    const receiver = await this.#session.createReceiver(null, { ...this.#options.receiver, source, ...within });
    try {
      const sender = { whenConnectionLost: "fail", ...this.#options.sender, ...within } as const;
      this.#sender = await this.#session.createSender(address, sender);
    } catch (error) {
      receiver.close().catch(noop);
      throw error;
    }
    this.#receiver = receiver;
    // Answers to what was asked before come to a node that is gone.
    this.#stop = this.#session.core.events.on("connectionLost", (event) => this.#failAll(event.error));
    void this.#listen(receiver);
    void this.#sender.closed.then((error) => this.#failAll(error ?? over()));
    return this;
  }

  /**
   * Sends a request and resolves with its answer, which has been accepted: the message whose correlation-id is the request's message-id.
   * @throws {MessagingError} ERR_TIMEOUT, ERR_ABORTED, ERR_CONNECTION_LOST and other ends of connection, session and links: the request may have been
   *   answered; ERR_NOT_CONNECTED while the connection is being made again; ERR_OUTBOUND_BACKPRESSURE with too many requests; the errors of `AmqpSender.send`
   */
  async request(
    message: MessageInput,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<MessageView> {
    const { signal, timeoutMs = this.#timeoutMs } = options;
    const sender = this.#ready();
    if (signal?.aborted) throw abortedError(signal);
    const id = `${this.#prefix}-${this.#next++}`;
    const open: Open = { answer: deferred(), abort: new AbortController(), timer: null };
    this.#open.set(id, open);
    const release = onAbort(signal, () => this.#fail(id, abortedError(signal as AbortSignal)));
    if (timeoutMs > 0) open.timer = this.#session.core.clock.setTimer(timeoutMs, () => this.#fail(id, late(timeoutMs)));
    // The same as correlation id: a queue that names its messages by itself leaves only that.
    const properties = { correlationId: id, ...message.properties, messageId: id, replyTo: this.replyTo };
    sender
      .send({ ...message, properties }, { signal: open.abort.signal })
      .catch((error: unknown) => this.#fail(id, error as Error));
    try {
      return await open.answer.promise;
    } finally {
      release();
      open.timer?.cancel();
      this.#open.delete(id);
    }
  }

  /** Closes both links; what is open rejects. */
  async close(): Promise<void> {
    this.#stop();
    this.#failAll(over());
    await Promise.all([this.#sender?.close(), this.#receiver?.close()]);
  }

  /** Closes the requester, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ready(): AmqpSender {
    const sender = this.#sender;
    const receiver = this.#receiver;
    const reason = sender?.life.reason ?? receiver?.life.reason;
    if (reason) throw reason;
    if (sender?.state !== "open" || receiver?.state !== "open") {
      throw new MessagingError("ERR_NOT_CONNECTED", "the links of the requester are not open");
    }
    if (this.#open.size >= this.#requestsMax) {
      throw new MessagingError("ERR_OUTBOUND_BACKPRESSURE", `${this.#open.size} requests have no answer`);
    }
    return sender;
  }

  async #listen(receiver: AmqpReceiver): Promise<void> {
    try {
      for await (const delivery of receiver) {
        // A lost connection makes the settlement stale, not the answer.
        delivery.accept().catch(noop);
        const id = textOf(delivery.message.properties?.correlationId);
        this.#open.get(id)?.answer.resolve(delivery.message);
      }
      this.#failAll(over());
    } catch (error) {
      this.#failAll(error as Error);
    }
  }

  #fail(id: string, error: Error): void {
    const open = this.#open.get(id);
    open?.answer.reject(error);
    open?.abort.abort();
  }

  #failAll(error: Error): void {
    for (const id of [...this.#open.keys()]) this.#fail(id, error);
  }
}

function textOf(id: AmqpValue | undefined): string {
  return id === undefined || id === null ? "" : String(plain(id));
}

function over(): MessagingError {
  return new MessagingError("ERR_LINK_DETACHED", "the requester is closed");
}

function late(timeoutMs: number): MessagingError {
  return new MessagingError("ERR_TIMEOUT", `no answer within ${timeoutMs} ms`);
}
