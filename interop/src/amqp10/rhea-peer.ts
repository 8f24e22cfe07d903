import rhea, {
  type Connection,
  type Delivery,
  type EventContext,
  type Receiver,
  type ReceiverOptions,
  type Sender,
} from "rhea";
import { Inbox } from "./inbox.ts";
import type {
  Amqp10Peer,
  PeerConnection,
  PeerMessage,
  PeerOutcome,
  PeerReceiver,
  PeerReceiverOptions,
} from "./peer.ts";

/** rhea's options for what a receiver asks for; the same for rhea-promise. */
export function receiverOptions(options: PeerReceiverOptions): ReceiverOptions {
  const { address, credit = 100, group, selector, presettled = false } = options;
  const source = address === null ? { dynamic: true } : { address };
  return {
    source: {
      ...source,
      ...(selector === undefined ? {} : { filter: rhea.filter.selector(selector) }),
    } as NonNullable<ReceiverOptions["source"]>,
    credit_window: 0,
    autoaccept: false,
    ...(presettled ? { snd_settle_mode: 1 } : {}),
    ...(group === undefined ? {} : { properties: { "consumer-group": group } }),
    name: `r${Math.random()}`,
    autosettle: true,
    ...{ credit },
  } as ReceiverOptions;
}

/** Says an outcome over rhea. */
export function settleDelivery(delivery: Delivery, outcome: PeerOutcome): void {
  switch (outcome) {
    case "accepted":
      delivery.accept();
      return;
    case "rejected":
      delivery.reject({ condition: "app:no", description: "not wanted" });
      return;
    case "released":
      delivery.release();
      return;
    case "modified":
      delivery.modified({ delivery_failed: true, undeliverable_here: false });
      return;
    default:
  }
}

class RheaConnection implements PeerConnection {
  readonly #connection: Connection;
  readonly #senders = new Map<string | null, Promise<Sender>>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async send(address: string | null, message: PeerMessage): Promise<PeerOutcome> {
    let opened = this.#senders.get(address);
    if (opened === undefined) {
      opened = this.#sender(address);
      this.#senders.set(address, opened);
    }
    const sender = await opened;
    return new Promise((resolve) => {
      const delivery = sender.send(message as never);
      const outcomes: readonly PeerOutcome[] = ["accepted", "rejected", "released", "modified"];
      for (const outcome of outcomes) {
        const listen = (context: EventContext): void => {
          if (context.delivery !== delivery) return;
          sender.removeListener(outcome, listen);
          resolve(outcome);
        };
        sender.on(outcome, listen);
      }
    });
  }

  async sendSettled(address: string, messages: readonly PeerMessage[]): Promise<void> {
    const sender = await this.#sender(address, 1);
    for (const message of messages) sender.send(message as never);
  }

  receiver(options: PeerReceiverOptions): Promise<PeerReceiver> {
    const receiver = this.#connection.open_receiver(receiverOptions(options));
    const inbox = new Inbox();
    receiver.on("message", ({ message, delivery }: EventContext) => {
      if (message === undefined || delivery === undefined) return;
      inbox.push({ message: message as PeerMessage, settle: (outcome) => settleDelivery(delivery, outcome) });
    });
    receiver.add_credit(options.credit ?? 100);
    return opened(receiver, "receiver", () => ({
      get address(): string {
        return receiver.source.address;
      },
      next: () => inbox.next(),
      get waiting(): number {
        return inbox.waiting;
      },
      close: () => closed(receiver, "receiver"),
    }));
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#connection.once("connection_close", () => resolve());
      this.#connection.close();
    });
  }

  #sender(address: string | null, mode?: 0 | 1): Promise<Sender> {
    const sender = this.#connection.open_sender({
      target: address === null ? {} : { address },
      ...(mode === undefined ? {} : { snd_settle_mode: mode }),
    });
    return new Promise((resolve, reject) => {
      sender.once("sendable", () => resolve(sender));
      sender.once("sender_error", () => reject(new Error(conditionOf(sender.error))));
    });
  }
}

function opened<T>(link: Receiver, kind: "receiver", make: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    link.once(`${kind}_error`, () => reject(new Error(conditionOf(link.error))));
    link.once(`${kind}_open`, () => {
      // A refused attach is answered without the source, and the detach with the reason follows (§2.6.3).
      if (link.source?.address !== undefined && link.source.address !== null) resolve(make());
    });
  });
}

function closed(link: Receiver, kind: "receiver"): Promise<void> {
  return new Promise((resolve) => {
    link.once(`${kind}_close`, () => resolve());
    link.close();
  });
}

/** The condition of what rhea calls an error. */
export function conditionOf(error: unknown): string {
  return typeof error === "object" && error !== null && "condition" in error ? String(error.condition) : String(error);
}

/** rhea, with its events. */
export const rheaPeer: Amqp10Peer = {
  name: "rhea",
  connect: ({ port, username, password }) =>
    new Promise((resolve, reject) => {
      const container = rhea.create_container();
      const login = username === undefined ? {} : { username, password };
      const connection = container.connect({ host: "127.0.0.1", port, reconnect: false, ...login } as never);
      connection.once("connection_open", () => resolve(new RheaConnection(connection)));
      connection.once("connection_error", ({ error }: EventContext) => reject(new Error(conditionOf(error))));
      connection.once("disconnected", ({ error }: EventContext) => reject(new Error(conditionOf(error))));
      connection.on("error", () => undefined);
    }),
};
