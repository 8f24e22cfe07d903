// Hot path: `#read` runs per message. No closure, promise, spread, iterator or regex on its usual way.
import { SenderSettleMode } from "polymq/amqp10/codec";
import { isMessagingError } from "polymq/internal";
import { hostedName } from "../../core/queues/hosted-name.ts";
import type { QueueMessage } from "../../core/queues/queue-message.ts";
import type { Deadline } from "../../core/schedule.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { EngineSender, OutgoingLink, PeerState, Sent, SentItem } from "./amqp10-types.ts";
import { terminalState } from "./outcomes.ts";
import type { Selects } from "./selection.ts";
import { sendDelivery } from "./send-delivery.ts";

/** Messages that are read at a time. */
const STEP = 64;

/** How often a reader with credit that has seen all looks for more. */
const LOOK_MS = 500;

/** What a reader asks for. */
export interface BrowseTerms {
  readonly queue: string;
  readonly isStamped: boolean;
  /** Decides whether a message comes. Null: all come. */
  readonly selects: Selects | null;
}

/** A link on which a client reads a queue without taking anything from it: each message that nobody has settled yet, once, in the order of the log. */
export class BrowseSource implements OutgoingLink, SentItem {
  readonly #connection: Amqp10Connection;
  readonly #link: EngineSender;
  readonly #terms: BrowseTerms;
  readonly #isSettled: boolean;
  /** The next offset to read. */
  #cursor = 0;
  #look: Deadline | null = null;
  #isOver = false;

  constructor(connection: Amqp10Connection, link: EngineSender, terms: BrowseTerms) {
    this.#connection = connection;
    this.#link = link;
    this.#terms = terms;
    const { state } = link;
    this.#isSettled = state.is === "offered" && state.attach.sndSettleMode === SenderSettleMode.settled;
  }

  start(): void {
    this.#read();
    this.#link.answerDrain();
  }

  /** Whatever the client says, the message is not its own; who does not settle is told that it is settled. */
  onOutcome(delivery: Sent, state: PeerState, settled: boolean): void {
    if (!settled && terminalState(state) !== null) this.#link.settle(delivery, terminalState(state));
  }

  onCredit(): void {
    this.#read();
  }

  wake(): void {
    this.#read();
  }

  end(): void {
    this.#isOver = true;
    this.#look?.cancel();
    this.#look = null;
  }

  #room(): number {
    if (this.#isOver || this.#link.queued > 0 || this.#connection.wire.congested) return 0;
    return this.#link.credit;
  }

  #read(): void {
    const { hub } = this.#connection.context;
    const name = hostedName(this.#connection.host.name, this.#terms.queue);
    while (this.#room() > 0) {
      if (!hub.queues.has(name)) return;
      const found = hub.queues.peek(name, this.#cursor, Math.min(STEP, this.#room()));
      if (found.length === 0) return this.#lookLater();
      for (let i = 0; i < found.length && this.#room() > 0; i++) this.#send(found[i] as QueueMessage);
    }
  }

  #lookLater(): void {
    if (this.#look !== null) return;
    this.#look = this.#connection.context.hub.schedule.after(LOOK_MS, () => {
      this.#look = null;
      this.#read();
    });
  }

  #send(message: QueueMessage): void {
    const { messages, hub, metrics } = this.#connection.context;
    const { offset } = message;
    this.#cursor = offset + 1;
    const { queue, isStamped, selects } = this.#terms;
    if (selects !== null && !selects(message)) return;
    const delivery = { queue, group: "", offset, message, ticket: 0, deliveryCount: 0, stream: null, note: null };
    const epochMs = hub.clock.epochMs();
    try {
      const bytes = isStamped ? messages.stamped(delivery, epochMs) : messages.plain(delivery, epochMs);
      sendDelivery(this.#link, bytes, this, { settled: this.#isSettled });
    } catch (error) {
      if (isMessagingError(error)) metrics.messagesTooLarge++;
      else metrics.internalErrors++;
      return;
    }
    hub.statistics.messagesOut++;
    hub.statistics.bytesOut += message.payload.length;
  }
}
