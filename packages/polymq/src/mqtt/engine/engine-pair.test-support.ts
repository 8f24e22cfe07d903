/** Engines without a network for the tests beside this file: bytes in by hand, bytes out as hex, what the owner was told as lines. */
import type { MessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { webText } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { Transport, TransportInfo } from "../../transport/transport.ts";
import { encodePacket } from "../codec/encode.ts";
import { measurePacket } from "../codec/header.ts";
import type {
  Auth,
  Connack,
  Connect,
  ConnectProperties,
  Disconnect,
  Packet,
  ProtocolLevel,
  QoS,
  ReasonProperties,
  Suback,
  Subscribe,
  Unsuback,
  Unsubscribe,
} from "../codec/packets.ts";
import type { PublishFields } from "../codec/publish.ts";
import type { PublishHead } from "../codec/publish-head.ts";
import { readPublishProperties } from "../codec/publish-properties.ts";
import { REQUEST_CODEC } from "../codec/request-codec.ts";
import { TopicDecoder, type TopicEntry } from "../codec/topic-decoder.ts";
import { ClientEngine, type ClientEngineOptions, type ClientHandler } from "./client-engine.ts";
import { CLIENT_LEVEL_4 } from "./client-level-4.ts";
import { CLIENT_LEVEL_5 } from "./client-level-5.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointHandler } from "./endpoint-contract.ts";
import { Phase } from "./outbound-flow.ts";
import { Receiver, type ReceiverHandler } from "./receiver.ts";
import { type Acceptance, ServerEngine, type ServerHandler } from "./server-engine.ts";
import { SessionState } from "./session-state.ts";

/** How input reaches an engine: a packet at a time as the test wrote it, or one byte at a time. */
export type Cut = "whole chunks" | "byte by byte";

/** Both ways to feed, for `describe.each`. */
export const CUTS: readonly Cut[] = ["whole chunks", "byte by byte"];

/** Both protocol levels, for `describe.each`. */
export const LEVELS: readonly ProtocolLevel[] = [4, 5];

const TEXT = webText();

/** Bytes of a notation like `10 0c 0004 'MQTT' 05`: hexadecimal digits, and text in quotes without spaces. */
export function bytes(notation: string): Uint8Array {
  const out: number[] = [];
  for (const token of notation.split(/\s+/)) {
    if (token.startsWith("'")) out.push(...new TextEncoder().encode(token.slice(1, -1)));
    else for (let i = 0; i < token.length; i += 2) out.push(Number.parseInt(token.slice(i, i + 2), 16));
  }
  return Uint8Array.from(out);
}

/** The notation of {@link bytes} as plain hexadecimal digits, to be compared with what `sent` returns. */
export function hex(notation: string): string {
  return toHex(bytes(notation));
}

/** Bytes as hexadecimal digits. */
export function toHex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A packet's bytes. */
export function encoded(packet: Packet, level: ProtocolLevel): Uint8Array {
  const w = new ByteWriter(TEXT, 64);
  encodePacket(w, packet, level);
  return w.copyFrom(0);
}

/** A CONNECT with nothing in it but what is given. */
export function connectPacket(level: ProtocolLevel, fields: Partial<Connect> = {}): Connect {
  return {
    type: "connect",
    level,
    cleanStart: true,
    keepAliveSeconds: 60,
    clientId: "c",
    username: null,
    password: null,
    will: null,
    properties: null,
    ...fields,
  };
}

/** A CONNACK that accepts. */
export function connackPacket(fields: Partial<Connack> = {}): Connack {
  return { type: "connack", sessionPresent: false, reasonCode: 0, properties: null, ...fields };
}

/** A transport that keeps what is written. */
class Sink implements Transport {
  readonly info: TransportInfo = {
    kind: "memory",
    remoteAddress: "",
    remotePort: 0,
    secure: false,
    peerCommonName: "",
  };
  readonly bufferedBytes = 0;
  #chunks: number[] = [];

  write(chunk: Uint8Array): boolean {
    for (const byte of chunk) this.#chunks.push(byte);
    return true;
  }

  take(): Uint8Array {
    const all = Uint8Array.from(this.#chunks);
    this.#chunks = [];
    return all;
  }

  pause(): void {}
  resume(): void {}
  close(): void {}
  destroy(): void {}
}

/** What client and server tests share: an engine, its output and the lines its owner was told. */
export abstract class Driven<E extends Endpoint<string>> implements EndpointHandler<string>, ReceiverHandler<unknown> {
  /** What the owner was told since the last `told`. */
  lines: string[] = [];
  /** Tickets of the messages that came in. */
  tickets: number[] = [];
  nowMs = 0;
  readonly outbox: Outbox;
  readonly cut: Cut;
  readonly #sink: Sink = new Sink();
  abstract readonly engine: E;
  abstract readonly session: SessionState<string>;

  constructor(cut: Cut) {
    this.cut = cut;
    this.outbox = new Outbox({ pool: new ChunkPool(), text: TEXT, armFlush: () => {}, highWaterBytes: 1 << 20 });
    this.outbox.open(this.#sink);
  }

  /** Feeds bytes in the notation of {@link bytes}, or as they are. */
  feed(input: string | Uint8Array): this {
    const data = typeof input === "string" ? bytes(input) : input;
    if (this.cut === "whole chunks") this.engine.onBytes(data, this.nowMs);
    else for (const byte of data) this.engine.onBytes(Uint8Array.of(byte), this.nowMs);
    return this;
  }

  /** What was written since the last call. */
  takeBytes(): Uint8Array {
    this.outbox.flush();
    return this.#sink.take();
  }

  /** The packets written since the last call, each as hexadecimal digits. */
  sent(): string[] {
    return packetsOf(this.takeBytes()).map(toHex);
  }

  /** What the owner was told since the last call. */
  told(): string[] {
    const lines = this.lines;
    this.lines = [];
    return lines;
  }

  /** Sends a PUBLISH as an owner does; returns its packet id, 0 at QoS 0. */
  publish(topic: string, qos: QoS, options: { payload?: string; retain?: boolean; block?: Uint8Array } = {}): number {
    const phase = qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce;
    const packetId = qos === 0 ? 0 : this.session.outbound.beginPublish(topic, phase);
    this.write({ qos, retain: options.retain ?? false, dup: false, packetId }, topic, options);
    return packetId;
  }

  /** Writes a PUBLISH under an id that exists. */
  write(fields: PublishFields, topic: string, options: { payload?: string; block?: Uint8Array } = {}): number {
    const encoder = new TextEncoder();
    const payload = encoder.encode(options.payload ?? "");
    return this.engine.sendPublish(fields, topic, encoder.encode(topic), payload, options.block ?? null);
  }

  onPublish(topic: TopicEntry<unknown>, head: PublishHead, buffer: Uint8Array, ticket: number): void {
    const payload = new TextDecoder().decode(buffer.subarray(head.payloadStart, head.payloadEnd));
    const properties = head.properties ?? readPublishProperties(new ByteReader(webText(), buffer), head);
    const extra = properties === null ? "" : ` ${JSON.stringify(properties)}`;
    const flags = `${head.dup ? " dup" : ""}${head.retain ? " retain" : ""}`;
    this.lines.push(`publish ${topic.topic} q${head.qos}${flags} ${payload}${extra}`.trimEnd());
    if (ticket >= 0) this.tickets.push(ticket);
  }

  onPublishDone(item: string, packetId: number, reasonCode: number, properties: ReasonProperties | null): void {
    this.lines.push(`done ${item} ${packetId} ${code(reasonCode)}${text(properties)}`);
  }

  onPublishReceived(item: string, packetId: number): void {
    this.lines.push(`received ${item} ${packetId}`);
    this.engine.sendPubrel(packetId, 0);
  }

  onReleased(packetId: number, known: boolean): void {
    this.lines.push(`released ${packetId} ${known ? "known" : "unknown"}`);
    this.engine.sendPubcomp(packetId, known);
  }

  onFailed(error: MessagingError): void {
    this.lines.push(`failed ${error.code}`);
  }

  onAuth(packet: Auth): void {
    this.lines.push(`auth ${code(packet.reasonCode)} ${packet.properties?.authenticationMethod ?? "-"}`);
  }
}

/** Settings of a {@link DrivenClient}. */
export interface ClientSetup
  extends Partial<Omit<ClientEngineOptions<string, unknown>, "handler" | "connect" | "outbound">> {
  readonly session?: SessionState<string>;
  readonly level?: ProtocolLevel;
  readonly connect?: Partial<Connect>;
}

/** A client engine driven by hand. */
export class DrivenClient extends Driven<ClientEngine<string, unknown>> implements ClientHandler<string> {
  readonly engine: ClientEngine<string, unknown>;
  readonly session: SessionState<string>;

  constructor(cut: Cut, setup: ClientSetup = {}) {
    super(cut);
    const { level = 5, connect = {}, session = new SessionState<string>(), ...rest } = setup;
    const { inbound, outbound } = session;
    const topics = new TopicDecoder<unknown>(TEXT);
    this.session = session;
    this.engine = new ClientEngine({
      outbox: this.outbox,
      handler: this,
      requests: () => REQUEST_CODEC,
      receiver: (reception) => new Receiver(reception, { handler: this, inbound, topics }),
      maximumPacketSize: 1 << 20,
      nowMs: 0,
      maxInflight: 100,
      pingTimeoutMs: 10_000,
      useTopicAliases: true,
      ...rest,
      outbound,
      connect: connectPacket(level, connect),
      rules: level === 5 ? CLIENT_LEVEL_5 : CLIENT_LEVEL_4,
    });
  }

  /** A client whose handshake is done; `connack` says what the server's CONNACK holds. */
  static opened(cut: Cut, setup: ClientSetup = {}, connack: Partial<Connack> = {}): DrivenClient {
    const client = new DrivenClient(cut, setup);
    client.engine.start();
    client.feed(encoded(connackPacket(connack), setup.level ?? 5));
    client.sent();
    client.told();
    return client;
  }

  onConnected(packet: Connack): void {
    this.lines.push(`connected${packet.sessionPresent ? " present" : ""}`);
  }

  onRefused(packet: Connack): void {
    this.lines.push(`refused ${code(packet.reasonCode)}`);
  }

  onHeld(): void {
    this.lines.push("held");
  }

  onAnswer(item: string, packet: Suback | Unsuback): void {
    this.lines.push(`${packet.type} ${item} ${packet.packetId} ${packet.reasonCodes.map(code).join(" ")}`.trimEnd());
  }

  onPingresp(): void {
    this.lines.push("pingresp");
  }

  onServerDisconnect(packet: Disconnect): void {
    this.lines.push(`disconnected ${code(packet.reasonCode)}`);
  }
}

/** Settings of a {@link DrivenServer}. */
export interface ServerSetup {
  /** Whether CONNECT is accepted at once; "later" leaves it to the test. */
  readonly answer?: "accept" | "later";
  readonly acceptance?: Partial<Acceptance<string>>;
  readonly maximumPacketSize?: number;
  readonly connectTimeoutMs?: number;
}

/** A server engine driven by hand. */
export class DrivenServer extends Driven<ServerEngine<string, unknown>> implements ServerHandler<string, unknown> {
  readonly engine: ServerEngine<string, unknown>;
  readonly session: SessionState<string>;
  readonly #setup: ServerSetup;

  constructor(cut: Cut, setup: ServerSetup = {}) {
    super(cut);
    this.#setup = setup;
    this.session = setup.acceptance?.session ?? new SessionState<string>();
    this.engine = new ServerEngine({
      outbox: this.outbox,
      handler: this,
      topicDecoder: new TopicDecoder(TEXT),
      maximumPacketSize: setup.maximumPacketSize ?? 1 << 20,
      nowMs: 0,
      connectTimeoutMs: setup.connectTimeoutMs ?? 5_000,
    });
  }

  /** A server that has accepted a client of this level. */
  static opened(cut: Cut, level: ProtocolLevel, setup: ServerSetup = {}, connect: Partial<Connect> = {}): DrivenServer {
    const server = new DrivenServer(cut, setup);
    server.feed(encoded(connectPacket(level, connect), level));
    server.sent();
    server.told();
    return server;
  }

  accept(fields: Partial<Acceptance<string>> = {}): void {
    this.engine.accept({
      session: this.session,
      sessionPresent: false,
      properties: null,
      maxInflight: 100,
      topicAliasesMax: 100,
      ...this.#setup.acceptance,
      ...fields,
    });
  }

  onConnect(packet: Connect): void {
    this.lines.push(`connect ${packet.clientId} v${packet.level}`);
    if (this.#setup.answer !== "later") this.accept();
  }

  onSubscribe(packet: Subscribe): void {
    const filters = packet.filters.map((each) => `${each.filter}:${each.qos}`).join(" ");
    this.lines.push(`subscribe ${packet.packetId} ${filters}`);
  }

  onUnsubscribe(packet: Unsubscribe): void {
    this.lines.push(`unsubscribe ${packet.packetId} ${packet.filters.join(" ")}`);
  }

  onDisconnect(packet: Disconnect): void {
    this.lines.push(`disconnect ${code(packet.reasonCode)}`);
  }
}

/** A client and a server back to back. */
export class EnginePair {
  readonly client: DrivenClient;
  readonly server: DrivenServer;

  constructor(client: DrivenClient, server: DrivenServer) {
    this.client = client;
    this.server = server;
  }

  /** Carries bytes both ways until neither side has any left to send. */
  settle(): void {
    for (let rounds = 0; rounds < 1_000; rounds++) {
      const up = this.client.takeBytes();
      const down = this.server.takeBytes();
      if (up.length === 0 && down.length === 0) return;
      this.server.feed(up);
      this.client.feed(down);
    }
    throw new Error("the engines never stop talking");
  }
}

/** What both sides agree on in the handshake of {@link opened}; all of it at level 5 only. */
export interface Agreed {
  /** What the engine under test announces. */
  readonly ours?: Pick<ConnectProperties, "receiveMaximum" | "topicAliasMaximum">;
  /** What its peer announces. */
  readonly theirs?: Pick<ConnectProperties, "receiveMaximum" | "topicAliasMaximum" | "maximumPacketSize">;
  /** Largest packet that the engine under test takes. */
  readonly maximumPacketSize?: number;
  readonly session?: SessionState<string>;
  /** The session goes on. */
  readonly resumed?: boolean;
}

/** Which engine, at which level, fed how. */
export interface Case {
  readonly role: "client" | "server";
  readonly level: ProtocolLevel;
  readonly cut: Cut;
}

/** Every case, for `describe.each`. */
export const CASES: readonly Case[] = LEVELS.flatMap((level) =>
  (["client", "server"] as const).flatMap((role) => CUTS.map((cut) => ({ role, level, cut }))),
);

/** An engine of either role whose handshake is done. */
export function opened(which: Case, agreed: Agreed = {}): DrivenClient | DrivenServer {
  const { role, level, cut } = which;
  const { ours = {}, theirs = {}, maximumPacketSize = 1 << 20, session, resumed = false } = agreed;
  const v5 = level === 5;
  const cleanStart = !resumed;
  if (role === "client") {
    const connect = { cleanStart, properties: v5 ? ours : null };
    const setup = { level, connect, maximumPacketSize, ...(session === undefined ? {} : { session }) };
    return DrivenClient.opened(cut, setup, { sessionPresent: resumed, properties: v5 ? theirs : null });
  }
  const acceptance = { properties: ours, sessionPresent: resumed, ...(session === undefined ? {} : { session }) };
  const connect = { cleanStart, properties: v5 ? theirs : null };
  return DrivenServer.opened(cut, level, { acceptance, maximumPacketSize }, connect);
}

function packetsOf(data: Uint8Array): Uint8Array[] {
  const measure = measurePacket(Number.POSITIVE_INFINITY);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < data.length; ) {
    const total = measure(data, at, data.length);
    if (total === 0 || at + total > data.length) throw new Error("half a packet was written");
    packets.push(data.subarray(at, at + total));
    at += total;
  }
  return packets;
}

function code(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

function text(properties: ReasonProperties | null): string {
  return properties?.reasonString === undefined ? "" : ` "${properties.reasonString}"`;
}
