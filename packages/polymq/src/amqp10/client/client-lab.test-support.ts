/** A client over memory against a server that is an engine whose answers the tests write. */

import { type MemoryTransport, memoryPair } from "../../transport/memory.ts";
import { nodePlatform } from "../../transport/node/platform.ts";
import type { Platform } from "../../transport/platform.ts";
import type { TransportHandler } from "../../transport/transport.ts";
import { encodeMessage } from "../codec/message.ts";
import type { ReceivedDelivery } from "../engine/deliveries.ts";
import { message, type Names, Side, text } from "../engine/engine.test-support.ts";
import type { EngineOptions } from "../engine/engine-options.ts";
import type { AnyLink } from "../engine/handler.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import { connectOver } from "./connect.ts";
import type { AmqpConnection } from "./connection.ts";
import type { ConnectOptions } from "./options.ts";

/** The server's side of one connection. */
export class LabServer extends Side implements TransportHandler {
  readonly transport: MemoryTransport;
  /** Links that clients attached, by name. */
  readonly links = new Map<string, AnyLink<Names>>();
  /** Credit that clients' senders get; 0 for none. */
  credit = 100;
  /** What is done with each message. */
  outcome: ((delivery: ReceivedDelivery<Names>) => void) | null = (delivery) =>
    void delivery.link.settle(delivery, { type: "accepted" });

  constructor(transport: MemoryTransport, options: Partial<EngineOptions<Names>>) {
    super({ ...options, role: "server" });
    this.transport = transport;
    this.onOffer = (link) => this.acceptLink(link);
    this.onMessage = (delivery) => this.outcome?.(delivery);
    this.engine.start();
  }

  acceptLink(link: AnyLink<Names>): void {
    this.links.set(link.name, link);
    link.accept();
    if (!link.isSender && this.credit > 0) link.setCredit(this.credit);
  }

  onBytes(chunk: Uint8Array): void {
    this.engine.onBytes(chunk, 0);
    this.push();
  }

  /** Sends what the engine wrote. */
  push(): void {
    const bytes = this.take();
    if (bytes.length > 0) this.transport.write(bytes);
    if (this.engine.over) this.transport.close();
  }

  /** The only link of a client, or the named one. */
  link(name?: string): AnyLink<Names> {
    const link = name === undefined ? [...this.links.values()].at(-1) : this.links.get(name);
    if (link === undefined) throw new Error("no such link");
    return link;
  }

  /** Sends texts to the client's newest receiver. */
  deliver(texts: readonly string[], settled = false): void {
    const link = this.link() as SenderLink<Names>;
    for (const each of texts) link.send(message(each), each, { settled });
    this.push();
  }

  onDrain(): void {}

  onClosed(): void {
    this.engine.lost(null);
  }
}

/** Client and server. */
export interface Lab {
  readonly server: LabServer;
  readonly connection: AmqpConnection;
}

/** Options of a platform whose only server is a {@link LabServer}. */
export function labPlatform(
  serverOptions: Partial<EngineOptions<Names>>,
  onServer: (server: LabServer) => void,
): Platform {
  const platform = nodePlatform();
  return {
    ...platform,
    dial: async (_endpoint, _options, handler) => {
      const pair = memoryPair();
      const server = new LabServer(pair.server, serverOptions);
      pair.server.attach(server);
      onServer(server);
      return pair.client.attach(handler);
    },
  };
}

/** A connected client. */
export async function lab(
  options: ConnectOptions = {},
  serverOptions: Partial<EngineOptions<Names>> = {},
  prepare: (server: LabServer) => void = () => {},
): Promise<Lab> {
  const servers: LabServer[] = [];
  const platform = labPlatform(serverOptions, (server) => {
    prepare(server);
    servers.push(server);
  });
  const connection = await connectOver(platform, "amqp://localhost", { reconnect: false, ...options });
  return { connection, server: servers[0] as LabServer };
}

/** A client that comes back at once, and the server's side of each of its connections, oldest first. */
export interface RecoveringLab {
  readonly connection: AmqpConnection;
  readonly servers: LabServer[];
}

/** A connected client whose lost connections are made again. */
export async function recoveringLab(
  options: ConnectOptions = {},
  prepare: (server: LabServer, index: number) => void = () => {},
  serverOptions: Partial<EngineOptions<Names>> = {},
): Promise<RecoveringLab> {
  const servers: LabServer[] = [];
  const platform = labPlatform(serverOptions, (server) => {
    prepare(server, servers.length);
    servers.push(server);
  });
  const connection = await connectOver(platform, "amqp://localhost", {
    reconnect: { initialDelayMs: 0, jitter: "none" },
    ...options,
  });
  return { connection, servers };
}

/** Lets turns pass until something is so. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) {
    if (holds()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error("it did not come to pass");
}

/** Lets everything happen that is under way. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A whole message with a text as its data. */
export function encoded(data: string): Uint8Array {
  return encodeMessage(text, message(data));
}

/** The text of bytes. */
export function textOfBytes(bytes: Uint8Array | null): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array(0));
}
