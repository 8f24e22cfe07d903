import rhea, { type Connection, type Delivery, type EventContext, type Message, type Sender } from "rhea";

/** A small broker on rhea: queues by name, a dynamic node for whoever asks, and nothing at `refused/...`. */
export class RheaBroker {
  readonly #container = rhea.create_container();
  readonly #queues = new Map<string, { readonly waiting: Message[]; readonly senders: Set<Sender> }>();
  readonly #connections = new Set<Connection>();
  /** What each link has sent and its receiver has not settled. */
  readonly #unsettled = new Map<Sender, Map<Delivery, Message>>();
  readonly #addresses = new Map<Sender, string>();
  #server: { close(done: () => void): void } | null = null;
  #count = 0;

  /** Listens on a free port of 127.0.0.1. */
  async listen(): Promise<number> {
    const container = this.#container;
    container.on("connection_open", ({ connection }: EventContext) => this.#connections.add(connection));
    container.on("disconnected", ({ connection }: EventContext) => this.#onLost(connection));
    container.on("accepted", (context: EventContext) => this.#settled(context));
    container.on("rejected", (context: EventContext) => this.#settled(context));
    container.on("sender_open", ({ sender }: EventContext) => this.#onReceiver(sender as Sender));
    container.on("receiver_open", ({ receiver }: EventContext) => {
      if (receiver === undefined) return;
      const { address } = receiver.target;
      if (String(address).startsWith("refused/"))
        receiver.close({ condition: "amqp:not-found", description: "no node" });
      else receiver.set_target({ address } as never);
    });
    container.on("message", ({ message, receiver }: EventContext) => {
      if (message === undefined || receiver === undefined) return;
      const address = receiver.target.address ?? message.to;
      this.#queue(String(address)).waiting.push(message);
      this.#dispatch(String(address));
    });
    container.on("sendable", ({ sender }: EventContext) => this.#dispatch(this.#addresses.get(sender as Sender) ?? ""));
    container.on("released", (context: EventContext) => this.#again(context));
    container.on("modified", (context: EventContext) => this.#again(context));
    container.on("sender_close", ({ sender }: EventContext) => this.#forget(sender as Sender));
    container.on("error", () => undefined);
    const server = container.listen({ host: "127.0.0.1", port: 0 } as never) as unknown as {
      close(done: () => void): void;
      address(): { readonly port: number };
      once(event: string, listener: () => void): void;
    };
    this.#server = server;
    await new Promise<void>((resolve) => server.once("listening", resolve));
    return server.address().port;
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await new Promise<void>((resolve) => this.#server?.close(resolve));
  }

  #queue(address: string): { readonly waiting: Message[]; readonly senders: Set<Sender> } {
    const found = this.#queues.get(address) ?? { waiting: [], senders: new Set<Sender>() };
    this.#queues.set(address, found);
    return found;
  }

  #onReceiver(sender: Sender): void {
    const address = sender.source.dynamic ? `dynamic-${++this.#count}` : String(sender.source.address);
    sender.set_source({ address } as never);
    this.#queue(address).senders.add(sender);
    this.#unsettled.set(sender, new Map());
    this.#addresses.set(sender, address);
  }

  #dispatch(address: string): void {
    const { waiting, senders } = this.#queue(address);
    for (const sender of senders) {
      while (waiting.length > 0 && sender.sendable()) {
        const message = waiting.shift() as Message;
        this.#unsettled.get(sender)?.set(sender.send(message), message);
      }
    }
  }

  /** Takes the message of a delivery that was settled. */
  #settled({ delivery, sender }: EventContext): Message | undefined {
    const held = this.#unsettled.get(sender as Sender);
    const message = held?.get(delivery as Delivery);
    held?.delete(delivery as Delivery);
    return message;
  }

  #again(context: EventContext): void {
    const message = this.#settled(context);
    const address = this.#addresses.get(context.sender as Sender);
    if (message === undefined || address === undefined) return;
    this.#queue(address).waiting.unshift(message);
    this.#dispatch(address);
  }

  #onLost(connection: Connection): void {
    this.#connections.delete(connection);
    for (const sender of this.#unsettled.keys()) if (sender.connection === connection) this.#forget(sender);
  }

  /** What a link leaves unsettled goes back to its queue. */
  #forget(sender: Sender): void {
    const left = [...(this.#unsettled.get(sender)?.values() ?? [])];
    this.#unsettled.delete(sender);
    this.#addresses.delete(sender);
    for (const [address, { waiting, senders }] of this.#queues) {
      if (!senders.delete(sender)) continue;
      waiting.unshift(...left);
      this.#dispatch(address);
    }
  }
}
