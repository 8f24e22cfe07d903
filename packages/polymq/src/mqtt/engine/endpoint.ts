// Hot path: runs per frame. No closure, promise, spread, iterator or regex here.
import { isMessagingError, MessagingError } from "../../base/errors.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { Splitter } from "../../bytes/splitter.ts";
import { ByteWriter, VARINT_MAX } from "../../bytes/writer.ts";
import type { Outbox } from "../../transport/outbox.ts";
import { BARE_ACK_BYTES, readBareAck, writeAck } from "../codec/bare-ack.ts";
import { measurePacket, PacketType } from "../codec/header.ts";
import { NO_PROPERTIES } from "../codec/no-properties.ts";
import type { Packet, ProtocolLevel, PublishAck, ReasonProperties } from "../codec/packets.ts";
import { type PublishFields, publishBytes, writePublish } from "../codec/publish.ts";
import type { PublishHead } from "../codec/publish-head.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import type { EndpointAgreement, EndpointHandler, EndpointOptions } from "./endpoint-contract.ts";
import { type OutboundFlow, Phase } from "./outbound-flow.ts";
import type { Receiving, ReceivingEndpoint } from "./reception.ts";
import type { OutboundAliases } from "./topic-aliases.ts";

/**
 * One MQTT connection as bytes in and bytes out, the half that client and server have in common: frames, messages in both
 * directions with their acknowledgements, topic aliases. It knows no socket and no clock: the owner feeds it chunks and the
 * time, and flushes the outbox.
 */
export abstract class Endpoint<Item> implements ReceivingEndpoint {
  readonly outbox: Outbox;
  protected readonly handler: EndpointHandler<Item>;
  protected level: ProtocolLevel = 4;
  protected nowMs: number;
  protected readonly reader: ByteReader;
  /** Null before the handshake is done, like `#receiving`. */
  #outbound: OutboundFlow<Item> | null = null;
  #receiving: Receiving | null = null;
  /** Set once the connection is over: nothing more is read or written. */
  #over = false;
  readonly #splitter: Splitter;
  /** Null where none may be used. */
  #aliasesOut: OutboundAliases | null = null;
  #peerMaximumPacketSize: number = Number.POSITIVE_INFINITY;
  /** The same, but never above what the protocol can say. */
  #aliasedBytesMax = PACKET_BYTES_MAX;

  constructor(options: EndpointOptions<Item>) {
    this.outbox = options.outbox;
    this.handler = options.handler;
    this.nowMs = options.nowMs;
    this.reader = new ByteReader(options.outbox.text);
    this.#splitter = new Splitter(measurePacket(options.maximumPacketSize), (b, s, e) => this.#onFrame(b, s, e));
  }

  /** True when the connection has ended; every further call is ignored. */
  get over(): boolean {
    return this.#over;
  }

  /** Protocol level in force: 4 or 5. */
  get protocolLevel(): ProtocolLevel {
    return this.level;
  }

  /** Feeds received bytes; what they ask for is in the outbox afterwards. Never throws. */
  onBytes(chunk: Uint8Array, nowMs: number): void {
    if (this.#over) return;
    this.nowMs = nowMs;
    this.heard(nowMs);
    try {
      const outbound = this.#outbound;
      const at = outbound === null || this.#splitter.pendingBytes > 0 ? 0 : this.#takeAcks(outbound, chunk);
      if (at < chunk.length && !this.#over) this.#splitter.push(chunk, at);
      if (outbound !== null && !this.#over) this.#receiving?.chunkEnded();
    } catch (error) {
      this.fail(asMessagingError(error));
    }
  }

  /** The time of the turn in which the owner writes. */
  onTurn(nowMs: number): void {
    this.nowMs = nowMs;
  }

  /** Ends the connection because of `error`, telling the peer why where the protocol allows it. */
  fail(error: MessagingError): void {
    if (this.#over) return;
    const text = error.message.slice(0, REASON_UNITS_MAX);
    this.sayGoodbye(error, text.isWellFormed() && !text.includes("\0") ? text : "");
    this.end();
    this.handler.onFailed(error);
  }

  /** Stops reading and writing, without a word to the peer. */
  end(): void {
    // Only once: by now the session may belong to the next connection.
    if (this.#over) return;
    this.#over = true;
    this.#receiving?.suspend();
  }

  /**
   * Settles a received message; its acknowledgement leaves in the order of arrival. False when it is too late. Level 4 has
   * no reason codes: there the message counts as accepted.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT for a code that PUBACK and PUBREC may not carry [MQTT-3.4.2-1] [MQTT-3.5.2-1]
   */
  settle(ticket: number, reasonCode: number): boolean {
    if (this.#receiving === null) return false;
    const code = this.level === 4 ? 0 : reasonCode;
    if (code !== 0 && !this.mayAnswer(code)) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `a PUBLISH may not be answered with reason code ${code}`);
    }
    return this.#receiving.settle(ticket, code);
  }

  /**
   * Encodes one PUBLISH into the outbox and returns its bytes; it stands at `outbox.at - <bytes>`. With an error thrown
   * nothing was written; 0 when the connection is over. Five plain parameters, for an object per message to hold them
   * would be garbage.
   * @param block encoded properties without a topic alias, or null for none
   * @throws {MessagingError} ERR_PACKET_TOO_LARGE above what the peer accepts [MQTT-3.1.2-24], ERR_NOT_CONNECTED before CONNACK
   */
  sendPublish(
    fields: PublishFields,
    topic: string,
    topicBytes: Uint8Array,
    payload: Uint8Array,
    block: Uint8Array | null,
  ): number {
    if (this.#over) return 0;
    if (this.#outbound === null) throw new MessagingError("ERR_NOT_CONNECTED", "PUBLISH before CONNACK");
    let properties: Uint8Array | null = null;
    let name = topicBytes;
    if (this.level === 5) {
      properties = block ?? NO_PROPERTIES;
      // An alias is only taken when the message then fits for sure: one that is refused must not leave an alias behind that
      // the peer never learned.
      const aliases = this.#aliasesOut;
      if (
        aliases !== null &&
        publishBytes(fields.qos, topicBytes, payload, properties) + ALIAS_BYTES_MAX <= this.#aliasedBytesMax
      ) {
        const alias = aliases.use(topic);
        properties = aliases.withAlias(properties, alias < 0 ? -alias : alias);
        if (alias > 0) name = NO_BYTES;
      }
    }
    if (this.#peerMaximumPacketSize !== Number.POSITIVE_INFINITY) {
      this.#checkSize(publishBytes(fields.qos, name, payload, properties));
    }
    const bytes = writePublish(this.outbox, fields, name, payload, properties);
    this.outbox.commit();
    return bytes;
  }

  /** Writes PUBREL. */
  sendPubrel(packetId: number, reasonCode: number): void {
    this.#sendAck(PacketType.PUBREL, "pubrel", packetId, reasonCode);
  }

  /** Answers PUBREL; an unknown packet id is said so at level 5 (MQTT 5.0 §3.7.2.1). */
  sendPubcomp(packetId: number, known: boolean): void {
    this.#sendAck(PacketType.PUBCOMP, "pubcomp", packetId, known ? 0 : ReasonCode.PacketIdentifierNotFound);
  }

  /** Called by the inbound flow when an acknowledgement's turn has come. */
  sendAck(packetId: number, exactlyOnce: boolean, reasonCode: number): void {
    if (exactlyOnce) this.#sendAck(PacketType.PUBREC, "pubrec", packetId, reasonCode);
    else this.#sendAck(PacketType.PUBACK, "puback", packetId, reasonCode);
  }

  /**
   * Encodes any packet into the outbox, without its reason string and user properties where it would be too large for the
   * peer with them. @throws {MessagingError} what the encoder refuses, and ERR_PACKET_TOO_LARGE
   */
  protected send(packet: Packet): void {
    if (this.#over) return;
    const scratch = new ByteWriter(this.outbox.text, 64);
    this.encode(scratch, packet);
    const lighter = scratch.at > this.#peerMaximumPacketSize ? this.lighten(packet) : null;
    if (lighter !== null) return this.send(lighter);
    this.#checkSize(scratch.at);
    this.outbox.reserve(scratch.at);
    this.outbox.bytes(scratch.buffer.subarray(0, scratch.at));
    this.outbox.commit();
  }

  /** Sends a last packet; one that is too large for the peer goes unsaid, for the connection ends all the same [MQTT-4.13.2-1]. */
  protected sendLast(packet: Packet): void {
    try {
      this.send(packet);
    } catch (error) {
      if (!isMessagingError(error) || error.code !== "ERR_PACKET_TOO_LARGE") throw error;
    }
  }

  /** From now on nothing larger is sent [MQTT-3.1.2-24] [MQTT-3.2.2-15]. */
  protected limitPackets(maximumPacketSize: number): void {
    this.#peerMaximumPacketSize = maximumPacketSize;
    this.#aliasedBytesMax = Math.min(maximumPacketSize, PACKET_BYTES_MAX);
  }

  /** The handshake is done: messages may flow. */
  protected agree(agreement: EndpointAgreement<Item>): void {
    this.level = agreement.level;
    this.#outbound = agreement.outbound;
    this.#aliasesOut = agreement.aliases;
    this.limitPackets(agreement.peerMaximumPacketSize);
    agreement.outbound.openWindow(agreement.sendWindow);
    this.#receiving = agreement.receiving;
  }

  /** From now on messages are received with this. */
  protected receiveWith(receiving: Receiving): void {
    if (!this.#over) this.#receiving = receiving;
  }

  /** Handles a frame that was held back before `agree`. */
  protected replay(frame: Uint8Array): void {
    if (!this.#over) this.#onFrame(frame, 0, frame.length);
  }

  /** Decodes any packet that the peer may send, other than PUBLISH. */
  protected abstract decode(r: ByteReader): Packet;
  /** Encodes any packet that this side sends, other than PUBLISH. */
  protected abstract encode(w: ByteWriter, packet: Packet): void;
  /** A packet other than PUBLISH and its acknowledgements, after `agree`. */
  protected abstract onPacket(packet: Packet): void;
  /** A whole frame in the reader's window, before `agree`. */
  protected abstract onEarlyFrame(reader: ByteReader): void;
  /** Tells the peer why the connection ends, where the protocol has words for it; `text` may be "". Must not throw. */
  protected abstract sayGoodbye(error: MessagingError, text: string): void;
  /** The packet with less in it, for a peer that it is too large for; null when nothing may be left out. */
  protected abstract lighten(packet: Packet): Packet | null;
  /** Whether PUBACK and PUBREC may carry this reason code at level 5. */
  protected abstract mayAnswer(reasonCode: number): boolean;
  /** Bytes have come: the peer is there. */
  protected abstract heard(nowMs: number): void;

  #onFrame(buffer: Uint8Array, start: number, end: number): boolean {
    const outbound = this.#outbound;
    const reader = this.reader;
    if (outbound === null) {
      reader.reset(buffer, start, end);
      this.onEarlyFrame(reader);
      return !this.#over;
    }
    const type = (buffer[start] as number) >> 4;
    if (type === PacketType.PUBLISH) this.#receiving?.onPublish(buffer, start, end);
    else if (type >= PacketType.PUBACK && type <= PacketType.PUBCOMP) this.#onAckFrame(outbound, buffer, start, end);
    else {
      reader.reset(buffer, start, end);
      this.onPacket(this.decode(reader));
    }
    return !this.#over;
  }

  /**
   * Takes the bare acknowledgements that the chunk begins with, and returns where they end: without the way through the
   * splitter a QoS 1 publish costs 6 % less in all.
   */
  #takeAcks(outbound: OutboundFlow<Item>, chunk: Uint8Array): number {
    let at = 0;
    for (let end = BARE_ACK_BYTES; end <= chunk.length && !this.#over; end += BARE_ACK_BYTES) {
      const packetId = readBareAck(chunk, at, end);
      if (packetId === 0) return at;
      const type = (chunk[at] as number) >> 4;
      const item = type === PacketType.PUBACK ? outbound.finish(packetId, Phase.AtLeastOnce) : undefined;
      if (item !== undefined) this.handler.onPublishDone(item, packetId, 0, null);
      else this.#onAck(outbound, type, packetId, 0, null);
      at = end;
    }
    return at;
  }

  /** True where PUBACK may end a QoS 2 exchange that awaits PUBREC. */
  protected abstract get takesDowngrade(): boolean;

  /** Role-specific checks of an arrived PUBLISH; throws to end the connection. */
  abstract checkPublish(head: PublishHead): void;

  #onAckFrame(outbound: OutboundFlow<Item>, buffer: Uint8Array, start: number, end: number): void {
    const packetId = readBareAck(buffer, start, end);
    if (packetId !== 0) return this.#onAck(outbound, (buffer[start] as number) >> 4, packetId, 0, null);
    this.reader.reset(buffer, start, end);
    const packet = this.decode(this.reader) as PublishAck;
    this.#onAck(outbound, (buffer[start] as number) >> 4, packet.packetId, packet.reasonCode, packet.properties);
  }

  #onAck(
    outbound: OutboundFlow<Item>,
    type: number,
    packetId: number,
    reasonCode: number,
    properties: ReasonProperties | null,
  ): void {
    switch (type) {
      case PacketType.PUBACK:
        return this.#finish(outbound, Phase.AtLeastOnce, packetId, reasonCode, properties);
      case PacketType.PUBREC:
        return this.#onPubrec(outbound, packetId, reasonCode, properties);
      case PacketType.PUBREL:
        return this.handler.onReleased(packetId, this.#receiving?.released(packetId) === true);
      default:
        return this.#finish(outbound, Phase.Released, packetId, reasonCode, properties);
    }
  }

  #onPubrec(
    outbound: OutboundFlow<Item>,
    packetId: number,
    reasonCode: number,
    properties: ReasonProperties | null,
  ): void {
    const item = outbound.item(packetId);
    switch (outbound.phase(packetId)) {
      case Phase.ExactlyOnce:
        if (reasonCode >= 0x80) return this.#finish(outbound, Phase.ExactlyOnce, packetId, reasonCode, properties);
        outbound.release(packetId);
        if (item !== undefined) this.handler.onPublishReceived(item, packetId);
        return;
      case Phase.Released:
        // A repeated PUBREC asks for PUBREL again [MQTT-4.3.3-4].
        if (item !== undefined) this.handler.onPublishReceived(item, packetId);
        return;
      case Phase.Free:
        // A PUBREC that refuses asks for no PUBREL [MQTT-4.3.3-4].
        if (reasonCode >= 0x80) return;
        return this.sendPubrel(packetId, ReasonCode.PacketIdentifierNotFound);
      default:
        throw wrongAck("PUBREC", packetId);
    }
  }

  #finish(
    outbound: OutboundFlow<Item>,
    phase: Phase,
    packetId: number,
    reasonCode: number,
    properties: ReasonProperties | null,
  ): void {
    const now = outbound.phase(packetId);
    if (now !== phase) {
      // An id that is free may be acknowledged late, after its session was lost; another exchange's id never [MQTT-4.3.2-2].
      if (now === Phase.Free) return;
      const downgraded = phase === Phase.AtLeastOnce && now === Phase.ExactlyOnce && this.takesDowngrade;
      if (!downgraded) throw wrongAck(phase === Phase.AtLeastOnce ? "PUBACK" : "PUBCOMP", packetId);
    }
    const item = outbound.finish(packetId, now);
    if (item !== undefined) this.handler.onPublishDone(item, packetId, reasonCode, properties);
  }

  #sendAck(
    type: typeof PacketType.PUBACK | typeof PacketType.PUBREC | typeof PacketType.PUBREL | typeof PacketType.PUBCOMP,
    name: PublishAck["type"],
    packetId: number,
    reasonCode: number,
  ): void {
    if (this.#over) return;
    if (reasonCode === 0 || this.level === 4) {
      writeAck(this.outbox, type, packetId);
      this.outbox.commit();
    } else this.send({ type: name, packetId, reasonCode, properties: null });
  }

  #checkSize(bytes: number): void {
    if (bytes <= this.#peerMaximumPacketSize) return;
    throw new MessagingError(
      "ERR_PACKET_TOO_LARGE",
      `a packet of ${bytes} bytes, the peer accepts ${this.#peerMaximumPacketSize}`,
    );
  }
}

/** Most that a topic alias adds to a PUBLISH: the property, and one more byte for property length or remaining length, never for both. */
const ALIAS_BYTES_MAX = 4;

/** The largest packet that the protocol can say: fixed header and remaining length (MQTT 5.0 §2.1.4). */
const PACKET_BYTES_MAX = VARINT_MAX + 5;

/** Longest reason string that is made of an error, in UTF-16 units. */
const REASON_UNITS_MAX = 1_000;

function wrongAck(name: string, packetId: number): MessagingError {
  return new MessagingError("ERR_PROTOCOL_VIOLATION", `${name} for packet id ${packetId}, which awaits another packet`);
}

/** Anything that is not a typed error is a defect of ours; it ends the connection instead of the process. */
export function asMessagingError(error: unknown): MessagingError {
  if (isMessagingError(error)) return error;
  return new MessagingError("ERR_PROTOCOL_VIOLATION", "internal error while handling a packet", { cause: error });
}
