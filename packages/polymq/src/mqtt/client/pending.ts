import type { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { rejectBy } from "../../base/reject-by.ts";
import { copyOf } from "../../bytes/copy.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { Chunk } from "../../transport/outbox.ts";
import type { QoS, ReasonProperties, UserProperties } from "../codec/packets.ts";
import { PAYLOAD_LARGE } from "../codec/publish.ts";
import type { Phase } from "../engine/outbound-flow.ts";
import type { PendingRequest } from "./pending-request.ts";
import { refusedByServer } from "./refusals.ts";

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

/** The error of a publish that the server refused. */
export function publishRejected(
  topic: string,
  reasonCode: number,
  properties: ReasonProperties | null,
): MessagingError {
  return refusedByServer("ERR_PUBLISH_REJECTED", `refused the message on ${topic}`, { reasonCode, properties });
}

/**
 * A publish on its way. While it waits, `payload` is a copy of its own; a large one stays that. In flight, the bytes of others stay in the outbox chunk they
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
  /** True when `payload` is a large copy of its own, which is sent from where it lies. */
  lent = false;
  /** The bytes in flight; null as long as `payload` holds them. */
  chunk: Chunk | null = null;
  start = 0;
  end = 0;
  /** When it was last sent, in the clock's ms; -1 while it waits. */
  sentAtMs = -1;
  /** True once its bytes may have reached a server: sending it again then says DUP. */
  attempted = false;
  /** How often the server ended a connection over it after it was sent again; -1 before it was. */
  refusals = -1;
  /** True while a store writes it, or its release; what follows is sent afterwards. */
  storing = false;
  /** True for what belongs to messages in hand: taken while the client closes, and while many wait, too. */
  settles = false;
  /** True for what speaks of its connection: to a server without the session it is not sent again. */
  passing = false;
  /** True once a store knows that the server has it (PUBREC). */
  releaseStored = false;
  /** Takes a rejected promise where it failed: one function per message to keep instead of two. A publish restored from a store has nobody who waits for it. */
  resolve: (result: PublishResult | Promise<never>) => void = noop;
  /** Takes the abort listener away; null without a signal. */
  release: (() => void) | null = null;

  constructor(topic: string, payload: Uint8Array, qos: QoS, retain: boolean, block: Uint8Array | null) {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.block = block;
  }

  /** Lets go of everything but its memory: the item may stand for another message. Without a store only. */
  forget(): void {
    this.topic = "";
    this.block = null;
    this.payload = NO_BYTES;
    this.packetId = 0;
    this.dup = false;
    this.lent = false;
    this.attempted = false;
    this.refusals = -1;
    this.settles = false;
    this.passing = false;
    this.sentAtMs = -1;
    this.resolve = noop;
  }

  /** Takes a copy of a payload that the caller may change before it is sent. */
  own(payload: Uint8Array): Uint8Array {
    this.payload = copyOf(payload);
    this.lent = payload.length >= PAYLOAD_LARGE;
    return this.payload;
  }

  /** Rejects the promise; nothing happens to one that has settled. */
  fail(error: Error): void {
    rejectBy(this.resolve, error);
  }

  /** The payload as it was when `publish` was called. */
  bytes(): Uint8Array {
    return this.chunk === null ? this.payload : this.chunk.bytes.subarray(this.start, this.end);
  }
}

/** A message that an earlier process left in the store. */
export interface RestoredPublish {
  readonly id: number;
  readonly item: PendingPublish;
  readonly phase: Phase;
  /** Its place among all messages of the session. */
  readonly order: number;
}

/** What a packet id of this client can stand for. */
export type ClientItem = PendingPublish | PendingRequest;
