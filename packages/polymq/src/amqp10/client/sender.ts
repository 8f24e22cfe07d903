// Hot path: `send` and `onOutcome` run per message. No closure, spread, iterator or regex in them.
import { abortedError, onAbort } from "../../base/abort.ts";
import { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { copyOf } from "../../bytes/copy.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { ReceiverSettleMode, SenderSettleMode } from "../codec/conditions.ts";
import { DataMessage, encodeMessage, type MessageInput } from "../codec/message.ts";
import type { Composite, CoordinatorInput, Source, TargetInput } from "../codec/tables.ts";
import type { AmqpMap } from "../codec/values.ts";
import type { SentDelivery } from "../engine/deliveries.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import type { Session } from "../engine/session.ts";
import { Backlog, type BacklogEntry } from "./backlog.ts";
import { addressText, ClientLink, type LinkQuirks, modeRefused } from "./client-link.ts";
import { OpenSends } from "./open-sends.ts";
import type { SenderOptions } from "./options.ts";
import { isTerminal, type Outcome, outcomeError, withoutTransaction } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import { PendingSend } from "./pending-send.ts";
import { resumptionOf, unsettledMap } from "./resumption.ts";
import { SendDeadlines } from "./send-deadlines.ts";
import { engineOptions, type SendOptions } from "./send-options.ts";
import { SendReceipt } from "./send-receipt.ts";
import type { AmqpSession } from "./session.ts";
import { wholeNumber } from "./settings.ts";
import { sourceOf, targetOf } from "./termini.ts";
import { traceOutcome, tracePublish } from "./traces.ts";
import type { AmqpTransaction } from "./transactions/transaction.ts";

/** A message to send: its sections, bytes (one data section), or text (a string as the value). */
export type SendableMessage = MessageInput | Uint8Array | string;

/** A link to send on, made by `AmqpSession.createSender`. */
export class AmqpSender extends ClientLink {
  readonly #options: SenderOptions;
  readonly #waitingMessagesMax: number;
  readonly #waitingBytesMax: number;
  #link: SenderLink<ClientOwners> | null = null;
  readonly #backlog = new Backlog();
  /** Finished ones, to be used again. */
  readonly #free: PendingSend[] = [];
  readonly #open = new OpenSends();
  /** Stand in for messages that are bytes or text: the engine reads them inside the call. */
  readonly #dataMessage = new DataMessage();
  readonly #textBody = { type: "value" as const, value: "" };
  readonly #textMessage: MessageInput = { body: this.#textBody };
  #nextReceiptTag = 0;
  readonly #deadlines: SendDeadlines;
  /** Stands for the sender of a settled message that has left. */
  readonly #nobody = new PendingSend();
  /** Whose promise is being made: one executor for all, instead of one for each. */
  #promised: PendingSend = this.#nobody;
  readonly #takeEnd = (resolve: PendingSend["resolve"]): void => {
    this.#promised.resolve = resolve;
  };

  /** For the session. @throws {MessagingError} ERR_INVALID_OPTIONS */
  constructor(session: AmqpSession, address: string | null, options: SenderOptions, quirks: LinkQuirks = {}) {
    super(session, address, options, quirks);
    this.#options = options;
    this.#deadlines = new SendDeadlines(session.core.clock, this.#open);
    const count = { from: 0, to: Number.MAX_SAFE_INTEGER };
    this.#waitingMessagesMax = wholeNumber("waitingMessagesMax", options.waitingMessagesMax, {
      ...count,
      otherwise: 10_000,
    });
    this.#waitingBytesMax = wholeNumber("waitingBytesMax", options.waitingBytesMax, {
      ...count,
      otherwise: 67_108_864,
    });
  }

  /** Where messages go: as asked for, or as the server named a dynamic node. */
  override get address(): string | null {
    const { target } = this.remote;
    return target !== null && "address" in target ? addressText(target.address) : null;
  }

  /** Largest message that the server takes, in bytes; Infinity where it said none. */
  get maxMessageSize(): number {
    return this.engineLink.peerMessageBytesMax;
  }

  /** Messages that wait for credit, the session's window, or the connection. */
  get waitingMessages(): number {
    return (this.#link?.queued ?? 0) + this.#backlog.length;
  }

  /** Messages whose promises are open. */
  get pendingMessages(): number {
    return this.#open.size;
  }

  /** For the relay: resolves once every message has its outcome, or the link is over. */
  idle(): Promise<void> {
    return this.#open.whenEmpty();
  }

  /** True when a message given now leaves in this turn. */
  get sendable(): boolean {
    return this.#link?.sendable ?? false;
  }

  /**
   * Sends a message. Resolves with the server's outcome when it has settled, or with null when a settled message has left. What has no credit waits,
   * up to the sender's bounds, also while the connection is being made again (see `whenConnectionLost`); the message is encoded before the call
   * returns (but see `lent`). Nothing is thrown inside the call.
   * @throws {MessagingError} ERR_PUBLISH_REJECTED with the server's reason, ERR_MESSAGE_RELEASED, ERR_MESSAGE_MODIFIED (see `unaccepted`),
   *   ERR_OUTBOUND_BACKPRESSURE when too much waits, ERR_PACKET_TOO_LARGE above `maxMessageSize`, ERR_INVALID_ARGUMENT for what cannot be
   *   encoded or the link's mode does not allow, ERR_TIMEOUT (see `outcomeTimeoutMs`), ERR_ABORTED, and the error that ended link, session or connection
   */
  send(message: SendableMessage, options: SendOptions = NO_OPTIONS): Promise<Outcome | null> {
    const left = isPlain(options) ? this.#sendNow(message, options) : null;
    if (left !== null) return left;
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    const { transaction } = options;
    if (transaction !== undefined) return this.#sendIn(transaction, message, options);
    const pending = this.#take(options);
    const promise = this.#promise(pending);
    this.#send(message, pending, options);
    return promise;
  }

  /** As {@link AmqpSender.send}, but null, and nothing sent, when the message would have to wait. */
  trySend(message: SendableMessage, options: SendOptions = NO_OPTIONS): Promise<Outcome | null> | null {
    return this.sendable ? this.send(message, options) : null;
  }

  /**
   * Sends a message unsettled and resolves when it has left, with a receipt whose `wait` gives the outcome.
   * @throws {MessagingError} as {@link AmqpSender.send}, as far as it concerns messages that did not leave
   */
  async sendWithReceipt(message: SendableMessage, options: Omit<SendOptions, "settled"> = {}): Promise<SendReceipt> {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusal;
    options.transaction?.check();
    const deliveryTag = options.deliveryTag ?? this.#receiptTag();
    const how = { ...options, settled: false, deliveryTag };
    const pending = this.#take(how);
    const outcome = this.#promise(pending) as Promise<Outcome>;
    pending.reusable = false;
    options.transaction?.sending(outcome, (why) => this.#takeBack(pending, why));
    const receipt = new SendReceipt(deliveryTag, outcome);
    const sent = new Promise<void>((resolve) => {
      pending.onSent = resolve;
    });
    this.#send(message, pending, how);
    await Promise.race([sent, outcome]);
    return receipt;
  }

  /** For the session. */
  override attach(session: Session<ClientOwners>): void {
    const options = this.#options;
    const before = this.#link;
    const link = session.attachSender(
      {
        ...this.attachFields(options),
        sndSettleMode: SenderSettleMode[options.settlementMode ?? "mixed"],
        rcvSettleMode: ReceiverSettleMode[options.receiverSettlementMode ?? "first"],
        source: sourceOf(null, options.source),
        target: this.target,
        ...(before !== null && this.#resumes() ? unsettledMap(this.#backlog.messages) : {}),
      },
      this,
    );
    link.keeps = this.session.core.settings.reconnect !== null && options.whenConnectionLost !== "fail";
    // Tags of messages that are sent again are in use.
    if (before !== null) link.nextTag = before.nextTag;
    this.#link = link;
  }

  /** For the connection: the server said something of a message. */
  onOutcome(delivery: SentDelivery<ClientOwners>, said: Outcome | null, settled: boolean): void {
    const pending = delivery.item;
    const state = pending.transactional ? withoutTransaction(said) : said;
    if (!settled) {
      const { onDeliveryState } = this.#options;
      if (state !== null && onDeliveryState !== undefined) {
        this.session.core.tell("onDeliveryState", () => onDeliveryState(delivery.tag, state));
      }
      // In mode second the receiver waits until we settle, too (§2.6.12).
      if (!isTerminal(state)) return;
      delivery.link.settle(delivery);
    }
    if (this.quirks.ownCredit === true) delivery.link.grant(1);
    const outcome = isTerminal(state) ? (state as Outcome) : this.#unsaid();
    if (this.session.core.tracer.settle.hasSubscribers) traceOutcome(this, delivery, outcome);
    pending.delivery = delivery;
    this.#finish(pending, outcome);
  }

  protected override get engineLink(): SenderLink<ClientOwners> {
    if (this.#link === null) throw new MessagingError("ERR_NOT_CONNECTED", "the link is not attached");
    return this.#link;
  }

  protected override disagreement(attach: Composite<"attach">): MessagingError | null {
    const { settlementMode, receiverSettlementMode } = this.#options;
    if (settlementMode !== undefined && attach.sndSettleMode !== SenderSettleMode[settlementMode]) {
      return modeRefused("sender settlement mode");
    }
    if (receiverSettlementMode !== undefined && attach.rcvSettleMode !== ReceiverSettleMode[receiverSettlementMode]) {
      return modeRefused("receiver settlement mode");
    }
    if (attach.incompleteUnsettled && this.#resumes()) {
      // New deliveries may not follow such a map (§2.6.13), and what it leaves out might have arrived.
      return new MessagingError("ERR_NOT_SUPPORTED_BY_SERVER", "the server's unsettled map is not whole");
    }
    return null;
  }

  /** What is attached to. */
  protected get target(): TargetInput | CoordinatorInput {
    return targetOf(this.askedAddress, this.#options.target);
  }

  protected override get self(): AmqpSender {
    return this;
  }

  protected override opened(): void {
    const unsettled = this.#resumes() ? this.remote.unsettled : null;
    for (let entry = this.#backlog.shift(); entry !== undefined; entry = this.#backlog.shift()) {
      if (unsettled === null || !entry.pending.sent) this.#hand(entry.payload, entry.pending);
      else this.#resume(entry, unsettled);
    }
  }

  /** Whether both ends keep what is unsettled, so that deliveries can be resumed instead of being sent anew. */
  #resumes(): boolean {
    return this.#options.target?.durability === "unsettledState";
  }

  /** A delivery goes on as the server's unsettled map says (§2.6.13). */
  #resume({ pending, payload }: BacklogEntry, unsettled: AmqpMap): void {
    const { how } = pending;
    const then = resumptionOf(this.session.core.text, unsettled, how.tag as Uint8Array);
    if (then === "new") return this.#hand(payload, pending);
    if (then === "again") {
      pending.how = { ...how, rare: { ...how.rare, resume: true } };
      return this.#hand(payload, pending);
    }
    // The server has its outcome, and forgets the delivery when it is told that it is settled.
    const settled = this.engineLink.settleMode !== SenderSettleMode.unsettled;
    const rare = { resume: true, state: "type" in then ? then : null };
    this.engineLink.send(NO_BYTES, new PendingSend(), { ...how, settled, rare });
    this.#finish(pending, then);
  }

  protected override suspended(reason: MessagingError): void {
    const fails = this.#options.whenConnectionLost === "fail";
    this.#backlog.takeOver(this.engineLink, (pending, was) => {
      // A call that was aborted waits for nothing.
      if (pending.abandoned) this.#open.delete(pending);
      else if (pending.transactional || (fails && was === "sent")) this.#drop(pending, reason);
      else return this.#open.has(pending);
      return false;
    });
  }

  /** Nothing that waits is to be sent any more. */
  protected dropWaiting(reason: MessagingError): void {
    for (let entry = this.#backlog.shift(); entry !== undefined; entry = this.#backlog.shift()) {
      this.#drop(entry.pending, reason);
    }
  }

  protected override over(reason: MessagingError): void {
    this.#backlog.clear();
    this.#deadlines.clear();
    for (let pending = this.#open.shift(); pending !== undefined; pending = this.#open.shift()) {
      pending.release();
      pending.fail(reason);
    }
    this.#free.length = 0;
  }

  /** Why nothing can be sent now, or null. */
  #refusal(): MessagingError | null {
    const link = this.#link;
    const { state } = this.life;
    if (link === null || (state !== "open" && state !== "reconnecting")) {
      return this.life.reason ?? new MessagingError("ERR_NOT_CONNECTED", "the link is being closed");
    }
    const backlog = this.#backlog;
    const count = link.queued + backlog.length;
    if (count < this.#waitingMessagesMax && link.queuedBytes + backlog.bytes < this.#waitingBytesMax) return null;
    if (link.sendable) return null;
    const what = state === "open" ? "credit" : "the connection";
    return new MessagingError("ERR_OUTBOUND_BACKPRESSURE", `${count} messages wait for ${what}`);
  }

  #promise(pending: PendingSend): Promise<Outcome | null> {
    this.#promised = pending;
    return new Promise(this.#takeEnd);
  }

  /** An entry for a message. */
  #take(options: SendOptions): PendingSend {
    const pending = this.#free.pop() ?? new PendingSend();
    pending.throws = options.unaccepted !== "return";
    pending.settled = this.#isSettled(options);
    pending.how = engineOptions(options);
    pending.transactional = options.transaction !== undefined;
    pending.timeoutMs = options.outcomeTimeoutMs ?? 0;
    pending.unusual = true;
    return pending;
  }

  async #sendIn(transaction: AmqpTransaction, message: SendableMessage, options: SendOptions): Promise<Outcome | null> {
    transaction.check();
    const pending = this.#take({ ...options, settled: false });
    const promise = this.#promise(pending);
    transaction.sending(promise, (why) => this.#takeBack(pending, why));
    this.#send(message, pending, options);
    return await promise;
  }

  #isSettled(options: SendOptions): boolean {
    return options.settled ?? this.#link?.settleMode === SenderSettleMode.settled;
  }

  /** Sends a message that leaves at once; null, and nothing is done, when it cannot. Nobody has to wait for a settled one. */
  #sendNow(message: SendableMessage, options: SendOptions): Promise<Outcome | null> | null {
    const link = this.#link;
    if (link === null || this.life.state !== "open") return null;
    const how = engineOptions(options);
    const settled = how.settled ?? link.settleMode === SenderSettleMode.settled;
    const pending = settled ? this.#nobody : (this.#free.pop() ?? new PendingSend());
    const sections = this.#sections(message, options);
    let left = false;
    try {
      left = link.sendNow(sections, pending, how, pending.delivery);
    } catch (error) {
      return Promise.reject(error as Error);
    } finally {
      if (!left && !settled) this.#free.push(pending);
    }
    if (!left) return null;
    if (this.session.core.tracer.publish.hasSubscribers) tracePublish(this, link, sections, null);
    if (settled) return LEFT;
    pending.how = how;
    pending.throws = options.unaccepted !== "return";
    this.#open.add(pending);
    return this.#promise(pending);
  }

  #send(message: SendableMessage, pending: PendingSend, options: SendOptions): void {
    const { signal } = options;
    if (signal?.aborted) return pending.fail(abortedError(signal));
    this.#open.add(pending);
    const sections = this.#sections(message, options);
    if (this.life.state === "open") this.#hand(sections, pending);
    else this.#wait(sections, pending);
    if (signal === undefined || !this.#open.has(pending)) return;
    pending.release = onAbort(signal, () => this.#abort(pending, signal));
  }

  /** Gives a message to the engine. */
  #hand(message: MessageInput | Uint8Array, pending: PendingSend): void {
    const link = this.engineLink;
    let left: boolean;
    try {
      left = link.send(message, pending, pending.how);
    } catch (error) {
      return this.#drop(pending, error as Error);
    }
    if (this.session.core.tracer.publish.hasSubscribers) tracePublish(this, link, message, left ? null : pending);
    if (left) pending.onSent?.();
    if (pending.timeoutMs > 0) this.#deadlines.begin(pending, left);
    if (!pending.settled) return;
    if (left) this.#finish(pending, null);
    else pending.onSent = () => this.#finish(pending, null);
  }

  /** Keeps a message until the connection is back. */
  #wait(message: MessageInput | Uint8Array, pending: PendingSend): void {
    try {
      const { text } = this.session.core;
      this.#backlog.push(pending, message instanceof Uint8Array ? copyOf(message) : encodeMessage(text, message));
    } catch (error) {
      this.#drop(pending, error as Error);
    }
  }

  #sections(message: SendableMessage, options: SendOptions): MessageInput | Uint8Array {
    if (message instanceof Uint8Array) {
      if (options.encoded === true) return message;
      this.#dataMessage.body.data = message;
      return this.#dataMessage;
    }
    if (typeof message !== "string") return message;
    this.#textBody.value = message;
    return this.#textMessage;
  }

  #abort(pending: PendingSend, signal: AbortSignal): void {
    if (pending.abandoned || !this.#open.has(pending)) return;
    pending.fail(abortedError(signal));
    if (this.#withdraw(pending)) this.#open.delete(pending);
    else pending.abandoned = true;
  }

  /** What has not left yet does not any more; of what has, the outcome is awaited. */
  #takeBack(pending: PendingSend, why: MessagingError): void {
    if (!pending.abandoned && this.#open.has(pending) && this.#withdraw(pending)) this.#drop(pending, why);
  }

  /** True when a message is not sent any more, false when it has left. */
  #withdraw(pending: PendingSend): boolean {
    return this.#backlog.remove(pending) || this.engineLink.cancel(pending) !== "sent";
  }

  /** The message ends with an error that is no outcome. */
  #drop(pending: PendingSend, error: Error): void {
    if (!this.#open.delete(pending)) return;
    pending.release();
    pending.release = noop;
    pending.fail(error);
  }

  #finish(pending: PendingSend, outcome: Outcome | null): void {
    if (!this.#open.delete(pending)) return;
    if (pending.release !== noop) {
      pending.release();
      pending.release = noop;
    }
    const error = outcome === null || !pending.throws ? null : outcomeError(outcome);
    if (error === null) pending.resolve(outcome);
    else pending.fail(error);
    if (!pending.reusable || this.#free.length >= FREE_MAX) return;
    if (pending.unusual) pending.reset();
    this.#free.push(pending);
  }

  /** What becomes of a message that is settled without an outcome: the source's default (§3.5.3), else nobody is known to have it. */
  #unsaid(): Outcome {
    const source = this.remote.source as Source | null;
    return source?.defaultOutcome ?? { type: "released" };
  }

  /** Eight bytes; the engine's own tags have four. */
  #receiptTag(): Uint8Array {
    const tag = new Uint8Array(8);
    new DataView(tag.buffer).setFloat64(0, this.#nextReceiptTag++);
    return tag;
  }
}

/** Finished entries that a sender keeps. */
const FREE_MAX = 1_024;

/** Whether nothing is asked for but to send it and to wait for its outcome. */
function isPlain({ transaction, signal, outcomeTimeoutMs }: SendOptions): boolean {
  return transaction === undefined && signal === undefined && outcomeTimeoutMs === undefined;
}
const NO_OPTIONS: SendOptions = Object.freeze({});
/** One promise for all settled messages that have left: a promise each was half of their cost. */
const LEFT: Promise<null> = Promise.resolve(null);
