/** A client on a virtual clock and links in memory, whose server is played by the test packet by packet: for the parity tests beside this file. */
import { MessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { Splitter } from "../../bytes/splitter.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import { type MemoryPair, memoryPair } from "../../transport/memory.ts";
import { nodePlatform } from "../../transport/node/platform.ts";
import type { DialOptions } from "../../transport/platform.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import { decodePacket } from "../codec/decode.ts";
import { encodePacket } from "../codec/encode.ts";
import { measurePacket } from "../codec/header.ts";
import type { Connack, Connect, Packet, Publish, PublishAck, QoS } from "../codec/packets.ts";
import type { MqttClientEvent } from "./events.ts";
import { MqttClientBase } from "./mqtt-client.ts";
import type { MqttClientOptions } from "./options.ts";
import type { MqttSubscription } from "./subscription.ts";

/** How the client dialled. */
export interface Dial {
  readonly endpoint: Endpoint;
  readonly options: DialOptions;
}

/** A packet of one type; the four acknowledgements share an interface. */
export type PacketOf<T extends Packet["type"]> = T extends PublishAck["type"]
  ? PublishAck
  : Extract<Packet, { type: T }>;

const PACKET_BYTES_MAX = 268_435_460;
const TEXT = nodePlatform().text;

/** See the head of the file. */
export class Lab {
  readonly clock: VirtualClock = new VirtualClock();
  readonly links: Link[] = [];
  readonly dials: Dial[] = [];
  readonly client: LabClient;
  /** All events so far. */
  readonly events: MqttClientEvent[] = [];
  /** True lets every dial fail. */
  refusing = false;

  constructor(options: Partial<MqttClientOptions> = {}) {
    const level = options.protocolVersion === 5 ? 5 : 4;
    this.client = new LabClient(
      { servers: "mqtt://server", clientId: "c", ...options },
      this.clock,
      (dial, handler) => {
        this.dials.push(dial);
        if (this.refusing) return Promise.reject(new MessagingError("ERR_CONNECT_FAILED", "refused"));
        const link = new Link(this.clock, level);
        this.links.push(link);
        return Promise.resolve(link.pair.client.attach(handler));
      },
    );
    for (const type of EVENTS) this.client.on(type, (event) => this.events.push(event));
  }

  /** The newest connection, seen from the server. */
  get server(): Link {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error("nobody has connected");
    return link;
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
    const connect = this.server.take("connect");
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
    this.server.pair.cut();
    await this.clock.settle();
  }

  /** Subscribes and grants what was asked for. */
  async subscribe(...call: Parameters<MqttClientBase["subscribe"]>): Promise<MqttSubscription> {
    const subscribing = this.client.subscribe(...call);
    await this.clock.settle();
    const { packetId, filters } = this.server.take("subscribe");
    await this.send({ type: "suback", packetId, reasonCodes: filters.map(({ qos }) => qos), properties: null });
    return subscribing;
  }

  /** What happened of one type. */
  told<K extends MqttClientEvent["type"]>(type: K): Extract<MqttClientEvent, { type: K }>[] {
    return this.events.filter((event) => event.type === type) as Extract<MqttClientEvent, { type: K }>[];
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

const EVENTS: readonly MqttClientEvent["type"][] = [
  "connect",
  "serverCapabilities",
  "connectionLost",
  "reconnecting",
  "reconnectFailed",
  "serverDisconnect",
  "subscriptionLost",
  "handlerError",
  "messageDropped",
  "backgroundError",
  "state",
  "closed",
];

/** The client under test; its random numbers are all 0.5. */
export class LabClient extends MqttClientBase {
  constructor(
    options: MqttClientOptions,
    clock: VirtualClock,
    dial: (dial: Dial, handler: TransportHandler) => Promise<Transport>,
  ) {
    super(options, {
      ...nodePlatform(),
      clock,
      random: () => 0.5,
      dial: (endpoint, dialOptions, handler) => dial({ endpoint, options: dialOptions }, handler),
    });
  }
}

/** One connection, seen from the server. */
export class Link implements TransportHandler {
  readonly pair: MemoryPair;
  /** Packets that came in and were not taken yet. */
  readonly received: Packet[] = [];
  closed = false;
  readonly #level: 4 | 5;
  readonly #splitter: Splitter;

  constructor(clock: VirtualClock, level: 4 | 5) {
    this.#level = level;
    this.pair = memoryPair({ clock });
    this.#splitter = new Splitter(measurePacket(PACKET_BYTES_MAX), (buffer, start, end) => {
      const reader = new ByteReader(TEXT);
      reader.reset(buffer.slice(start, end), 0, end - start);
      this.received.push(decodePacket(reader, level));
      return true;
    });
    this.pair.server.attach(this);
  }

  send(packet: Packet): void {
    const writer = new ByteWriter(TEXT, 64);
    encodePacket(writer, packet, this.#level);
    this.sendBytes(writer.copyFrom(0));
  }

  sendBytes(bytes: Uint8Array): void {
    this.pair.server.write(bytes);
  }

  /** Takes the next packet, which must be of this type. */
  take<T extends Packet["type"]>(type: T): PacketOf<T> {
    const packet = this.received.shift();
    if (packet?.type !== type) throw new Error(`wanted ${type}, got ${packet?.type ?? "nothing"}`);
    return packet as PacketOf<T>;
  }

  /** The types of the packets that were not taken yet. */
  get types(): string[] {
    return this.received.map((packet) => packet.type);
  }

  onBytes(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  onDrain(): void {}

  onClosed(): void {
    this.closed = true;
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

/** The code of the error that `call` throws. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as MessagingError).code;
  }
  return "nothing";
}
