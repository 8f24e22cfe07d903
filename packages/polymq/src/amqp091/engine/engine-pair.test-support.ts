/** Engines without a network for the tests beside this file: bytes in by hand, methods out, what the owner was told as lines. */
import type { MessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { Splitter } from "../../bytes/splitter.ts";
import { ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { Transport, TransportInfo } from "../../transport/transport.ts";
import type { Settlement } from "../codec/ack-reader.ts";
import { frameOf, hex, joined, methodFrame, TEXT } from "../codec/amqp091-arbitraries.test-support.ts";
import type { Content } from "../codec/content.ts";
import { measureFrame, protocolHeader } from "../codec/frame.ts";
import { decodeMethod } from "../codec/method-codec.ts";
import type { Method, MethodOf } from "../codec/method-types.ts";
import { decodeProperties, encodeProperties, NO_PROPERTIES } from "../codec/properties.ts";
import { RouteDecoder } from "../codec/route-decoder.ts";
import { RouteEncoder } from "../codec/route-encoder.ts";
import { saslPlain } from "../codec/sasl.ts";
import type { ClientChannel, EngineTypes, ServerChannel } from "./channel.ts";
import {
  CLIENT_CAPABILITIES,
  ClientEngine,
  type ClientEngineOptions,
  type ClientHandler,
  type ServerFacts,
} from "./client-engine.ts";
import type { CloseReason } from "./endpoint-options.ts";
import { ServerEngine, type ServerEngineOptions, type ServerHandler } from "./server-engine.ts";
import type { Tuning } from "./tuning.ts";

/** Everything that the tests hang onto things is text. */
export interface Texts extends EngineTypes {
  readonly owner: string;
  readonly consumer: string;
  readonly route: string;
  readonly request: string;
  readonly message: string;
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
  #chunks: Uint8Array[] = [];

  write(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk.slice());
    return true;
  }

  take(): Uint8Array {
    const all = joined(...this.#chunks);
    this.#chunks = [];
    return all;
  }

  pause(): void {}
  resume(): void {}
  close(): void {}
  destroy(): void {}
}

/** The frames in bytes, a text for each: a method as its name and arguments, anything else by its kind and length. */
export function frames(bytes: Uint8Array): string[] {
  const out: string[] = [];
  const splitter = new Splitter(measureFrame({ frameBytesMax: 10_000_000 }), (buffer, start, end) => {
    out.push(frameText(buffer.slice(start, end)));
    return true;
  });
  splitter.push(bytes);
  if (splitter.pendingBytes > 0) out.push(`cut off: ${splitter.pendingBytes} bytes`);
  return out;
}

function frameText(frame: Uint8Array): string {
  if (frame[0] === 0x41) return "protocol header";
  if (frame.at(-1) !== 0xce) throw new Error("a frame without its end");
  const channel = ((frame[1] ?? 0) << 8) | (frame[2] ?? 0);
  if (frame[0] === 8) return "heartbeat";
  if (frame[0] !== 1) return `${channel} ${frame[0] === 2 ? "header" : "body"} ${frame.length - 8}`;
  const { method, ...values } = decodeMethod(new ByteReader(TEXT, frame.slice(7, -1)));
  return `${channel} ${method} ${JSON.stringify(values, (_, value) => (value instanceof Uint8Array ? `${value.length} bytes` : value))}`;
}

function contentText(content: Content<string, string>): string {
  const { route, bodyStart, bodyEnd } = content;
  const properties = decodeProperties(
    new ByteReader(TEXT, content.properties.slice(content.propertiesStart, content.propertiesEnd)),
  );
  const body = content.bodyView();
  const text = body.length > 20 ? `${bodyEnd - bodyStart} bytes` : Array.from(body).join(" ");
  return `${route.exchange}/${route.routingKey} ${JSON.stringify(properties)} [${text}]`;
}

export function outbox(sink: Transport): Outbox {
  const box = new Outbox({ pool: new ChunkPool(), text: TEXT, armFlush: () => undefined, highWaterBytes: 1_000_000 });
  box.open(sink);
  return box;
}

export const TUNING: Tuning = { channelMax: 10, frameMax: 4096, heartbeatSeconds: 10 };

const COMMON = {
  tuning: TUNING,
  bodyBytesMax: 100_000,
  assemblyBytesMax: 150_000,
  handshakeTimeoutMs: 10_000,
  closeTimeoutMs: 5_000,
  nowMs: 0,
};

const SERVER_PROPERTIES = { product: "test" };

/** What both driven engines have. */
abstract class Driven {
  readonly lines: string[] = [];
  readonly sink: Sink = new Sink();
  readonly outbox: Outbox = outbox(this.sink);
  nowMs = 0;
  abstract readonly engine: ClientEngine<Texts> | ServerEngine<Texts>;

  feed(...parts: readonly Uint8Array[]): void {
    for (const part of parts) this.engine.onBytes(part.slice(), this.nowMs);
  }

  /** Feeds a method on a channel. */
  method(channel: number, method: Method): void {
    this.feed(methodFrame(method, channel));
  }

  /** What was written since the last call, a text for each frame. */
  sent(): string[] {
    return frames(this.sentBytes());
  }

  sentBytes(): Uint8Array {
    this.engine.beforeFlush();
    this.outbox.flush();
    return this.sink.take();
  }

  /** What the owner was told since the last call. */
  told(): string[] {
    return this.lines.splice(0);
  }

  protected tell(line: string): void {
    this.lines.push(line);
  }

  protected common(): {
    onChannelClosed(channel: ClientChannel<Texts> | ServerChannel<Texts>, reason: CloseReason | null): void;
    onFlow(channel: ClientChannel<Texts> | ServerChannel<Texts>, active: boolean): void;
    onClosed(reason: CloseReason | null): void;
    onFailed(error: MessagingError): void;
  } {
    const why = (reason: CloseReason | null): string =>
      reason === null ? "asked" : `${reason.replyCode} ${reason.replyText}`;
    return {
      onChannelClosed: (channel, reason) => this.tell(`channel ${channel.owner} closed: ${why(reason)}`),
      onFlow: (channel, active) => this.tell(`flow ${channel.owner} ${active}`),
      onClosed: (reason) => this.tell(`closed: ${why(reason)}`),
      onFailed: (error) => this.tell(`failed: ${error.code}`),
    };
  }
}

/** A client engine whose handler writes lines. */
export class DrivenClient extends Driven {
  readonly engine: ClientEngine<Texts>;
  readonly routes: RouteEncoder = new RouteEncoder(TEXT);
  noAck = false;

  constructor(options: Partial<ClientEngineOptions<Texts>> = {}) {
    super();
    this.engine = new ClientEngine<Texts>({
      ...COMMON,
      outbox: this.outbox,
      routes: new RouteDecoder(TEXT),
      handler: this.#handler(),
      mechanisms: [saslPlain(TEXT, { username: "u", password: "p" })],
      clientProperties: { capabilities: CLIENT_CAPABILITIES },
      virtualHost: "/",
      ...options,
    });
  }

  /** Publishes to exchange `x`; the body as bytes. */
  publish(channel: ClientChannel<Texts>, message: string, body: Uint8Array = hex("01")): number {
    return this.engine.publish(channel, this.routes.encode("x", "k"), 0, NO_PROPERTIES, body, message);
  }

  #handler(): ClientHandler<Texts> {
    return {
      ...this.common(),
      onOpen: (facts: ServerFacts) => this.tell(`open ${JSON.stringify(facts)}`),
      onRefused: (reason, during) => this.tell(`refused in ${during}: ${reason.replyCode} ${reason.replyText}`),
      onChannelOpen: (channel) => this.tell(`channel ${channel.owner} open`),
      onReply: (channel, request, reply) => this.tell(`${channel.owner} ${request}: ${reply.method}`),
      onSecretUpdated: (request) => this.tell(`secret ${request}`),
      onDeliver: (channel, content) => {
        if (!this.noAck) this.engine.expectAck(channel, content.deliveryTag);
        this.tell(
          `deliver ${content.consumerTag.name} ${content.deliveryTag} ${content.redelivered} ${contentText(content)}`,
        );
      },
      onGetOk: (_channel, request, content) =>
        this.tell(`${request}: got ${content.deliveryTag}, ${content.messageCount} left, ${contentText(content)}`),
      onReturn: (_channel, content) =>
        this.tell(`returned ${content.replyCode} ${content.replyText} ${contentText(content)}`),
      onConfirm: (_channel, message, tag, accepted) =>
        this.tell(`${accepted ? "confirmed" : "refused"} ${tag} ${message}`),
      onCancel: (_channel, consumerTag) => this.tell(`cancelled ${consumerTag}`),
      onBlocked: (reason) => this.tell(`blocked ${reason}`),
    };
  }
}

/** What a driven server does by itself. */
export interface ServerManners {
  readonly answer?: "at once" | "by hand";
  readonly options?: Partial<ServerEngineOptions<Texts>>;
}

/** A server engine whose handler writes lines. */
export class DrivenServer extends Driven {
  readonly engine: ServerEngine<Texts>;
  readonly channels: ServerChannel<Texts>[] = [];

  constructor(manners: ServerManners = {}) {
    super();
    this.engine = new ServerEngine<Texts>({
      ...COMMON,
      outbox: this.outbox,
      routes: new RouteDecoder(TEXT),
      handler: this.#handler(manners.answer ?? "at once"),
      serverProperties: SERVER_PROPERTIES,
      mechanisms: ["PLAIN", "AMQPLAIN"],
      ownerOf: (id) => `c${id}`,
      ...manners.options,
    });
  }

  get channel(): ServerChannel<Texts> {
    const channel = this.channels.at(-1);
    if (channel === undefined) throw new Error("no channel was opened");
    return channel;
  }

  #handler(answer: "at once" | "by hand"): ServerHandler<Texts> {
    return {
      ...this.common(),
      onStartOk: (start) => {
        this.tell(`start-ok ${start.mechanism} ${start.response.length} bytes`);
        if (answer === "at once") this.engine.accept();
      },
      onSecureOk: (response) => this.tell(`secure-ok ${response.length} bytes`),
      onOpen: (virtualHost, tuning) => {
        this.tell(`open ${virtualHost} ${JSON.stringify(tuning)}`);
        if (answer === "at once") this.engine.acceptOpen();
      },
      onUpdateSecret: (secret, reason) => {
        this.tell(`secret of ${secret.length} bytes: ${reason}`);
        this.engine.acceptSecret();
      },
      onChannelOpen: (channel) => {
        this.channels.push(channel);
        this.tell(`channel ${channel.owner} open`);
      },
      onMethod: (channel, method) => this.tell(`${channel.owner} ${method.method}`),
      onPublish: (channel, content, tag) =>
        this.tell(`publish ${channel.owner} ${tag} ${content.mandatory}/${content.immediate} ${contentText(content)}`),
      onSettled: (channel, message, settlement: Settlement, requeue) =>
        this.tell(`settled ${channel.owner} ${message} ${settlement}${requeue ? " requeue" : ""}`),
    };
  }
}

export const START: MethodOf<"connection.start"> = {
  method: "connection.start",
  versionMajor: 0,
  versionMinor: 9,
  serverProperties: SERVER_PROPERTIES,
  mechanisms: "AMQPLAIN PLAIN",
  locales: "en_US",
};

export const TUNE: MethodOf<"connection.tune"> = {
  method: "connection.tune",
  channelMax: 2047,
  frameMax: 131_072,
  heartbeat: 60,
};

/** A client whose connection is open, with nothing told or sent. */
export function openedClient(options: Partial<ClientEngineOptions<Texts>> = {}): DrivenClient {
  const client = new DrivenClient(options);
  client.engine.start();
  for (const method of [START, TUNE, { method: "connection.open-ok" } as const]) client.method(0, method);
  client.told();
  client.sent();
  return client;
}

/** The same with a channel `a`, number 1. */
export function clientWithChannel(
  options: Partial<ClientEngineOptions<Texts>> = {},
): [DrivenClient, ClientChannel<Texts>] {
  const client = openedClient(options);
  const channel = client.engine.openChannel("a");
  client.method(1, { method: "channel.open-ok" });
  client.told();
  client.sent();
  return [client, channel];
}

export const START_OK: MethodOf<"connection.start-ok"> = {
  method: "connection.start-ok",
  clientProperties: { capabilities: CLIENT_CAPABILITIES },
  mechanism: "PLAIN",
  response: hex("00 'u' 00 'p'"),
  locale: "en_US",
};

export const TUNE_OK: MethodOf<"connection.tune-ok"> = {
  method: "connection.tune-ok",
  channelMax: 10,
  frameMax: 4096,
  heartbeat: 10,
};

/** A server whose connection is open, with nothing told or sent. */
export function openedServer(manners: ServerManners = {}): DrivenServer {
  const server = new DrivenServer(manners);
  server.feed(protocolHeader());
  for (const method of [START_OK, TUNE_OK, { method: "connection.open", virtualHost: "/" } as const])
    server.method(0, method);
  server.told();
  server.sent();
  return server;
}

/** The same with channel 1. */
export function serverWithChannel(manners: ServerManners = {}): DrivenServer {
  const server = openedServer(manners);
  server.method(1, { method: "channel.open" });
  server.told();
  server.sent();
  return server;
}

/** A message as frames: header and bodies of the given sizes, to follow its method. */
export function contentFrames(
  channel: number,
  pieces: readonly Uint8Array[],
  announced?: number,
  block: Uint8Array = NO_PROPERTIES,
): Uint8Array {
  const total = announced ?? pieces.reduce((sum, piece) => sum + piece.length, 0);
  const size = Uint8Array.of(0, 0, 0, 0, total >>> 24, total >>> 16, total >>> 8, total);
  const header = frameOf(2, channel, joined(hex("003c 0000"), size, block));
  return joined(header, ...pieces.map((piece) => frameOf(3, channel, piece)));
}

export function deliver(deliveryTag: number, consumerTag = "ct"): Uint8Array {
  return methodFrame(
    { method: "basic.deliver", consumerTag, deliveryTag, redelivered: false, exchange: "x", routingKey: "k" },
    1,
  );
}

export function publish(exchange = "x"): Uint8Array {
  return methodFrame({ method: "basic.publish", exchange, routingKey: "k", mandatory: true, immediate: false }, 1);
}

export { encodeProperties, frameOf, hex, joined, methodFrame, NO_PROPERTIES, TEXT };
