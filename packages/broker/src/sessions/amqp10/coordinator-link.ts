import { type AmqpValue, type DeliveryStateInput, MessageView } from "polymq/amqp10/codec";
import { Deque } from "polymq/internal";
import type { CommitListener } from "../../storage/committer.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { EngineReceiver, Incoming, IncomingLink } from "./amqp10-types.ts";
import { errorFor, Refused } from "./refused.ts";

/** Requests that a client may have under way on one link. */
const REQUESTS_MAX = 100;

/** The coordinator (§4.5): begins and ends transactions by messages that are sent to it. A commit is answered once it is durable. */
export class CoordinatorLink implements IncomingLink, CommitListener {
  readonly #connection: Amqp10Connection;
  readonly #link: EngineReceiver;
  readonly #committing = new Deque<Incoming>();
  #isOver = false;

  constructor(connection: Amqp10Connection, link: EngineReceiver) {
    this.#connection = connection;
    this.#link = link;
  }

  start(): void {
    this.#link.setCredit(REQUESTS_MAX);
  }

  onDelivery(delivery: Incoming): void {
    // Behind everything that was sent before it.
    const { gate } = this.#connection;
    if (gate.isOpen) this.#take(delivery);
    else gate.after(() => this.#take(delivery));
  }

  onSettled(): void {
    this.#giveCredit();
  }

  wake(): void {
    // Nothing here waits for room.
  }

  end(): void {
    this.#isOver = true;
    this.#committing.clear();
    this.#connection.transactions.end(this);
  }

  // CommitListener

  onDurable(): void {
    const delivery = this.#committing.shift();
    if (delivery !== undefined && !this.#isOver) this.#answer(delivery, { type: "accepted" });
  }

  onCommitFailed(): void {
    // Nobody knows whether it is stored: the connection ends with the broker.
  }

  #take(delivery: Incoming): void {
    if (this.#isOver) return;
    try {
      this.#carryOut(delivery);
    } catch (error) {
      if (!(error instanceof Refused)) this.#connection.context.metrics.internalErrors++;
      this.#answer(delivery, { type: "rejected", error: errorFor(error) });
    }
  }

  #carryOut(delivery: Incoming): void {
    const { transactions, context } = this.#connection;
    const request = requestOf(context.text, delivery);
    if (request.is === "declare") {
      return this.#answer(delivery, { type: "declared", txnId: transactions.declare(this) });
    }
    transactions.discharge(request.id, request.fail ? "rollback" : "commit");
    this.#committing.push(delivery);
    context.hub.committer.whenDurable(this, 0);
  }

  #answer(delivery: Incoming, state: DeliveryStateInput): void {
    this.#link.settle(delivery, state);
    if (delivery.settled) this.#giveCredit();
  }

  #giveCredit(): void {
    if (!this.#isOver && this.#link.credit < REQUESTS_MAX / 2) this.#link.setCredit(REQUESTS_MAX);
  }
}

type Request =
  | { readonly is: "declare" }
  | { readonly is: "discharge"; readonly id: AmqpValue; readonly fail: boolean };

function requestOf(text: ConstructorParameters<typeof MessageView>[0], delivery: Incoming): Request {
  try {
    const composite = new MessageView(text, delivery.payload).bodyComposite;
    if (composite?.type === "declare" && composite.globalId === null) return { is: "declare" };
    if (composite?.type === "discharge") {
      return { is: "discharge", id: composite.txnId, fail: composite.fail === true };
    }
  } catch {
    // As below: whatever it is, it is no request.
  }
  throw new Refused("amqp:not-implemented", "a coordinator takes declare, without a global id, and discharge");
}
