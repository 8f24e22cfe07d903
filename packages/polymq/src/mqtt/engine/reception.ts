import type { ByteReader } from "../../bytes/reader.ts";
import type { ProtocolLevel } from "../codec/packets.ts";
import type { PublishHead } from "../codec/publish-head.ts";
import type { PublishBlockReader } from "../codec/publish-properties.ts";
import type { TopicEntry } from "../codec/topic-decoder.ts";
import type { AckSink } from "./inbound-flow.ts";
import type { InboundAliases } from "./topic-aliases.ts";

/** What an open connection offers to what receives messages on it. */
export interface Reception<Route> {
  readonly endpoint: ReceivingEndpoint;
  readonly level: ProtocolLevel;
  /** Lent for the time of a call. */
  readonly reader: ByteReader;
  /** How the properties of a PUBLISH are read: a client hands them on, a broker passes their bytes on. */
  readonly readProperties: PublishBlockReader;
  /** Null at level 4, which has none. */
  readonly aliases: InboundAliases<TopicEntry<Route>> | null;
  /** PUBLISH packets of QoS above 0 that the peer may have in flight. */
  readonly receiveMaximum: number;
  /** True when both sides go on with a session from before. */
  readonly resumed: boolean;
}

/** The connection's side of receiving. */
export interface ReceivingEndpoint extends AckSink {
  /** Role-specific checks of an arrived PUBLISH; throws to end the connection. */
  checkPublish(head: PublishHead): void;
}

/** What receives messages on one connection: a `Receiver`, or what holds them until there is one. */
export interface Receiving {
  /** Takes the PUBLISH in [start, end) of a chunk that nobody writes into again. Throws to end the connection. */
  onPublish(buffer: Uint8Array, start: number, end: number): void;
  /** All of a chunk has been read. */
  chunkEnded(): void;
  /** As `InboundFlow.settle`. */
  settle(ticket: number, reasonCode: number): boolean;
  /** As `InboundFlow.released`. */
  released(packetId: number): boolean;
  /** The connection is over. */
  suspend(): void;
}
