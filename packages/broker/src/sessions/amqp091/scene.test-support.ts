import { AmqpClient, type AmqpClientOptions } from "polymq/amqp091";
import {
  CONTENT_HEADER_BYTES,
  decodeMethod,
  encodeMethod,
  FRAME_END,
  FRAME_HEAD_BYTES,
  FrameType,
  type Method,
  measureFrame,
  protocolHeader,
  saslPlain,
} from "polymq/amqp091/codec";
import { ByteReader, ByteWriter, Splitter, webText } from "polymq/internal";
import { MqttClient, type MqttClientOptions } from "polymq/mqtt";
import { type MemoryTransport, memoryPair, type VirtualClock } from "polymq/testing";
import { type Clock, systemClock } from "polymq/transport";
import type { BrokerOptions } from "../../options.ts";
import { type MemoryBroker, type MemoryBrokerParts, memoryBroker } from "../../testing/memory-broker.ts";

export const TEXT: ReturnType<typeof webText> = webText();

/** A broker in memory with clients of it; all are gone at the end of the scope. */
export class AmqpScene implements AsyncDisposable {
  readonly broker: MemoryBroker;
  readonly #clients: AsyncDisposable[] = [];

  private constructor(broker: MemoryBroker) {
    this.broker = broker;
  }

  static async open(options: BrokerOptions = {}, parts: MemoryBrokerParts = {}): Promise<AmqpScene> {
    return new AmqpScene(await memoryBroker(options, parts));
  }

  /** A connected client. */
  async client(options: Partial<AmqpClientOptions> = {}): Promise<AmqpClient> {
    const client = new AmqpClient({ servers: "amqp://memory", dial: this.broker.dial, reconnect: false, ...options });
    this.#clients.push(client);
    await client.connect();
    return client;
  }

  /** A connected MQTT client. */
  async mqtt(options: Partial<MqttClientOptions> = {}): Promise<MqttClient> {
    const client = new MqttClient({
      servers: "mqtt://memory",
      clientId: `m${this.#clients.length}`,
      protocolVersion: 5,
      dial: this.broker.dial,
      ...options,
    });
    this.#clients.push(client);
    await client.connect();
    return client;
  }

  /** A client that sends bytes of the test's own. */
  raw(clock: Clock = systemClock()): RawClient {
    return new RawClient(this.broker, clock);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    await this.broker.close();
  }
}

const CAPABLE = {
  capabilities: { authentication_failure_close: true, consumer_cancel_notify: true, "connection.blocked": true },
};

/** A connection whose frames the test makes itself, and which notes what the server says. */
export class RawClient {
  /** What came and was not asked for yet: methods, content in words, and `end` of the connection. */
  readonly #said: string[] = [];
  #wanted: (() => void) | null = null;
  readonly #transport: MemoryTransport;

  constructor(broker: MemoryBroker, clock: Clock) {
    const pair = memoryPair({ clock });
    broker.accept((handler) => pair.server.attach(handler));
    const splitter = new Splitter(measureFrame({ frameBytesMax: 131_072 }), (buffer, start, end) => {
      this.#tell(describe(buffer, start, end));
      return true;
    });
    this.#transport = pair.client.attach({
      onBytes: (chunk) => splitter.push(chunk),
      onDrain: () => undefined,
      onClosed: () => this.#tell("end"),
    }) as MemoryTransport;
  }

  write(...bytes: readonly Uint8Array[]): void {
    for (const each of bytes) this.#transport.write(each);
  }

  /** Breaks the connection. */
  end(): void {
    this.#transport.destroy();
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#transport.pause();
  }

  send(channel: number, ...methods: readonly Method[]): void {
    this.write(...methods.map((method) => methodFrame(channel, method)));
  }

  /** The next thing that the server says. */
  async next(): Promise<string> {
    while (this.#said.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
    return this.#said.shift() ?? "";
  }

  /** The next things that the server says. */
  async take(count: number): Promise<string[]> {
    const said: string[] = [];
    while (said.length < count) said.push(await this.next());
    return said;
  }

  /** Begins, and says who it is. */
  async start(
    user = "guest",
    password = "guest",
    clientProperties: Extract<Method, { method: "connection.start-ok" }>["clientProperties"] = CAPABLE,
  ): Promise<void> {
    this.write(protocolHeader());
    await this.next();
    const { response } = saslPlain(TEXT, { username: user, password });
    this.send(0, { method: "connection.start-ok", clientProperties, mechanism: "PLAIN", response, locale: "en_US" });
  }

  /** Opens the connection and channel 1. */
  async open(virtualHost = "/"): Promise<this> {
    await this.start();
    await this.next();
    this.send(
      0,
      { method: "connection.tune-ok", channelMax: 2_047, frameMax: 131_072, heartbeat: 0 },
      { method: "connection.open", virtualHost },
    );
    this.send(1, { method: "channel.open" });
    await this.take(2);
    return this;
  }

  #tell(what: string): void {
    this.#said.push(what);
    this.#wanted?.();
    this.#wanted = null;
  }
}

/** A method as a frame. */
export function methodFrame(channel: number, method: Method): Uint8Array {
  const w = new ByteWriter(TEXT, 256);
  encodeMethod(w, channel, method, 131_072);
  return w.copyFrom(0);
}

/** A frame of any type and payload. */
export function frame(type: number, channel: number, payload: Uint8Array, end: number = FRAME_END): Uint8Array {
  const w = new ByteWriter(TEXT, payload.length + 8);
  w.u8(type);
  w.u16(channel);
  w.u32(payload.length);
  w.bytes(payload);
  w.u8(end);
  return w.copyFrom(0);
}

/** A content header frame. */
export function headerFrame(
  channel: number,
  bodyBytes: number,
  properties: Uint8Array = new Uint8Array(2),
): Uint8Array {
  const w = new ByteWriter(TEXT, CONTENT_HEADER_BYTES + properties.length);
  w.u16(60);
  w.u16(0);
  w.u32(Math.floor(bodyBytes / 0x1_0000_0000));
  w.u32(bodyBytes >>> 0);
  w.bytes(properties);
  return frame(FrameType.Header, channel, w.copyFrom(0));
}

function describe(buffer: Uint8Array, start: number, end: number): string {
  if (buffer[start] === 0x41) return "protocol header";
  const type = buffer[start];
  const channel = ((buffer[start + 1] as number) << 8) | (buffer[start + 2] as number);
  const payload = buffer.subarray(start + FRAME_HEAD_BYTES, end - 1);
  if (type === FrameType.Heartbeat) return "heartbeat";
  if (type === FrameType.Header) return `${channel} header`;
  if (type === FrameType.Body) return `${channel} body ${Buffer.from(payload).toString()}`;
  const { method, ...fields } = decodeMethod(new ByteReader(TEXT, payload.slice()));
  if (method === "connection.close" || method === "channel.close") {
    const { replyCode, replyText } = fields as { replyCode: number; replyText: string };
    return `${channel} ${method} ${replyCode} ${replyText}`;
  }
  if (method === "basic.ack" || method === "basic.nack") {
    const { deliveryTag, multiple } = fields as { deliveryTag: number; multiple: boolean };
    return `${channel} ${method} ${deliveryTag}${multiple ? " multiple" : ""}`;
  }
  return `${channel} ${method}`;
}

/** Moves the time until something has happened. */
export async function moving<T>(clock: VirtualClock, happening: Promise<T>, stepMs: number): Promise<T> {
  let isDone = false;
  const done = happening.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await clock.advance(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await done;
}
