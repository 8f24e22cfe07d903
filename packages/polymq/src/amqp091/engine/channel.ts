// Hot path: looked at per frame. No closure, promise, spread, iterator or regex here.
import { Deque } from "../../base/deque.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { Content, type ContentOptions } from "../codec/content.ts";
import type { MethodName } from "../codec/method-types.ts";
import { AckRanges } from "./ack-ranges.ts";
import { TagRing } from "./tag-ring.ts";

/** What the engine's owner hangs onto things, as one type with a member for each. */
export interface EngineTypes {
  /** Of a channel. */
  readonly owner: unknown;
  /** Of a consumer tag, found again with each delivery. */
  readonly consumer: unknown;
  /** Of an exchange and routing key, found again with each message. */
  readonly route: unknown;
  /** Client: what gets a method's answer. Anything but undefined. */
  readonly request: unknown;
  /** Client: what gets a publish's confirm; server: what gets a delivery's settlement. Anything but undefined. */
  readonly message: unknown;
}

/**
 * `opening`: open was sent and may be followed by anything; `closing`: close was sent, and what comes is dropped until it is
 * answered; `closed`: its number may belong to another channel by now.
 */
export type ChannelState = "opening" | "open" | "closing" | "closed";

/** What a channel's next frame must be. */
export type ContentPhase = "method" | "header" | "body";

/** Part of a body that comes in several frames: room grows with what came, never with what was announced. */
export class BodyAssembly {
  bytes: Uint8Array = NO_BYTES;
  have = 0;

  /** Adds a piece; returns how many bytes of room it took. */
  add(buffer: Uint8Array, start: number, end: number, total: number): number {
    const need = this.have + end - start;
    let taken = 0;
    if (need > this.bytes.length) {
      const grown = new Uint8Array(Math.min(total, need * GROWTH));
      taken = grown.length - this.bytes.length;
      grown.set(this.bytes.subarray(0, this.have));
      this.bytes = grown;
    }
    this.bytes.set(buffer.subarray(start, end), this.have);
    this.have = need;
    return taken;
  }

  /** Forgets what came; returns how many bytes of room it had. */
  reset(): number {
    const room = this.bytes.length;
    this.bytes = NO_BYTES;
    this.have = 0;
    return room;
  }
}

/** Room for a body is at most this many times what has come of it: few copies for us, little for a peer to gain. */
const GROWTH = 4;

/** One channel of a connection, either side. Its owner reads it; the engine alone changes it. */
export abstract class Channel<T extends EngineTypes> {
  readonly id: number;
  readonly owner: T["owner"];
  /** @internal */
  state: ChannelState = "opening";
  /** @internal */
  phase: ContentPhase = "method";
  /** @internal */
  readonly content: Content<T["consumer"], T["route"]>;
  /** @internal */
  readonly assembly: BodyAssembly = new BodyAssembly();
  /** Acknowledgements that we owe. @internal */
  readonly owed: AckRanges = new AckRanges();
  /** True while `owed` is in the engine's list of channels to flush. @internal */
  listed = false;
  /** The answer to our close is to be told. @internal */
  announce = false;
  /** @internal */
  flowing = true;

  constructor(id: number, owner: T["owner"], content: ContentOptions<T["route"]>) {
    this.id = id;
    this.owner = owner;
    this.content = new Content(content);
  }

  /** False while the peer has asked for no content (`channel.flow`). */
  get flowActive(): boolean {
    return this.flowing;
  }

  /** True while methods may be sent. */
  get usable(): boolean {
    return this.state === "open" || this.state === "opening";
  }
}

/** A method that awaits its answer. */
export interface PendingRequest<Request> {
  readonly method: MethodName;
  readonly request: Request;
  /** Until it is answered, the server gives itself back what it has delivered. */
  readonly givesBack: boolean;
}

/** A channel of a client. */
export class ClientChannel<T extends EngineTypes> extends Channel<T> {
  /** Methods in the order of their answers. @internal */
  readonly requests: Deque<PendingRequest<T["request"]>> = new Deque();
  /** Publishes that await a confirm. @internal */
  readonly unconfirmed: TagRing<T["message"]> = new TagRing();
  /** @internal */
  confirming = false;
  /** @internal */
  publishes = 0;
  /** `basic.recover`s with `requeue` that await their answer. @internal */
  recovers = 0;
  /** Something was settled since a method of class `tx` was sent last. @internal */
  settledInTransaction = false;
  /** True since `confirm.select` was sent: publishes are numbered. */
  get confirms(): boolean {
    return this.confirming;
  }

  /** Number of the last publish in confirm mode, from 1; 0 before. */
  get lastPublishTag(): number {
    return this.publishes;
  }

  /** Publishes that await a confirm. */
  get unconfirmedCount(): number {
    return this.unconfirmed.size;
  }

  /** Deliveries that await our acknowledgement. */
  get unackedCount(): number {
    return this.owed.size;
  }

  /** Takes out a request that was never answered, oldest first, after the channel or connection ended. */
  takeRequest(): PendingRequest<T["request"]> | undefined {
    return this.requests.shift();
  }

  /** Takes out a publish that was never confirmed, oldest first; undefined when there is none. */
  takeUnconfirmed(): T["message"] | undefined {
    const item = this.unconfirmed.first;
    this.unconfirmed.dropFirst();
    return item;
  }
}

/** A channel of a server. */
export class ServerChannel<T extends EngineTypes> extends Channel<T> {
  /** Deliveries that the client has not settled. @internal */
  readonly unsettled: TagRing<T["message"]> = new TagRing();
  /** @internal */
  deliveries = 0;
  /** @internal */
  confirming = false;
  /** @internal */
  publishes = 0;

  /** Deliveries that the client has not settled. */
  get unsettledCount(): number {
    return this.unsettled.size;
  }

  /** Tag of the last delivery, from 1; 0 before. */
  get lastDeliveryTag(): number {
    return this.deliveries;
  }

  /** True in confirm mode. */
  get confirms(): boolean {
    return this.confirming;
  }

  /** Makes deliveries that were settled unsettled again, under their tags, as a transaction does that is rolled back (§1.9.2.3). */
  restoreUnsettled(tags: readonly number[], messages: readonly T["message"][]): void {
    this.unsettled.restore(tags, messages);
  }

  /** Takes out a delivery that was never settled, oldest first, to be requeued. */
  takeUnsettled(): T["message"] | undefined {
    const item = this.unsettled.first;
    this.unsettled.dropFirst();
    return item;
  }
}
