import { Deque } from "../../base/deque.ts";
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
  readonly stored: StoredLane | null;
}

/** Sends again on a new connection what an earlier one left in flight, in its first order [MQTT-4.6.0-1]. */
export class Resender {
  readonly #parts: ResenderParts;
  /** Ids begun on an earlier connection and to be sent on this one, oldest first; new messages come after them. */
  readonly #ids = new Deque<number>();

  constructor(parts: ResenderParts) {
    this.#parts = parts;
  }

  /** True when nothing is left to be sent again. */
  get done(): boolean {
    return this.#ids.length === 0;
  }

  /** True while `packetId` is the next to be sent again. */
  isNext(packetId: number): boolean {
    return this.#ids.peek() === packetId;
  }

  /** A connection begins. @param arrived told of each message that needs no repetition, with its exchange ended */
  open(sessionPresent: boolean, arrived: (item: PendingPublish, packetId: number) => void): void {
    this.#ids.clear();
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
  }

  /** The connection is gone. */
  close(): void {
    this.#ids.clear();
  }

  /** Sends one message again; false when it must wait, or nothing is left. @param room whether a PUBLISH may be sent now */
  next(link: Link, room: boolean): boolean {
    const id = this.#ids.peek();
    if (id === undefined) return false;
    const { outbound, stored } = this.#parts;
    const item = outbound.item(id);
    const phase = outbound.phase(id);
    if (!(item instanceof PendingPublish) || phase === Phase.Free) {
      this.#ids.shift();
      return true;
    }
    if (item.storing) return false;
    if (phase === Phase.Released) {
      if (stored !== null && !item.releaseStored) {
        stored.release(link, item, id);
        return false;
      }
      this.#ids.shift();
      link.engine.sendPubrel(id, 0);
      item.sentAtMs = link.nowMs();
      return true;
    }
    if (!room) return false;
    this.#ids.shift();
    this.#sendAgain(link, item, phase);
    return true;
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
    } catch (error) {
      // This server cannot take it (it may have other limits than the last one): no repetition would change that.
      outbound.finish(item.packetId, phase);
      stored?.forget(item.packetId);
      inflight.settleError(item, error instanceof Error ? error : new Error(String(error)));
    }
  }
}
