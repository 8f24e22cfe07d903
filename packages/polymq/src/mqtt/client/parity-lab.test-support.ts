/** A client whose server is played by the test packet by packet: for the parity tests beside this file. */
import { MessagingError } from "../../base/errors.ts";
import type { VirtualClock } from "../../testing/virtual-clock.ts";
import type { Connack, Connect, Packet, Publish, PublishAck, QoS } from "../codec/packets.ts";
import { type Dial, type Stage, setup, type TestClient } from "./client-setup.test-support.ts";
import type { MqttClientEvent } from "./events.ts";
import type { FakeConnection } from "./fake-server.test-support.ts";
import type { MqttClientOptions } from "./options.ts";
import type { MqttSubscription } from "./subscription.ts";

/** See the head of the file. Random numbers are all 0.5. */
export class Lab {
  readonly clock: VirtualClock;
  readonly dials: readonly Dial[];
  readonly client: TestClient;
  /** All events so far. */
  readonly events: readonly MqttClientEvent[];
  /** What happened of one type. */
  readonly told: Stage["of"];
  /** True lets every dial fail. */
  refusing = false;
  readonly #stage: Stage;

  constructor(options: Partial<MqttClientOptions> = {}) {
    const stage = setup({
      ...options,
      server: { mode: "raw" },
      random: () => 0.5,
      answer: () => (this.refusing ? new MessagingError("ERR_CONNECT_FAILED", "refused") : "server"),
    });
    this.#stage = stage;
    this.clock = stage.clock;
    this.dials = stage.dials;
    this.client = stage.client;
    this.events = stage.events;
    this.told = stage.of;
  }

  /** The newest connection, seen from the server. */
  get server(): FakeConnection {
    return this.#stage.link;
  }

  /** Types of the packets that the server has got and the test has not taken. */
  get types(): string[] {
    return this.server.untaken.map((packet) => packet.type);
  }

  /** Lets the client connect; `connack` says how it is accepted. Returns its CONNECT. */
  async connect(connack: Partial<Connack> = {}): Promise<Connect> {
    const connecting = this.client.connect();
    const connect = await this.accept(connack);
    await connecting;
    return connect;
  }

  /** Accepts the connection that the client is making. */
  async accept(connack: Partial<Connack> = {}): Promise<Connect> {
    await this.clock.settle();
    const connect = this.server.next("connect");
    await this.send({ type: "connack", sessionPresent: false, reasonCode: 0, properties: null, ...connack });
    return connect;
  }

  /** Sends packets to the client and lets it react. */
  async send(...packets: readonly Packet[]): Promise<void> {
    for (const packet of packets) this.server.send(packet);
    await this.clock.settle();
  }

  /** Cuts the link; the client's first new attempt follows at once. */
  async cut(): Promise<void> {
    this.server.cut();
    await this.clock.settle();
  }

  /** Subscribes and grants what was asked for. */
  async subscribe(...call: Parameters<TestClient["subscribe"]>): Promise<MqttSubscription> {
    const subscribing = this.client.subscribe(...call);
    await this.clock.settle();
    const { packetId, filters } = this.server.next("subscribe");
    await this.send({ type: "suback", packetId, reasonCodes: filters.map(({ qos }) => qos), properties: null });
    return subscribing;
  }

  /** What becomes of a promise by now: `resolved`, `open`, or the code that it is rejected with. */
  async outcome(promise: Promise<unknown>): Promise<string> {
    let result = "open";
    promise.then(
      () => {
        result = "resolved";
      },
      (error: MessagingError) => {
        result = error.code;
      },
    );
    await this.clock.settle();
    return result;
  }
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function ack(type: PublishAck["type"], packetId: number, reasonCode = 0): PublishAck {
  return { type, packetId, reasonCode, properties: null };
}

/** A PUBLISH from the server with a payload of one byte. */
export function message(topic: string, qos: QoS = 0, packetId = 0, fields: Partial<Publish> = {}): Publish {
  const payload = Uint8Array.of(120);
  return { type: "publish", topic, payload, qos, retain: false, dup: false, packetId, properties: null, ...fields };
}
