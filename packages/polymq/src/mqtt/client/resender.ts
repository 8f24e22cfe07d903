import { Deque } from "../../base/deque.ts";
import type { MessagingError } from "../../base/errors.ts";
import type { TopicEncoder } from "../codec/topic-encoder.ts";
import { type OutboundFlow, Phase } from "../engine/outbound-flow.ts";
import type { Inflight } from "./inflight.ts";
import type { Link } from "./link.ts";
import { type ClientItem, PendingPublish } from "./pending.ts";
import { endedOverMessage } from "./refusals.ts";
import type { StoredLane } from "./stored-lane.ts";

/** What a {@link Resender} works on. */
export interface ResenderParts {
  readonly outbound: OutboundFlow<ClientItem>;
  readonly inflight: Inflight;
  readonly topics: TopicEncoder;
  readonly stored: StoredLane | null;
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

  /** A connection begins. @param arrived told of each message that needs no repetition, with its exchange ended */
  open(link: Link, sessionPresent: boolean, arrived: (item: PendingPublish, packetId: number) => void): void {
    this.close();
    this.#exposed = null;
    const { outbound } = this.#parts;
    for (const id of outbound.publishIds()) {
      const item = outbound.item(id);
      if (!(item instanceof PendingPublish)) continue;
      // The deadline of its acknowledgement starts anew when it is sent anew.
      item.sentAtMs = -1;
      // Without the session it is a new message to the server, and one that was never written is new in any case [MQTT-4.3.2-2].
      item.dup = sessionPresent && item.attempted;
      if (!sessionPresent && outbound.phase(id) === Phase.Released) {
        // The server confirmed receipt before it forgot the session: the message has arrived.
        outbound.finish(id, Phase.Released);
        arrived(item, id);
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
    if (id === undefined || !this.#mayGo) return false;
    const { outbound, stored } = this.#parts;
    const item = outbound.item(id);
    const phase = outbound.phase(id);
    if (!(item instanceof PendingPublish) || phase === Phase.Free) return this.#shift();
    if (item.storing) return false;
    if (phase === Phase.Released) {
      if (stored !== null && !item.releaseStored) {
        stored.release(link, item, id);
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

  /** The connection ended otherwise than by us. Returns a message that the server refuses in this way for good, with its exchange ended. */
  lost(error: MessagingError): PendingPublish | null {
    const item = this.#exposed;
    this.#exposed = null;
    const { outbound } = this.#parts;
    // One that was answered may stand for another message already, which was not sent again.
    if (item === null || item.refusals < 0 || outbound.item(item.packetId) !== item) return null;
    const phase = outbound.phase(item.packetId);
    if (phase === Phase.Released || !endedOverMessage(error)) return null;
    item.refusals++;
    const alone = this.#careful;
    this.#careful = true;
    if (!alone || item.refusals < this.#refusalsMax) return null;
    outbound.finish(item.packetId, phase);
    return item;
  }

  get #mayGo(): boolean {
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
      stored?.forget(item.packetId);
      inflight.settleError(item, error instanceof Error ? error : new Error(String(error)));
    }
  }
}
