import type {
  QoS,
  ReasonProperties,
  Suback,
  Subscribe,
  Unsuback,
  Unsubscribe,
  UserProperties,
} from "../codec/packets.ts";

/** How a publish ended well. */
export interface PublishResult {
  /** 0, or 0x10 when no subscription matched (MQTT 5.0 §3.4.2.1). */
  readonly reasonCode: number;
  readonly reasonString: string;
  readonly userProperties: UserProperties;
}

/** A publish without anything to tell. */
export const PUBLISHED: PublishResult = Object.freeze({ reasonCode: 0, reasonString: "", userProperties: [] });

/** Turns the end of an exchange into a result. */
export function publishResult(reasonCode: number, properties: ReasonProperties | null): PublishResult {
  if (reasonCode === 0 && properties === null) return PUBLISHED;
  return {
    reasonCode,
    reasonString: properties?.reasonString ?? "",
    userProperties: properties?.userProperties ?? [],
  };
}

/**
 * A publish on its way. While it waits, `payload` is a copy of its own; in flight, its bytes stay in the outbox chunk they
 * were encoded into ([start, end) of `chunk`), so nothing the caller does later can change what is sent again.
 */
export class PendingPublish {
  topic: string;
  qos: QoS;
  retain: boolean;
  /** Encoded properties, or null. */
  block: Uint8Array | null;
  payload: Uint8Array;
  packetId = 0;
  dup = false;
  /** The bytes in flight; null as long as `payload` holds them. */
  chunk: Uint8Array | null = null;
  start = 0;
  end = 0;
  /** When it was last sent, in the clock's ms; -1 while it waits. */
  sentAtMs = -1;
  /** True while a store writes it; it is sent afterwards. */
  storing = false;
  resolve: (result: PublishResult) => void = ignore;
  reject: (error: Error) => void = ignore;
  /** Takes the abort listener away; null without a signal. */
  release: (() => void) | null = null;

  constructor(topic: string, payload: Uint8Array, qos: QoS, retain: boolean, block: Uint8Array | null) {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.block = block;
  }

  /** The payload as it was when `publish` was called. */
  bytes(): Uint8Array {
    return this.chunk === null ? this.payload : this.chunk.subarray(this.start, this.end);
  }
}

/** A SUBSCRIBE or UNSUBSCRIBE on its way. */
export class PendingRequest {
  readonly packet: Omit<Subscribe, "packetId"> | Omit<Unsubscribe, "packetId">;
  readonly settle: RequestSettler;
  sentAtMs = -1;

  constructor(packet: Omit<Subscribe, "packetId"> | Omit<Unsubscribe, "packetId">, settle: RequestSettler) {
    this.packet = packet;
    this.settle = settle;
  }
}

/** Who waits for a {@link PendingRequest}; told once. */
export interface RequestSettler {
  answered(packet: Suback | Unsuback): void;
  failed(error: Error): void;
}

/** What a packet id of this client can stand for. */
export type ClientItem = PendingPublish | PendingRequest;

function ignore(): void {
  // A publish restored from a store has nobody who waits for it.
}
