import { deepStrictEqual, ok, rejects } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Peer, PeerChannel, PeerConnection, PeerConsumeOptions, PeerMessage } from "./peer.ts";
import { until } from "./peer.ts";

/** What a scenario has at hand. Everything it makes is gone when it ends, for names are its own. */
export interface Stage {
  readonly peer: Peer;
  readonly url: string;
  readonly connection: PeerConnection;
  readonly channel: PeerChannel;
  /** A name that nobody else uses. */
  name(label: string): string;
  /** A further connection, closed at the end. */
  connect(): Promise<PeerConnection>;
}

/** One thing that clients do with a server; every client does it in the same way. */
export interface AmqpScenario {
  readonly name: string;
  run(stage: Stage): Promise<void>;
}

/** Runs a scenario with a client against a server. */
export async function runScenario(scenario: AmqpScenario, peer: Peer, url: string): Promise<void> {
  const connections: PeerConnection[] = [];
  const connect = async (): Promise<PeerConnection> => {
    const connection = await peer.connect(url);
    connections.push(connection);
    return connection;
  };
  try {
    const connection = await connect();
    const channel = await connection.channel();
    const name = (label: string): string => `${label}-${randomBytes(6).toString("hex")}`;
    await scenario.run({ peer, url, connection, channel, name, connect });
  } finally {
    // What a scenario broke may be closed already.
    await Promise.allSettled(connections.map((connection) => connection.close()));
  }
}

/** Gathers what a consumer gets. */
export class Inbox {
  readonly messages: PeerMessage[] = [];

  static async of(channel: PeerChannel, queue: string, options: PeerConsumeOptions = {}): Promise<Inbox> {
    const inbox = new Inbox();
    await channel.consume(queue, options, (message) => inbox.messages.push(message));
    return inbox;
  }

  get bodies(): string[] {
    return this.messages.map((message) => message.body);
  }

  /** The messages once there are so many. */
  async take(count: number): Promise<PeerMessage[]> {
    await until(`${count} messages, there are ${this.messages.length}`, () => this.messages.length >= count);
    return this.messages;
  }
}

/** What differs is told with both values. */
export const same: typeof deepStrictEqual = deepStrictEqual;

/** Expects a rejection whose text matches. */
export async function refused(call: Promise<unknown>, text: RegExp): Promise<void> {
  await rejects(call, (error: unknown) => {
    const said = saidBy(error);
    ok(text.test(said), `refused with "${said}", expected ${text}`);
    return true;
  });
}

/** All that an error and its causes say. */
function saidBy(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return `${code} ${error.message} ${error.cause === undefined ? "" : saidBy(error.cause)}`;
}
