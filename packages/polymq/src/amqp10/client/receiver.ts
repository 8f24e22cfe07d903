// Hot path: `onDelivery`, `receive` and `settle` run per message.
import { abortedError, onAbort, raceAbort, throwIfAborted } from "../../base/abort.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { ReceiverSettleMode, SenderSettleMode } from "../codec/conditions.ts";
import type { Composite, DeliveryStateInput, Source } from "../codec/tables.ts";
import type { AmqpMap } from "../codec/values.ts";
import type { ReceivedDelivery } from "../engine/deliveries.ts";
import type { ReceiverLink } from "../engine/receiver-link.ts";
import type { Session } from "../engine/session.ts";
import { addressText, ClientLink, type LinkQuirks, modeRefused } from "./client-link.ts";
import { AmqpDelivery, type ModifyOptions, type SettleOptions } from "./delivery.ts";
import type { ReceiverOptions } from "./options.ts";
import { type ErrorDetails, type Outcome, refusedOutcome, withoutTransaction } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import { isRabbitMq3 } from "./peer.ts";
import { BatchWaiter, OneWaiter, type ReceiveWaiter } from "./receive-waiter.ts";
import type { AmqpSession } from "./session.ts";
import { TIME_MAX_MS, wholeNumber } from "./settings.ts";
import { sourceOf, targetOf } from "./termini.ts";
import { traceDelivery, traceSettled } from "./traces.ts";
import type { AmqpTransaction } from "./transactions/transaction.ts";

/** Credit of a receiver where nothing else was said. */
const CREDIT = 256;

/** A link to receive on, made by `AmqpSession.createReceiver`. */
export class AmqpReceiver extends ClientLink implements AsyncIterable<AmqpDelivery> {
  readonly #options: ReceiverOptions;
  /** Automatic credit; 0 for manual. */
  readonly #window: number;
  #link: ReceiverLink<ClientOwners> | null = null;
  readonly #buffer = new Deque<AmqpDelivery>();
  readonly #waiters = new Deque<ReceiveWaiter>();
  /** Deliveries of which the server may say more: all of mode second, and with `onDeliveryState`. */
  readonly #settling = new Map<ReceivedDelivery<ClientOwners>, Deferred<void>>();
  #drained: Deferred<void> | null = null;
  /** Manual credit to be given when the connection is back. */
  #creditOwed = 0;
  #stopped = false;

  /** For the session. @throws {MessagingError} ERR_INVALID_OPTIONS */
  constructor(session: AmqpSession, address: string | null, options: ReceiverOptions, quirks: LinkQuirks = {}) {
    super(session, address, options, quirks);
    this.#options = options;
    const { credit = CREDIT } = options;
    this.#window =
      credit === "manual" ? 0 : wholeNumber("credit", credit, { from: 1, to: 0x7fff_ffff, otherwise: CREDIT });
  }

  /** Where messages come from: as asked for, or as the server named a dynamic node. */
  override get address(): string | null {
    return addressText(this.#source()?.address ?? null);
  }

  /** The filters that the server confirmed, as it did. */
  get filters(): AmqpMap | null {
    return this.#source()?.filter ?? null;
  }

  /** Names of filters that were asked for and that the server did not confirm (§3.5.8). */
  get ignoredFilters(): readonly string[] {
    return this.#ignored(this.#source()?.filter ?? null);
  }

  /** Messages that have come and that nobody has taken. */
  get bufferedMessages(): number {
    return this.#buffer.length;
  }

  /**
   * The next message; waits until there is one. What came before the link ended is still given.
   * @throws {MessagingError} ERR_ABORTED, and the error that ended link, session or connection
   */
  receive(options?: { readonly signal?: AbortSignal | undefined }): Promise<AmqpDelivery>;
  /**
   * The next `max` messages, or as many as have come after `timeoutMs` (default: no limit; 0: what is here), perhaps none.
   * @throws {MessagingError} as the other form, when the link is over and nothing had come; ERR_INVALID_ARGUMENT
   */
  receive(options: {
    readonly max: number;
    readonly timeoutMs?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<AmqpDelivery[]>;
  receive(
    options: {
      readonly max?: number;
      readonly timeoutMs?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<AmqpDelivery | AmqpDelivery[]> {
    const { max, timeoutMs, signal } = options;
    if (max !== undefined) return this.#receiveBatch(max, timeoutMs, signal);
    if (signal?.aborted) return Promise.reject(abortedError(signal));
    const delivery = this.prefetched();
    if (delivery !== null) return Promise.resolve(delivery);
    if (this.life.reason !== null) return Promise.reject(this.life.reason);
    const waiter = new OneWaiter();
    this.#waiters.push(waiter);
    if (signal !== undefined) waiter.release = onAbort(signal, () => this.#abort(waiter, abortedError(signal)));
    return waiter.promise;
  }

  /** The next message if it has come already, else null. */
  prefetched(): AmqpDelivery | null {
    const delivery = this.#buffer.shift();
    if (delivery === undefined) return null;
    this.#refill();
    return delivery;
  }

  /** Iterates over messages until the link is over: to the end when we closed it, else with its error. Leaving the loop leaves the link open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<AmqpDelivery, void, undefined> {
    for (;;) {
      let delivery: AmqpDelivery;
      try {
        delivery = await this.receive();
      } catch (error) {
        if (this.life.state === "closed" && this.life.error === null) return;
        throw error;
      }
      yield delivery;
    }
  }

  /** See {@link AmqpDelivery.accept}. */
  accept(delivery: AmqpDelivery, options: SettleOptions = {}): Promise<void> {
    return delivery.accept(options);
  }

  /** See {@link AmqpDelivery.reject}. */
  reject(delivery: AmqpDelivery, error: ErrorDetails | null = null, options: SettleOptions = {}): Promise<void> {
    return delivery.reject(error, options);
  }

  /** See {@link AmqpDelivery.release}. */
  release(delivery: AmqpDelivery, options: SettleOptions = {}): Promise<void> {
    return delivery.release(options);
  }

  /** See {@link AmqpDelivery.modify}. */
  modify(delivery: AmqpDelivery, options: ModifyOptions = {}): Promise<void> {
    return delivery.modify(options);
  }

  /**
   * With `credit: "manual"`: so many more messages may come. Credit that was not used when the connection was lost is given again when it is back.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT with automatic credit, while draining, and for what is no count; ERR_NOT_CONNECTED
   */
  issueCredit(count: number): void {
    const lost = this.life.state === "reconnecting";
    const link = lost ? null : this.#manual();
    const now = link?.credit ?? this.#creditOwed;
    if (!Number.isInteger(count) || count < 1 || now + count > 0x7fff_ffff) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", "credit is a whole number from 1 to 2,147,483,647");
    }
    if (this.#drained !== null) throw new MessagingError("ERR_INVALID_ARGUMENT", "credit is being drained");
    if (link === null) this.#creditOwed += count;
    else link.addCredit(count);
  }

  /**
   * With `credit: "manual"`: asks for what is there within the credit, and takes the rest back. Resolves when all has come.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT with automatic credit and while draining, ERR_ABORTED (the draining goes on), and the error
   *   that ended link, session or connection
   */
  async drainCredit(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const link = this.#manual();
    throwIfAborted(options.signal);
    if (this.#drained !== null) throw new MessagingError("ERR_INVALID_ARGUMENT", "credit is being drained already");
    if (link.credit === 0) return;
    const drained = deferred<void>();
    this.#drained = drained;
    link.drain();
    await raceAbort(drained.promise, options.signal);
  }

  /** For the session. */
  override attach(session: Session<ClientOwners>): void {
    const options = this.#options;
    const link = session.attachReceiver(
      {
        ...this.attachFields(options),
        sndSettleMode: SenderSettleMode[options.senderSettlementMode ?? "mixed"],
        rcvSettleMode: ReceiverSettleMode[options.settlementMode ?? "first"],
        source: options.source === null ? null : sourceOf(this.askedAddress, options.source),
        target: targetOf(null, options.target),
        maxMessageSize: options.maxMessageSize ?? null,
      },
      this,
    );
    link.lenient = this.quirks.lenient === true || isRabbitMq3(this.session.core.peer);
    this.#link = link;
  }

  /** For subscriptions: asks for no more; what is on its way still comes. */
  stop(): void {
    this.#stopped = true;
    const link = this.#link;
    if (link === null || this.life.state !== "open") return;
    link.lenient = true;
    link.setCredit(0);
  }

  /** What nobody has taken goes back first, else the server would count it as delivered; without credit, else it would come here again. */
  override leave(): void {
    const link = this.#link;
    if (link === null || this.life.state !== "open" || this.#buffer.length === 0) return;
    link.setCredit(0);
    link.sendFlow();
    for (let left = this.#buffer.length; left > 0; left--) {
      const delivery = this.#buffer.shift() as AmqpDelivery;
      if (delivery.presettled) this.#buffer.push(delivery);
      else delivery.release().catch(noop);
    }
  }

  /** For transactions: what was settled leaves before whatever is sent next. */
  flushSettlements(): void {
    if (this.life.state === "open") this.engineLink.session.flushLink();
  }

  /** For deliveries. */
  settle(delivery: AmqpDelivery, outcome: DeliveryStateInput, transaction?: AmqpTransaction): Promise<void> {
    try {
      transaction?.check();
      if (delivery.say(transaction === undefined ? outcome : transaction.stateOf(this, outcome))) {
        const told = this.session.core.tracer.settle.hasSubscribers && !delivery.presettled;
        if (told) traceSettled(this, delivery.inner, outcome, null);
        return DONE;
      }
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const settled = deferred<void>();
    this.#settling.set(delivery.inner, settled);
    return settled.promise;
  }

  /** For the connection: a message came. */
  onDelivery(inner: ReceivedDelivery<ClientOwners>): void {
    const { text, tracer } = this.session.core;
    if (tracer.deliver.hasSubscribers) traceDelivery(this, inner);
    const delivery = new AmqpDelivery(this, inner, text);
    const waiter = this.#waiters.peek();
    if (waiter === undefined) {
      this.#buffer.push(delivery);
      return;
    }
    if (waiter.take(delivery)) this.#waiters.shift();
    this.#refill();
  }

  /** For the connection: the server said something of a message that we have not settled for good. */
  onSettled(inner: ReceivedDelivery<ClientOwners>, state: Outcome | null, settled: boolean): void {
    const settling = this.#settling.get(inner);
    if (settling !== undefined && settled) {
      this.#settling.delete(inner);
      const refusal = refusedOutcome(inner.said, state);
      const said = withoutTransaction(inner.said);
      if (said !== null && this.session.core.tracer.settle.hasSubscribers) traceSettled(this, inner, said, refusal);
      return refusal === null ? settling.resolve() : settling.reject(refusal);
    }
    const { onDeliveryState } = this.#options;
    if (onDeliveryState === undefined) return;
    this.session.core.tell("onDeliveryState", () =>
      onDeliveryState(inner.tag, state, settled ? "settled" : "unsettled"),
    );
  }

  /** For the connection. */
  onDrained(): void {
    const drained = this.#drained;
    this.#drained = null;
    drained?.resolve();
  }

  protected override get engineLink(): ReceiverLink<ClientOwners> {
    if (this.#link === null) throw new MessagingError("ERR_NOT_CONNECTED", "the link is not attached");
    return this.#link;
  }

  protected override disagreement(attach: Composite<"attach">): MessagingError | null {
    const { settlementMode, senderSettlementMode, whenFilterIgnored } = this.#options;
    if (settlementMode !== undefined && attach.rcvSettleMode !== ReceiverSettleMode[settlementMode]) {
      return modeRefused("receiver settlement mode");
    }
    if (senderSettlementMode !== undefined && attach.sndSettleMode !== SenderSettleMode[senderSettlementMode]) {
      return modeRefused("sender settlement mode");
    }
    if (whenFilterIgnored !== "fail") return null;
    const ignored = this.#ignored((attach.source as Source | null)?.filter ?? null);
    return ignored.length === 0 ? null : modeRefused(`filters ${ignored.join(", ")}`);
  }

  protected override get self(): AmqpReceiver {
    return this;
  }

  protected override opened(): void {
    const credit = this.#window > 0 ? this.#window - this.#buffer.length : this.#creditOwed;
    this.#creditOwed = 0;
    if (credit > 0 && !this.#stopped) this.engineLink.setCredit(credit);
  }

  /** The server delivers again what is unsettled: what nobody has taken leaves the buffer, and what is in hand cannot be settled any more. */
  protected override suspended(reason: MessagingError): void {
    const settled: AmqpDelivery[] = [];
    let dropped = 0;
    for (let each = this.#buffer.shift(); each !== undefined; each = this.#buffer.shift()) {
      if (each.presettled) settled.push(each);
      else dropped++;
    }
    for (const each of settled) this.#buffer.push(each);
    dropped += this.#waiters.peek()?.lost() ?? 0;
    if (this.#window === 0 && this.#drained === null) this.#creditOwed += this.engineLink.creditLeft + dropped;
    this.#failSettling(reason);
  }

  protected override over(reason: MessagingError): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) waiter.fail(reason);
    this.#failSettling(reason);
  }

  #failSettling(reason: MessagingError): void {
    for (const settling of this.#settling.values()) settling.reject(reason);
    this.#settling.clear();
    this.#drained?.reject(reason);
    this.#drained = null;
  }

  #source(): Source | null {
    return this.remote.source as Source | null;
  }

  #ignored(confirmed: AmqpMap | null): string[] {
    const names = (this.#options.source?.filters ?? []).map((filter) => filter.name);
    return names.filter((name) => confirmed === null || !confirmed.has(name));
  }

  /** Asks for more once half of the window is taken. */
  #refill(): void {
    const link = this.#link;
    if (this.#window === 0 || link === null || this.#stopped || this.life.state !== "open") return;
    const ours = link.credit + this.#buffer.length;
    if (ours <= this.#window >> 1) link.setCredit(this.#window - this.#buffer.length);
  }

  #manual(): ReceiverLink<ClientOwners> {
    if (this.#window > 0) throw new MessagingError("ERR_INVALID_ARGUMENT", "this receiver's credit is automatic");
    if (this.life.state !== "open") {
      throw this.life.reason ?? new MessagingError("ERR_NOT_CONNECTED", "the link is being closed");
    }
    return this.engineLink;
  }

  async #receiveBatch(
    max: number,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AmqpDelivery[]> {
    if (!Number.isInteger(max) || max < 1) throw new MessagingError("ERR_INVALID_ARGUMENT", "max is at least 1");
    if (timeoutMs !== undefined && !(timeoutMs >= 0 && timeoutMs <= TIME_MAX_MS)) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", "timeoutMs is no time that can be waited for");
    }
    throwIfAborted(signal);
    const waiter = new BatchWaiter(max);
    for (let next = this.prefetched(); next !== null; next = this.prefetched()) {
      if (waiter.take(next)) return waiter.promise;
    }
    if (timeoutMs === 0) waiter.done();
    else if (this.life.reason !== null) waiter.fail(this.life.reason);
    else this.#waitForBatch(waiter, timeoutMs, signal);
    return waiter.promise;
  }

  #waitForBatch(waiter: BatchWaiter, timeoutMs: number | undefined, signal: AbortSignal | undefined): void {
    this.#waiters.push(waiter);
    const timer =
      timeoutMs === undefined
        ? null
        : this.session.core.clock.setTimer(timeoutMs, () => {
            this.#waiters.remove((other) => other === waiter);
            waiter.done();
          });
    const stop = onAbort(signal, () => {
      this.#waiters.remove((other) => other === waiter);
      for (const item of waiter.items.reverse()) this.#buffer.unshift(item);
      waiter.abort(abortedError(signal as AbortSignal));
    });
    waiter.release = () => {
      timer?.cancel();
      stop();
    };
  }

  #abort(waiter: OneWaiter, error: MessagingError): void {
    this.#waiters.remove((other) => other === waiter);
    waiter.fail(error);
  }
}

const DONE: Promise<void> = Promise.resolve();
