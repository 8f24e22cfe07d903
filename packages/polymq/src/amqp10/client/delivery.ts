// Hot path: made per received message. No closure, promise, spread, iterator or regex here.
import { MessagingError } from "../../base/errors.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { MessageView } from "../codec/message-view.ts";
import type { DeliveryStateInput } from "../codec/tables.ts";
import type { MapInput } from "../codec/values.ts";
import type { ReceivedDelivery } from "../engine/deliveries.ts";
import { type ErrorDetails, errorInput } from "./outcomes.ts";
import type { ClientOwners } from "./owners.ts";
import type { AmqpReceiver } from "./receiver.ts";
import type { AmqpTransaction } from "./transactions/transaction.ts";

/** How a message is settled. */
export interface SettleOptions {
  /** Settles it in a transaction of this connection: the outcome holds once that is committed (§4.4.2). */
  readonly transaction?: AmqpTransaction;
}

/** What `modify` says of a message (§3.4.5). */
export interface ModifyOptions extends SettleOptions {
  /** Counts the delivery as a failed one. Default false. */
  readonly deliveryFailed?: boolean;
  /** Do not send it to this link again. Default false. */
  readonly undeliverableHere?: boolean;
  /** Merged into the message's annotations. */
  readonly messageAnnotations?: MapInput;
}

/** A message that came, until it is settled. Its bytes are views of what was received: copy what is kept long. */
export class AmqpDelivery {
  readonly receiver: AmqpReceiver;
  readonly #inner: ReceivedDelivery<ClientOwners>;
  readonly #text: TextCodec;
  readonly #presettled: boolean;
  #message: MessageView | null = null;

  /** For the receiver. */
  constructor(receiver: AmqpReceiver, inner: ReceivedDelivery<ClientOwners>, text: TextCodec) {
    this.receiver = receiver;
    this.#inner = inner;
    this.#text = text;
    this.#presettled = inner.settled;
  }

  /** The message's sections; each is read when it is asked for, and one that is malformed throws then (ERR_MALFORMED_PACKET). */
  get message(): MessageView {
    this.#message ??= new MessageView(this.#text, this.#inner.payload);
    return this.#message;
  }

  get deliveryTag(): Uint8Array {
    return this.#inner.tag;
  }

  get messageFormat(): number {
    return this.#inner.messageFormat;
  }

  /** True when it is settled: by us, or by the server, which need not hear of it then. */
  get settled(): boolean {
    return this.#inner.settled;
  }

  /** True when the server sent it settled: accept and the others do nothing then. */
  get presettled(): boolean {
    return this.#presettled;
  }

  /**
   * The message is dealt with. Resolves at once, with mode `second` when the server has settled.
   * @throws {MessagingError} ERR_ALREADY_SETTLED, ERR_STALE_DELIVERY when its link is over (the server may deliver it again), and with mode `second` when the
   *   server settles with another outcome, for ours came too late (its reason in `peer`);
   *   ERR_TRANSACTION_ENDED and ERR_TRANSACTION_ROLLED_BACK for a transaction that is over
   */
  accept(options: SettleOptions = NO_OPTIONS): Promise<void> {
    return this.receiver.settle(this, ACCEPTED, options.transaction);
  }

  /** The message is wrong, for good (§3.4.3). Otherwise as {@link AmqpDelivery.accept}. */
  reject(error: ErrorDetails | null = null, options: SettleOptions = NO_OPTIONS): Promise<void> {
    return this.receiver.settle(this, { type: "rejected", error: errorInput(error) }, options.transaction);
  }

  /** The message was not dealt with and may go to anybody (§3.4.4). Otherwise as {@link AmqpDelivery.accept}. */
  release(options: SettleOptions = NO_OPTIONS): Promise<void> {
    return this.receiver.settle(this, RELEASED, options.transaction);
  }

  /** The message was not dealt with, and is to be changed before it goes to somebody (§3.4.5). Otherwise as {@link AmqpDelivery.accept}. */
  modify(options: ModifyOptions = {}): Promise<void> {
    const { deliveryFailed = false, undeliverableHere = false, messageAnnotations = null, transaction } = options;
    const state = { type: "modified", deliveryFailed, undeliverableHere, messageAnnotations } as const;
    return this.receiver.settle(this, state, transaction);
  }

  /** For the receiver: says the outcome; true when that is all, false when the server has to settle first. */
  say(state: DeliveryStateInput): boolean {
    const inner = this.#inner;
    if (this.#presettled) return true;
    if (inner.settled || inner.said !== null) {
      throw new MessagingError("ERR_ALREADY_SETTLED", "the message is settled already");
    }
    if (!inner.link.settle(inner, state)) {
      throw new MessagingError("ERR_STALE_DELIVERY", "the link that brought the message is over");
    }
    return inner.settled;
  }

  /** For the receiver: the engine's own. */
  get inner(): ReceivedDelivery<ClientOwners> {
    return this.#inner;
  }
}

const NO_OPTIONS: SettleOptions = Object.freeze({});
const ACCEPTED: DeliveryStateInput = Object.freeze({ type: "accepted" });
const RELEASED: DeliveryStateInput = Object.freeze({ type: "released" });
