/**
 * An MQTT server in memory for the tests beside this file: the shipped `ServerEngine` with sessions that outlive connections,
 * a log of every packet that came in, and hooks where a test wants another answer than the usual one.
 */
import type { Clock } from "../../base/clock.ts";
import type { MessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { Splitter } from "../../bytes/splitter.ts";
import { webText } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { type MemoryPairOptions, memoryPair } from "../../transport/memory.ts";
import { ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import { decodePacket } from "../codec/decode.ts";
import { encodePacket } from "../codec/encode.ts";
import { measurePacket } from "../codec/header.ts";
import type {
  Auth,
  ConnackProperties,
  Connect,
  Disconnect,
  DisconnectProperties,
  Packet,
  ProtocolLevel,
  PublishAck,
  PublishProperties,
  QoS,
  Suback,
  Subscribe,
  Unsuback,
  Unsubscribe,
} from "../codec/packets.ts";
import type { PublishHead } from "../codec/publish-head.ts";
import { encodePublishProperties, readPublishProperties } from "../codec/publish-properties.ts";
import { topicMatches } from "../codec/topic.ts";
import { TopicDecoder, type TopicEntry } from "../codec/topic-decoder.ts";
import { parseSharedFilter } from "../codec/topic-filter.ts";
import { Phase } from "../engine/outbound-flow.ts";
import { ServerEngine, type ServerHandler } from "../engine/server-engine.ts";
import { SessionState } from "../engine/session-state.ts";

const TEXT = webText();
const LARGEST = 268_435_460;

/** What the server does with a CONNECT: lets the client in, refuses it, says nothing, or hangs up. */
export type ConnectAnswer =
  | { readonly refuse?: never; readonly properties?: ConnackProperties; readonly sessionPresent?: boolean }
  | { readonly refuse: number; readonly properties?: ConnackProperties }
  | "silence"
  | "close";

/** Where a test changes what the server does; everything else is done as the specification says. */
export interface FakeServerOptions {
  /** `raw` records what comes in and answers nothing: the test plays the server through `send`. Default `engine`. */
  readonly mode?: "engine" | "raw";
  readonly transport?: MemoryPairOptions;
  readonly onConnect?: (connect: Connect, connection: FakeConnection) => ConnectAnswer;
  /** Reason codes for SUBACK, or null for no answer. Default: what was asked for. */
  readonly onSubscribe?: (packet: Subscribe) => readonly number[] | null;
  readonly onUnsubscribe?: (packet: Unsubscribe) => readonly number[] | null;
  /** The reason code for a received message, or null to hold its acknowledgement back. Default 0. */
  readonly onMessage?: (message: ReceivedMessage) => number | null;
  readonly onAuth?: (packet: Auth, connection: FakeConnection) => void;
  /** True sends received messages to every subscription that matches. Default false. */
  readonly routes?: boolean;
  /** Most messages in flight to a client, beside its receive maximum. Default 65,535. */
  readonly maxInflight?: number;
}

/** The packets of one type. */
type PacketOf<T extends Packet["type"]> = T extends PublishAck["type"] ? PublishAck : Extract<Packet, { type: T }>;

/** A message that the server took over. */
export interface ReceivedMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number;
  readonly properties: PublishProperties | null;
  /** For `settle`. */
  readonly ticket: number;
}

/** A message on its way to a client. */
interface OutgoingMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly block: Uint8Array | null;
}

/** What the server keeps of a client between connections. */
export interface FakeSession {
  readonly state: SessionState<OutgoingMessage>;
  readonly subscriptions: Map<string, QoS>;
  readonly queue: OutgoingMessage[];
  connection: FakeConnection | null;
}

/** How a message is sent to a client. */
export interface SendOptions {
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly properties?: PublishProperties;
}

/** The server's end of a connection that is not attached yet. */
export interface ServerLink {
  attach(handler: TransportHandler): Transport;
  /** Ends both sides as a lost link does. */
  cut(): void;
}

/** See the file's comment. */
export class FakeServer {
  /** May be replaced in the middle of a test. */
  options: FakeServerOptions;
  readonly clock: Clock;
  /** Every connection made so far. */
  readonly connections: FakeConnection[] = [];
  readonly sessions = new Map<string, FakeSession>();
  /** Messages taken over from all clients, in order. */
  readonly received: ReceivedMessage[] = [];

  constructor(clock: Clock, options: FakeServerOptions = {}) {
    this.clock = clock;
    this.options = options;
  }

  /** The newest connection. */
  get last(): FakeConnection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error("nobody has connected");
    return connection;
  }

  /** Payloads of the messages taken over. */
  get payloads(): string[] {
    return this.received.map((message) => message.payload);
  }

  /** Makes a connection; the returned transport is the client's end. */
  connect(handler: TransportHandler): Transport {
    const pair = memoryPair({ clock: this.clock, ...this.options.transport });
    const attach = (end: TransportHandler): Transport => pair.server.attach(end);
    this.connections.push(new FakeConnection(this, { attach, cut: () => pair.cut() }));
    return pair.client.attach(handler);
  }

  /** Takes a connection that came over a network. */
  accept(link: ServerLink): void {
    this.connections.push(new FakeConnection(this, link));
  }

  /** Sends a message to every session with a matching subscription, or keeps it for those that are away. */
  route(topic: string, payload: Uint8Array, options: SendOptions): void {
    for (const session of this.sessions.values()) {
      for (const [filter, granted] of session.subscriptions) {
        if (!topicMatches(parseSharedFilter(filter)?.filter ?? filter, topic)) continue;
        enqueue(session, outgoing(topic, payload, { ...options, qos: Math.min(options.qos ?? 0, granted) as QoS }));
      }
    }
  }
}

/** One connection of a {@link FakeServer}. */
export class FakeConnection implements TransportHandler, ServerHandler<OutgoingMessage, undefined> {
  readonly server: FakeServer;
  readonly engine: ServerEngine<OutgoingMessage, undefined>;
  /** Ends both sides as a lost link does. */
  readonly cut: () => void;
  /** Everything that came in, as the bytes it was. */
  readonly frames: Uint8Array[] = [];
  /** How the client's end of the connection ended, or "open". */
  ended: "open" | Error | null = "open";
  /** Why the engine gave the client up. */
  failure: MessagingError | null = null;
  connectPacket: Connect | null = null;
  session: FakeSession | null = null;
  level: ProtocolLevel = 4;
  readonly #packets: Packet[] = [];
  readonly #transport: Transport;
  readonly #outbox: Outbox;
  readonly #splitter: Splitter;

  constructor(server: FakeServer, link: ServerLink) {
    this.server = server;
    this.cut = () => link.cut();
    this.#outbox = new Outbox({
      pool: new ChunkPool(1),
      text: TEXT,
      armFlush: () => server.clock.nextTurn(() => this.#outbox.flush()),
      highWaterBytes: LARGEST,
    });
    this.engine = new ServerEngine({
      outbox: this.#outbox,
      handler: this,
      topicDecoder: new TopicDecoder(TEXT),
      maximumPacketSize: LARGEST,
      nowMs: server.clock.nowMs(),
      connectTimeoutMs: 60_000,
    });
    this.#splitter = new Splitter(measurePacket(LARGEST), (buffer, start, end) => {
      this.#note(buffer.slice(start, end));
      return true;
    });
    this.#transport = link.attach(this);
    this.#outbox.open(this.#transport);
  }

  /** Packets that came in since the last call; with a type only those, and the others are forgotten, too. */
  take(): Packet[];
  take<T extends Packet["type"]>(type: T): PacketOf<T>[];
  take(type?: Packet["type"]): Packet[] {
    const all = this.#packets.splice(0);
    return type === undefined ? all : all.filter((packet) => packet.type === type);
  }

  /** Takes the next packet, which must be of this type. */
  next<T extends Packet["type"]>(type: T): PacketOf<T> {
    const packet = this.#packets.shift();
    if (packet?.type !== type) throw new Error(`wanted ${type}, got ${packet?.type ?? "nothing"}`);
    return packet as PacketOf<T>;
  }

  /** Packets that came in and were not taken yet. */
  get untaken(): readonly Packet[] {
    return this.#packets;
  }

  /** Types of the packets that came in since the last call. */
  types(): string[] {
    return this.take().map((packet) => packet.type);
  }

  /** Sends a packet past the engine. */
  send(packet: Packet): void {
    this.sendBytes(encoded(packet, this.level));
  }

  /** Sends any bytes. */
  sendBytes(bytes: Uint8Array): void {
    this.#outbox.flush();
    this.#transport.write(bytes);
  }

  /** Publishes to the client, within its receive maximum. */
  publish(topic: string, payload: string | Uint8Array, options: SendOptions = {}): void {
    if (this.session === null) throw new Error("not connected");
    enqueue(this.session, outgoing(topic, typeof payload === "string" ? bytesOf(payload) : payload, options));
  }

  /** Ends the connection in order. */
  close(): void {
    this.#outbox.flush();
    this.#transport.close();
  }

  /** Says goodbye with a reason (MQTT 5.0) and ends the connection. */
  disconnect(reasonCode: number, properties: DisconnectProperties | null = null): void {
    this.engine.disconnect(reasonCode, properties);
    this.close();
  }

  /** Stops taking bytes from the client. */
  pause(): void {
    this.#transport.pause();
  }

  resume(): void {
    this.#transport.resume();
  }

  /** Sends what waits, as far as the client's receive maximum allows. */
  pump(): void {
    const session = this.session;
    if (session === null || this.engine.over) return;
    const { outbound } = session.state;
    for (let next = session.queue[0]; next !== undefined; next = session.queue[0]) {
      if (next.qos > 0 && outbound.quota <= 0) return;
      session.queue.shift();
      const phase = next.qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce;
      this.#write(next, next.qos === 0 ? 0 : outbound.beginPublish(next, phase), false);
    }
  }

  // Transport

  onBytes(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
    if (this.server.options.mode !== "raw") this.engine.onBytes(chunk, this.server.clock.nowMs());
  }

  onDrain(): void {
    this.#outbox.drained();
  }

  onClosed(error: Error | null): void {
    this.ended = error;
    this.engine.end();
    if (this.session?.connection === this) this.session.connection = null;
  }

  // Engine

  onConnect(packet: Connect): void {
    this.connectPacket = packet;
    const answer = this.server.options.onConnect?.(packet, this) ?? {};
    if (answer === "silence") return;
    if (answer === "close") return this.close();
    if (answer.refuse !== undefined) {
      this.engine.refuse(answer.refuse, answer.properties ?? null);
      return this.close();
    }
    this.accept(answer);
  }

  /** Lets the client in, now or later. */
  accept(answer: { readonly properties?: ConnackProperties; readonly sessionPresent?: boolean } = {}): void {
    const packet = this.connectPacket;
    if (packet === null) throw new Error("no CONNECT yet");
    const { sessions, options } = this.server;
    const clientId = answer.properties?.assignedClientId ?? packet.clientId;
    const known = packet.cleanStart ? undefined : sessions.get(clientId);
    const session = known ?? { state: new SessionState(), subscriptions: new Map(), queue: [], connection: null };
    const sessionPresent = answer.sessionPresent ?? known !== undefined;
    sessions.set(clientId, session);
    this.session = session;
    session.connection = this;
    this.engine.accept({
      session: session.state,
      sessionPresent,
      properties: answer.properties ?? null,
      maxInflight: options.maxInflight ?? 65_535,
      topicAliasesMax: 65_535,
    });
    if (known !== undefined) this.#resend(session);
    this.pump();
  }

  onPublish(topic: TopicEntry<undefined>, head: PublishHead, buffer: Uint8Array, ticket: number): void {
    const payload = buffer.slice(head.payloadStart, head.payloadEnd);
    const { qos, retain, dup, packetId } = head;
    const properties = head.properties ?? readPublishProperties(new ByteReader(webText(), buffer), head);
    const text = new TextDecoder().decode(payload);
    const message = { topic: topic.topic, payload: text, qos, retain, dup, packetId, properties, ticket };
    this.server.received.push(message);
    const { options } = this.server;
    if (options.routes === true) {
      const { topicAlias: _, ...rest } = properties ?? {};
      this.server.route(topic.topic, payload, { qos, properties: rest });
    }
    if (ticket < 0) return;
    const reasonCode = options.onMessage === undefined ? 0 : options.onMessage(message);
    if (reasonCode !== null) this.settle(ticket, reasonCode);
  }

  /** Acknowledges a message that was held back. */
  settle(ticket: number, reasonCode = 0): void {
    this.engine.settle(ticket, reasonCode);
  }

  onPublishDone(): void {
    this.pump();
  }

  onPublishReceived(_item: OutgoingMessage, packetId: number): void {
    this.engine.sendPubrel(packetId, 0);
  }

  onReleased(packetId: number, known: boolean): void {
    this.engine.sendPubcomp(packetId, known);
  }

  onSubscribe(packet: Subscribe): void {
    const { onSubscribe } = this.server.options;
    const reasonCodes = onSubscribe === undefined ? packet.filters.map((each) => each.qos) : onSubscribe(packet);
    if (reasonCodes === null) return;
    packet.filters.forEach(({ filter }, i) => {
      const code = reasonCodes[i] ?? 0x80;
      if (code < 0x80) this.session?.subscriptions.set(filter, code as QoS);
    });
    const answer: Suback = { type: "suback", packetId: packet.packetId, reasonCodes, properties: null };
    this.engine.sendSuback(answer);
  }

  onUnsubscribe(packet: Unsubscribe): void {
    const known = this.session?.subscriptions;
    const { onUnsubscribe } = this.server.options;
    const usual = packet.filters.map((filter) => (known?.has(filter) === true ? 0 : 0x11));
    const reasonCodes = onUnsubscribe === undefined ? usual : onUnsubscribe(packet);
    if (reasonCodes === null) return;
    for (const filter of packet.filters) known?.delete(filter);
    const codes = this.level === 5 ? reasonCodes : [];
    const answer: Unsuback = { type: "unsuback", packetId: packet.packetId, reasonCodes: codes, properties: null };
    this.engine.sendUnsuback(answer);
  }

  onAuth(packet: Auth): void {
    this.server.options.onAuth?.(packet, this);
  }

  onDisconnect(_packet: Disconnect): void {
    this.close();
  }

  onFailed(error: MessagingError): void {
    this.failure = error;
    this.close();
  }

  #note(frame: Uint8Array): void {
    this.frames.push(frame);
    const reader = new ByteReader(TEXT);
    reader.reset(frame, 0, frame.length);
    const packet = decodePacket(reader, this.level);
    if (packet.type === "connect") this.level = packet.level;
    this.#packets.push(packet);
  }

  #resend(session: FakeSession): void {
    const { outbound } = session.state;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (outbound.phase(id) === Phase.Released) this.engine.sendPubrel(id, 0);
      else if (item !== undefined) {
        outbound.charge();
        this.#write(item, id, true);
      }
    }
  }

  #write(message: OutgoingMessage, packetId: number, dup: boolean): void {
    const { topic, payload, qos, retain, block } = message;
    this.engine.sendPublish({ qos, retain, dup, packetId }, topic, bytesOf(topic), payload, block);
  }
}

/** A packet's bytes. */
export function encoded(packet: Packet, level: ProtocolLevel): Uint8Array {
  const writer = new ByteWriter(TEXT, 64);
  encodePacket(writer, packet, level);
  return writer.copyFrom(0);
}

function enqueue(session: FakeSession, message: OutgoingMessage): void {
  session.queue.push(message);
  session.connection?.pump();
}

function outgoing(topic: string, payload: Uint8Array, options: SendOptions): OutgoingMessage {
  const { qos = 0, retain = false, properties } = options;
  const block = properties === undefined ? null : encodePublishProperties(TEXT, properties);
  return { topic, payload, qos, retain, block };
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
