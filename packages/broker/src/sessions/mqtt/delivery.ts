import { MessagingError } from "polymq/internal";
import type { Message } from "../../core/message.ts";
import type { StoredDelivery } from "../../core/persistence.ts";
import type { SharedGroup } from "../../core/shared-group.ts";

/** A QoS 1 or 2 message on its way to one session: it waits in the mailbox or is in flight. */
export class Delivery {
  readonly message: Message;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  /** Its stored copy, or null when the session is not stored. */
  stored: StoredDelivery | null = null;
  /** The group that it came by, or null; not known any more after a restart. */
  group: SharedGroup | null = null;
  /** False while it, or its PUBREL, must not be written yet: see `MqttSession`. */
  mayGo = true;
  /** True while it is in flight and counted as such. */
  isHeld = false;
  // The fields of a PUBLISH, so that a delivery can be written as it is.
  packetId = 0;
  /** True once it may have been written before. */
  dup = false;

  constructor(message: Message, qos: 1 | 2, retain: boolean, identifiers: readonly number[]) {
    this.message = message;
    this.qos = qos;
    this.retain = retain;
    this.identifiers = identifiers;
  }
}

/** Where a stored delivery stands. */
export type DeliveryPhase = "waiting" | "sent" | "released";

const PHASES: readonly DeliveryPhase[] = ["waiting", "sent", "released"];

/**
 * What a session remembers of a delivery in the store: byte 0 holds QoS (bits 0-1), retain (bit 2) and phase (bits 4-5), then
 * the packet id u16, then the subscription identifiers as u32 each.
 */
export function encodeDelivery(delivery: Delivery, phase: DeliveryPhase): Uint8Array {
  const record = new Uint8Array(3 + 4 * delivery.identifiers.length);
  record[0] = delivery.qos | (delivery.retain ? 4 : 0) | (PHASES.indexOf(phase) << 4);
  const view = new DataView(record.buffer);
  view.setUint16(1, phase === "waiting" ? 0 : delivery.packetId);
  delivery.identifiers.forEach((identifier, i) => {
    view.setUint32(3 + 4 * i, identifier);
  });
  return record;
}

/** The reverse of {@link encodeDelivery}. @throws {MessagingError} ERR_STORE_CORRUPT */
export function decodeDelivery(message: Message, record: Uint8Array): { delivery: Delivery; phase: DeliveryPhase } {
  const flags = record[0] ?? 0;
  const qos = flags & 3;
  const phase = PHASES[(flags >> 4) & 3];
  if ((qos !== 1 && qos !== 2) || phase === undefined || record.length < 3 || (record.length - 3) % 4 !== 0) {
    throw new MessagingError("ERR_STORE_CORRUPT", "a stored delivery has an unknown form");
  }
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const identifiers: number[] = [];
  for (let at = 3; at < record.length; at += 4) identifiers.push(view.getUint32(at));
  const delivery = new Delivery(message, qos, (flags & 4) !== 0, identifiers);
  delivery.packetId = view.getUint16(1);
  delivery.dup = phase !== "waiting";
  return { delivery, phase };
}
