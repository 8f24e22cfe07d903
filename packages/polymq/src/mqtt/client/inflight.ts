// Hot path: runs per QoS 1 and 2 message. No closure, iterator or regex here; one promise per message.
import type { Tracer } from "../../base/tracer.ts";
import { copyOf } from "../../bytes/copy.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { QoS, ReasonProperties } from "../codec/packets.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import { type OutboundFlow, Phase } from "../engine/outbound-flow.ts";
import { noPacketId } from "../engine/packet-ids.ts";
import type { Link } from "./link.ts";
import { type ClientItem, PendingPublish, type PublishResult, publishRejected, publishResult } from "./pending.ts";

/** Finished items kept for later messages: with a larger window some are made anew. */
const SPARE_MAX = 1_024;

/** Publishes from their call to the end of their promise: gives them a packet id, writes them, keeps their bytes, settles them. */
export class Inflight {
  readonly #outbound: OutboundFlow<ClientItem>;
  readonly #tracer: Tracer;
  /**
   * Items to use again: a message then allocates its promise and nothing else, 422 bytes in all instead of 598 in the
   * benchmark. Only without a store, whose callbacks refer to items for longer.
   */
  readonly #spare: PendingPublish[] | null;
  /** The item that the promise being made belongs to: one executor for all, instead of a closure for each. */
  #promised: PendingPublish = new PendingPublish("", NO_BYTES, 0, false, null);
  readonly #takeEnd = (resolve: PendingPublish["resolve"]): void => {
    this.#promised.resolve = resolve;
  };

  constructor(outbound: OutboundFlow<ClientItem>, items: "reused" | "kept", tracer: Tracer) {
    this.#outbound = outbound;
    this.#tracer = tracer;
    this.#spare = items === "reused" ? [] : null;
  }

  /** An item for one message, without a payload. */
  take(topic: string, qos: QoS, retain: boolean, block: Uint8Array | null): PendingPublish {
    const item = this.#spare?.pop();
    if (item === undefined) return new PendingPublish(topic, NO_BYTES, qos, retain, block);
    item.topic = topic;
    item.qos = qos;
    item.retain = retain;
    item.block = block;
    return item;
  }

  /** The promise of an item. */
  promise(item: PendingPublish): Promise<PublishResult> {
    this.#promised = item;
    return new Promise<PublishResult>(this.#takeEnd);
  }

  /** Takes a packet id, or throws ERR_MAX_INFLIGHT when there is none. */
  begin(item: PendingPublish): void {
    item.packetId = this.#outbound.beginPublish(item, phaseOf(item));
    if (item.packetId === 0) throw noPacketId();
  }

  /** Begins and writes; throws before anything is taken when the message cannot be encoded. */
  send(link: Link, item: PendingPublish, topicBytes: Uint8Array, payload: Uint8Array): void {
    this.begin(item);
    try {
      this.write(link, item, topicBytes, payload);
    } catch (error) {
      this.#outbound.finish(item.packetId, phaseOf(item));
      throw error;
    }
  }

  /** Writes what has its packet id; from now on the bytes in the outbox are the message. */
  write(link: Link, item: PendingPublish, topicBytes: Uint8Array, payload: Uint8Array): void {
    const outbox = link.outbox;
    if (link.engine.sendPublish(item, item.topic, topicBytes, payload, item.block) === 0) {
      // The connection is over and nothing was written: the next one sends it, when the caller may have changed its bytes.
      if (!item.lent) item.payload = copyOf(payload);
      return;
    }
    item.attempted = true;
    if (!item.lent) {
      item.chunk = outbox.pin();
      item.end = outbox.at;
      item.start = outbox.at - payload.length;
      if (item.payload !== NO_BYTES) item.payload = NO_BYTES;
    }
    item.sentAtMs = link.nowMs();
    if (this.#tracer.publish.hasSubscribers) this.#tracer.published(item.topic, payload.length, item.packetId);
  }

  /** The exchange is over: settles the promise by its reason code. */
  complete(link: Link | null, item: PendingPublish, reasonCode: number, properties: ReasonProperties | null): void {
    this.unpin(link, item);
    if (item.release !== null) releaseSignal(item);
    // PUBCOMP says so when the exchange was over on the last connection: the message has arrived (MQTT 5.0 §3.7.2.1).
    const code = reasonCode === ReasonCode.PacketIdentifierNotFound ? 0 : reasonCode;
    const error = code < 0x80 ? null : publishRejected(item.topic, code, properties);
    if (error === null) item.resolve(publishResult(code, properties));
    else item.fail(error);
    if (this.#tracer.settle.hasSubscribers && item.packetId !== 0) {
      this.#tracer.settled("out", item.packetId, error === null ? "accepted" : "rejected", error);
    }
    const spare = this.#spare;
    if (spare === null || spare.length >= SPARE_MAX) return;
    item.forget();
    spare.push(item);
  }

  /** The promise fails; the message itself may stay in flight. */
  settleError(item: PendingPublish, error: Error): void {
    if (item.release !== null) releaseSignal(item);
    item.fail(error);
  }

  /** Its bytes are not needed any more. */
  unpin(link: Link | null, item: PendingPublish): void {
    if (item.chunk !== null) link?.outbox.unpin(item.chunk);
    else if (item.lent) item.payload = NO_BYTES;
    item.chunk = null;
  }
}

/** The phase in which an item's exchange begins. */
export function phaseOf(item: PendingPublish): Phase {
  return item.qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce;
}

/** Takes the abort listener of an item away. */
function releaseSignal(item: PendingPublish): void {
  item.release?.();
  item.release = null;
}
