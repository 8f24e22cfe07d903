import { type AwaitableSender, Connection } from "rhea-promise";
import { Inbox } from "./inbox.ts";
import type {
  Amqp10Peer,
  PeerConnection,
  PeerMessage,
  PeerOutcome,
  PeerReceiver,
  PeerReceiverOptions,
} from "./peer.ts";
import { conditionOf, receiverOptions, settleDelivery } from "./rhea-peer.ts";

class RheaPromiseConnection implements PeerConnection {
  readonly #connection: Connection;
  readonly #senders = new Map<string | null, Promise<AwaitableSender>>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async send(address: string | null, message: PeerMessage): Promise<PeerOutcome> {
    let opened = this.#senders.get(address);
    if (opened === undefined) {
      opened = this.#connection.createAwaitableSender({ target: address === null ? {} : { address } } as never);
      this.#senders.set(address, opened);
    }
    const sender = await opened;
    while (!sender.sendable()) await new Promise((resolve) => sender.once("sendable" as never, resolve));
    try {
      await sender.send(message as never);
      return "accepted";
    } catch (error) {
      // It tells the outcome by the error's name and text.
      const said = `${(error as Error).name} ${(error as Error).message}`.toLowerCase();
      return (["released", "modified"] as const).find((outcome) => said.includes(outcome)) ?? "rejected";
    }
  }

  async sendSettled(address: string, messages: readonly PeerMessage[]): Promise<void> {
    const sender = await this.#connection.createSender({ target: { address }, snd_settle_mode: 1 });
    while (!sender.sendable()) await new Promise((resolve) => sender.once("sendable" as never, resolve));
    for (const message of messages) sender.send(message as never);
  }

  async receiver(options: PeerReceiverOptions): Promise<PeerReceiver> {
    const inbox = new Inbox();
    let refuse: (error: Error) => void = () => undefined;
    const refused = new Promise<never>((_, reject) => {
      refuse = reject;
    });
    refused.catch(() => undefined);
    const receiver = await this.#connection
      .createReceiver({
        ...(receiverOptions(options) as object),
        onMessage: ({ message, delivery }: { message?: unknown; delivery?: never }) => {
          if (message === undefined || delivery === undefined) return;
          inbox.push({ message: message as PeerMessage, settle: (outcome) => settleDelivery(delivery, outcome) });
        },
        onError: ({ receiver: link }: { receiver?: { error?: unknown } }) =>
          refuse(new Error(conditionOf(link?.error))),
      } as never)
      .catch((error: unknown) => {
        throw new Error(conditionOf(error));
      });
    // A refused attach is answered without the source, and the detach with the reason follows (§2.6.3).
    if (typeof receiver.source?.address !== "string") return refused;
    receiver.addCredit(options.credit ?? 100);
    return {
      address: receiver.source.address,
      next: () => inbox.next(),
      get waiting(): number {
        return inbox.waiting;
      },
      close: () => receiver.close(),
    };
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** rhea-promise, with its promises. */
export const rheaPromisePeer: Amqp10Peer = {
  name: "rhea-promise",
  connect: async ({ port, username, password }) => {
    const login = username === undefined ? {} : { username, password };
    const connection = new Connection({
      host: "127.0.0.1",
      port,
      reconnect: false,
      transport: "tcp",
      ...login,
    } as never);
    await connection.open().catch((error: unknown) => {
      throw new Error(conditionOf(error));
    });
    return new RheaPromiseConnection(connection);
  },
};
