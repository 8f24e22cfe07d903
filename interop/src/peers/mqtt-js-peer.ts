import assert from "node:assert/strict";
import {
  connect,
  type IClientOptions,
  type IConnackPacket,
  type IDisconnectPacket,
  type IPublishPacket,
  type MqttClient,
  type Packet,
} from "mqtt";
import { withDeadline } from "../harness/deadline.ts";
import { uniqueName } from "./scenario.ts";

/** Milliseconds that a peer waits for anything the broker owes it. */
export const ANSWER_TIMEOUT_MS = 10_000;

/** An MQTT.js client that keeps what it received, so that a scenario can take it in order. */
export class MqttJsPeer {
  readonly client: MqttClient;
  readonly connack: IConnackPacket;
  readonly #inbox: Inbox;

  private constructor(client: MqttClient, connack: IConnackPacket, inbox: Inbox) {
    this.client = client;
    this.connack = connack;
    this.#inbox = inbox;
  }

  /** Resolves once connected; rejects with MQTT.js's error when refused. It does not reconnect unless told to. */
  static async connect(url: string, options: IClientOptions): Promise<MqttJsPeer> {
    const client = connect(url, { reconnectPeriod: 0, connectTimeout: ANSWER_TIMEOUT_MS, ...options });
    // Before the connection is up: messages of a resumed session follow CONNACK in the same read.
    const inbox = new Inbox();
    // A packet that came by topic alias has no topic of its own; the event's first argument has.
    client.on("message", (topic, _payload, packet) => inbox.add({ ...packet, topic }));
    client.on("disconnect", (packet) => inbox.onDisconnect(packet));
    const closed = closing(client).then((): never => {
      throw refused ?? new Error("closed before CONNACK");
    });
    closed.catch(() => {});
    let refused: Error | undefined;
    // Unheard, errors would end the process; later ones show as a closed connection or as a rejected call.
    client.on("error", (error) => {
      refused ??= error;
    });
    try {
      const connack = await withDeadline(
        Promise.race([connected(client), closed]),
        ANSWER_TIMEOUT_MS,
        () => `MQTT.js got no CONNACK from ${url}`,
      );
      return new MqttJsPeer(client, connack, inbox);
    } catch (error) {
      client.end(true);
      throw error;
    }
  }

  /** The reason of the server's DISCONNECT, once there was one. */
  get disconnectReason(): number | undefined {
    return this.#inbox.disconnect?.reasonCode;
  }

  /** Takes the next message, waiting for it. */
  next(): Promise<IPublishPacket> {
    return withDeadline(this.#inbox.take(), ANSWER_TIMEOUT_MS, () => "MQTT.js waited for a message in vain");
  }

  /** Takes the next `count` messages. */
  async take(count: number): Promise<readonly IPublishPacket[]> {
    const taken: IPublishPacket[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** Takes the next message and checks its payload. */
  async expect(payload: string): Promise<IPublishPacket> {
    const packet = await this.next();
    assert.equal(text(packet), payload);
    return packet;
  }

  /**
   * Proves that nothing is waiting or under way to `topic`, which this peer is subscribed to: what it publishes there now
   * must be what it receives next.
   */
  async expectNothingBefore(topic: string): Promise<void> {
    const mark = uniqueName("mark");
    await this.client.publishAsync(topic, mark, { qos: 1 });
    await this.expect(mark);
  }

  /** Resolves when the next packet with this command comes in, if `wanted` agrees. */
  packet<T extends Packet>(cmd: T["cmd"], wanted: (packet: T) => boolean = () => true): Promise<T> {
    const found = new Promise<T>((resolve) => {
      const look = (packet: Packet): void => {
        if (packet.cmd !== cmd || !wanted(packet as T)) return;
        this.client.off("packetreceive", look);
        resolve(packet as T);
      };
      this.client.on("packetreceive", look);
    });
    return withDeadline(found, ANSWER_TIMEOUT_MS, () => `MQTT.js saw no ${cmd}`);
  }

  /** From now on keeps back PUBACK (QoS 1) and PUBCOMP (QoS 2); each element sends one that is due. */
  holdAcks(): (() => void)[] {
    const held: (() => void)[] = [];
    this.client.handleMessage = (_packet, done) => held.push(done);
    return held;
  }

  /** Breaks the connection without DISCONNECT and resolves when the socket is closed. */
  async cut(): Promise<void> {
    const closed = closing(this.client);
    this.client.stream.destroy();
    await closed;
  }

  /** Resolves when the connection is closed, by whomever. */
  async closed(): Promise<void> {
    if (!this.client.connected) return;
    await withDeadline(closing(this.client), ANSWER_TIMEOUT_MS, () => "the connection stayed open");
  }

  /** Sends DISCONNECT and resolves when both sides have closed, so that the broker has read it. */
  async end(options: Partial<IDisconnectPacket> = {}): Promise<void> {
    await this.client.endAsync(false, options);
  }

  /** Ends whatever is left; for cleaning up. */
  async destroy(): Promise<void> {
    await this.client.endAsync(true);
  }
}

/** Resolves with the CONNACK of the next connection that the client gets. */
export function connected(client: MqttClient): Promise<IConnackPacket> {
  return new Promise((resolve) => client.once("connect", resolve));
}

function closing(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once("close", () => resolve()));
}

/** The payload as UTF-8 text. */
export function text(packet: IPublishPacket): string {
  return packet.payload.toString();
}

class Inbox {
  disconnect: IDisconnectPacket | undefined;
  readonly #packets: IPublishPacket[] = [];
  readonly #waiting: ((packet: IPublishPacket) => void)[] = [];

  add(packet: IPublishPacket): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#packets.push(packet);
    else waiting(packet);
  }

  onDisconnect(packet: IDisconnectPacket): void {
    this.disconnect = packet;
  }

  take(): Promise<IPublishPacket> {
    const packet = this.#packets.shift();
    if (packet !== undefined) return Promise.resolve(packet);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
