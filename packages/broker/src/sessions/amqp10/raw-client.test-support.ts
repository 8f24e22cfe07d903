import {
  encodeMessage,
  FrameType,
  frameBody,
  frameChannel,
  frameType,
  type MessageInput,
  measureFrame,
  type PerformativeInput,
  ProtocolId,
  protocolHeader,
  readPerformative,
  readSaslFrame,
  type SaslFrameInput,
  ValueReader,
  writeFrame,
  writeSaslFrame,
} from "polymq/amqp10/codec";
import { ByteWriter, Splitter } from "polymq/internal";
import { type MemoryTransport, memoryPair } from "polymq/testing";
import { type Clock, systemClock } from "polymq/transport";
import type { MemoryBroker } from "../../testing/memory-broker.ts";
import { TEXT } from "./scene.test-support.ts";

const FRAME_BYTES_MAX = 1_048_576;

/** A connection whose frames the test makes itself, and which notes what the broker says. */
export class RawAmqp10 {
  /** What came and was not asked for yet: `<type> <condition>` of frames, `header <id>`, and `end` of the connection. */
  readonly #said: string[] = [];
  #wanted: (() => void) | null = null;
  readonly #transport: MemoryTransport;
  #headers = 1;

  constructor(broker: MemoryBroker, clock: Clock = systemClock()) {
    const pair = memoryPair({ clock });
    broker.accept((handler) => pair.server.attach(handler));
    const splitter = new Splitter(
      (buffer, at, end) =>
        buffer[at] === 0x41 && this.#headers > 0 ? 8 : measureFrame(buffer, at, end, FRAME_BYTES_MAX),
      (buffer, start, end) => {
        this.#tell(describe(buffer, start, end));
        return true;
      },
    );
    this.#transport = pair.client.attach({
      onBytes: (chunk) => splitter.push(chunk),
      onDrain: () => undefined,
      onClosed: () => this.#tell("end"),
    }) as MemoryTransport;
  }

  write(...bytes: readonly Uint8Array[]): void {
    for (const each of bytes) this.#transport.write(each);
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#transport.pause();
  }

  send(channel: number, ...performatives: readonly PerformativeInput[]): void {
    for (const each of performatives) this.write(frame(channel, each));
  }

  sasl(input: SaslFrameInput): void {
    const w = new ByteWriter(TEXT, 256);
    writeSaslFrame(w, input);
    this.write(w.copyFrom(0));
  }

  /** The next thing that the broker says. */
  async next(): Promise<string> {
    while (this.#said.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
    return this.#said.shift() ?? "";
  }

  /** All that the broker says up to something that begins so. */
  async until(start: string): Promise<string> {
    for (;;) {
      const said = await this.next();
      if (said.startsWith(start)) return said;
      if (said === "end") return `end before ${start}`;
    }
  }

  /** Opens the connection and a session on channel 0. */
  async open(): Promise<this> {
    this.#headers = 2;
    this.write(protocolHeader(ProtocolId.amqp));
    this.send(
      0,
      { type: "open", containerId: "raw", maxFrameSize: 65_536 },
      { type: "begin", nextOutgoingId: 0, incomingWindow: 2_048, outgoingWindow: 2_048 },
    );
    await this.until("begin");
    return this;
  }

  /** Attaches a sender with handle 0. */
  async sender(address: string): Promise<this> {
    this.send(0, {
      type: "attach",
      name: "s",
      handle: 0,
      role: false,
      initialDeliveryCount: 0,
      source: { type: "source" },
      target: { type: "target", address },
    });
    await this.until("flow");
    return this;
  }

  #tell(what: string): void {
    this.#said.push(what);
    this.#wanted?.();
    this.#wanted = null;
  }
}

/** A performative as a frame, perhaps with payload. */
export function frame(
  channel: number,
  performative: PerformativeInput,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const w = new ByteWriter(TEXT, 256 + payload.length);
  writeFrame(w, channel, performative);
  w.reserve(payload.length);
  w.bytes(payload);
  const bytes = w.copyFrom(0);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length);
  return bytes;
}

/** A first transfer on handle 0. */
export function transfer(
  id: number,
  payload: Uint8Array,
  more: Partial<Extract<PerformativeInput, { type: "transfer" }>> = {},
): Uint8Array {
  const head = {
    type: "transfer",
    handle: 0,
    deliveryId: id,
    deliveryTag: Uint8Array.of(id),
    messageFormat: 0,
    ...more,
  } as const;
  return frame(0, head, payload);
}

export function message(input: MessageInput): Uint8Array {
  return encodeMessage(TEXT, input);
}

function describe(buffer: Uint8Array, start: number, end: number): string {
  if (buffer[start] === 0x41 && end - start === 8) return `header ${buffer[start + 4]}`;
  const reader = new ValueReader(TEXT);
  reader.reset(buffer, frameBody(buffer, start, end), end);
  if (reader.left === 0) return "heartbeat";
  if (frameType(buffer, start) === FrameType.sasl) {
    const sasl = readSaslFrame(reader);
    if (sasl.type === "saslMechanisms") return `mechanisms ${sasl.saslServerMechanisms.join(" ")}`;
    return sasl.type === "saslOutcome" ? `outcome ${sasl.code}` : sasl.type;
  }
  frameChannel(buffer, start);
  const said = readPerformative(reader);
  if (said.type === "disposition" && said.state !== null && "type" in said.state) {
    const { state } = said;
    const condition = state.type === "rejected" && state.error !== null ? ` ${state.error.condition}` : "";
    return `disposition ${said.first} ${state.type}${condition}`;
  }
  const error = "error" in said ? said.error : null;
  return error === null ? said.type : `${said.type} ${error.condition}`;
}
