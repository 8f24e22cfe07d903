import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import type { Auth, ProtocolLevel } from "./packets.ts";
import type { PropertyBlocks, PropertyCarrier } from "./properties.ts";
import type { ReasonCodePacket } from "./reason-codes.ts";

/**
 * What packets have at one protocol level and not at the other: properties, reason codes, AUTH. It is handed in, so that a client that speaks 3.1.1 alone
 * needs nothing of 5.0.
 */
export interface LevelRules {
  readonly level: ProtocolLevel;
  /**
   * Writes a property block with its length in front, making room for it, and returns the bytes of its properties; nothing at level 4.
   * Refuses what `putProperties` does; at level 4 any properties with `ERR_INVALID_ARGUMENT`.
   */
  putProperties<C extends PropertyCarrier>(w: ByteWriter, carrier: C, properties: PropertyBlocks[C] | null): number;
  /** Reads a property block as `decodeProperties` does; null at level 4, where there is none. */
  readProperties<C extends PropertyCarrier>(r: ByteReader, carrier: C): PropertyBlocks[C] | null;
  /** The reason codes that a packet may carry; at level 4 its return codes, or 0 alone. */
  readonly reasonCodes: Readonly<Record<ReasonCodePacket, readonly number[]>>;
  /** See `auth.ts`; at level 4 refused. */
  decodeAuth(r: ByteReader): Auth;
  /** See `auth.ts`; at level 4 refused. */
  encodeAuth(w: ByteWriter, packet: Auth): void;
}
