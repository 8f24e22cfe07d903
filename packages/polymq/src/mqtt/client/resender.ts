import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import type { TopicEncoder } from "../codec/topic-encoder.ts";
import { type OutboundFlow, Phase } from "../engine/outbound-flow.ts";
import type { Inflight } from "./inflight.ts";
import type { Link } from "./link.ts";
import { type ClientItem, PendingPublish } from "./pending.ts";
import type { StoredLane } from "./stored-lane.ts";

/** What a {@link Resender} works on. */
export interface ResenderParts {
  readonly outbound: OutboundFlow<ClientItem>;
  readonly inflight: Inflight;
  readonly topics: TopicEncoder;
  /** With a store. */
  readonly stored: () => StoredLane | null;
  /** Told of a message that the server ended too many connections over; its exchange has ended. */
  readonly refused: (item: PendingPublish, error: MessagingError) => void;
}

/**
 * Sends again on a new connection what an earlier one left in flight, in its first order [MQTT-4.6.0-1].
 *
 * It also finds out over which message a server ends connections, for MQTT 3.1.1 has no other way to refuse one. After an end with something sent
 * again unanswered, the next connections send singly: first PINGREQ, so that an end for another reason shows before, then each message alone. So
 * it is certain which one an end concerns, and an unsteady link is told from a refusal by the number of such ends in a row.
 */
export class Resender {
  /** True when nothing is left to be sent again, and the last that was sent singly is answered. */
  done = true;
  readonly #parts: ResenderParts;
  readonly #refusalsMax: number;
  /** Ids begun on an earlier connection and to be sent on this one, oldest first; new messages come after them. */
  readonly #ids = new Deque<number>();
  #pace: "together" | "pinging" | "singly" = "together";
  /** The next connection sends singly. */
  #careful = false;
  /** The message that the connection would have been ended over: the first that was sent again, singly the last. */
  #exposed: PendingPublish | null = null;

  /** @param refusalsMax connections that a server may end over one message until it is given up */
  constructor(parts: ResenderParts, refusalsMax: number) {
    this.#parts = parts;
    this.#refusalsMax = refusalsMax;
  }

  /** True while `packetId` is the next to be sent again. */
  isNext(packetId: number): boolean {
    return this.#ids.peek() === packetId;
  }

  /** A connection begins. */
  open(link: Link, sessionPresent: boolean): void {
    this.close();
    this.#exposed = null;
    const { outbound, inflight, stored } = this.#parts;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (!(item instanceof PendingPublish)) continue;
      // The deadline of its acknowledgement starts anew when it is sent anew.
      item.sentAtMs = -1;
      // Without the session it is a new message to the server, and one that was never written is new in any case [MQTT-4.3.2-2].
      item.dup = sessionPresent && item.attempted;
      if (!sessionPresent && (item.passing || outbound.phase(id) === Phase.Released)) {
        // The server confirmed receipt before it forgot the session: the message has arrived. Or it is not to be told any more.
        outbound.finish(id, outbound.phase(id));
        stored()?.forget(id);
        inflight.complete(link, item, 0, null);
      } else this.#ids.push(id);
    }
    if (this.#careful && this.#ids.length > 0) {
      this.#pace = "pinging";
      link.engine.ping();
    }
    this.#look();
  }

  /** The connection is gone. */
  close(): void {
    this.#ids.clear();
    this.#pace = "together";
    this.done = true;
  }

  /** Sends one message again; false when it must wait, or nothing is left. @param room whether a PUBLISH may be sent now */
  next(link: Link, room: boolean): boolean {
    const id = this.#ids.peek();
    if (id === undefined || !this.#mayGo()) return false;
    const { outbound, stored } = this.#parts;
    const item = outbound.item(id);
    const phase = outbound.phase(id);
    if (!(item instanceof PendingPublish) || phase === Phase.Free) return this.#shift();
    if (item.storing) return false;
    if (phase === Phase.Released) {
      const lane = stored();
      if (lane !== null && !item.releaseStored) {
        lane.release(link, item, id);
        return false;
      }
      link.engine.sendPubrel(id, 0);
      item.sentAtMs = link.nowMs();
      return this.#shift();
    }
    if (!room) return false;
    this.#sendAgain(link, item, phase);
    return this.#shift();
  }

  /** An answer to a message came; to be told while this is not `done`. */
  answered(item: PendingPublish): void {
    if (this.#exposed !== item) return;
    this.#exposed = null;
    this.#look();
  }

  /** An answer is not waited for any longer: the others follow, and an end of this connection says nothing about any of them. */
  expired(item: PendingPublish): void {
    if (this.#exposed !== item) return;
    this.#careful = false;
    this.#pace = "together";
    this.answered(item);
  }

  /** True when messages may follow now. */
  onPingresp(): boolean {
    if (this.#pace !== "pinging") return false;
    this.#pace = "singly";
    return true;
  }

  /** The connection ended otherwise than by us; a message that the server refuses in this way for good is given up. */
  lost(error: MessagingError): void {
    const item = this.#exposed;
    this.#exposed = null;
    const { outbound } = this.#parts;
    // One that was answered may stand for another message already, which was not sent again.
    if (item === null || item.refusals < 0 || outbound.item(item.packetId) !== item) return;
    const phase = outbound.phase(item.packetId);
    if (phase === Phase.Released || !endedOverMessage(error)) return;
    item.refusals++;
    const alone = this.#careful;
    this.#careful = true;
    if (!alone || item.refusals < this.#refusalsMax) return;
    outbound.finish(item.packetId, phase);
    this.#giveUp(item, error);
  }

  #giveUp(item: PendingPublish, cause: MessagingError): void {
    const { inflight, stored, refused } = this.#parts;
    stored()?.forget(item.packetId);
    item.payload = item.bytes();
    inflight.unpin(null, item);
    const message = `the server ended ${item.refusals} connections in a row over the message on ${item.topic}`;
    refused(item, new MessagingError("ERR_PUBLISH_REJECTED", message, { cause }));
  }

  #mayGo(): boolean {
    return this.#pace === "together" || (this.#pace === "singly" && this.#exposed === null);
  }

  #shift(): boolean {
    this.#ids.shift();
    this.#look();
    return true;
  }

  #look(): void {
    this.done = this.#ids.length === 0 && (this.#pace === "together" || this.#exposed === null);
    if (!this.done || this.#exposed !== null) return;
    this.#careful = false;
    this.#pace = "together";
  }

  #sendAgain(link: Link, item: PendingPublish, phase: Phase): void {
    const { outbound, inflight, stored, topics } = this.#parts;
    outbound.charge();
    const before = item.chunk;
    try {
      item.payload = item.bytes();
      item.chunk = null;
      link.check(item.qos, item.retain, item.block);
      inflight.write(link, item, topics.encode(item.topic), item.payload);
      if (before !== null) link.outbox.unpin(before);
      if (item.refusals < 0) item.refusals = 0;
      this.#exposed ??= item;
    } catch (error) {
      // This server cannot take it (it may have other limits than the last one): no repetition would change that.
      outbound.finish(item.packetId, phase);
      stored()?.forget(item.packetId);
      inflight.settleError(item, error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/**
 * True for an end of the connection that can be the answer to a message: an orderly one, a reset (the end that a server makes which has not read
 * all of it), or a DISCONNECT whose reason is about messages.
 */
function endedOverMessage({ code, cause, peer }: MessagingError): boolean {
  if (code === "ERR_SERVER_DISCONNECT") return ABOUT_MESSAGES.includes(Number(peer?.code));
  const system = (cause as { readonly cause?: { readonly code?: unknown } } | undefined)?.cause?.code;
  return code === "ERR_CONNECTION_LOST" && (cause === undefined || system === "ECONNRESET" || system === "EPIPE");
}

const ABOUT_MESSAGES: readonly number[] = [
  ReasonCode.TopicNameInvalid,
  ReasonCode.PacketTooLarge,
  ReasonCode.QuotaExceeded,
  ReasonCode.PayloadFormatInvalid,
];
