// Hot path: `onBytes` and `flush` run per chunk or turn. No closure, promise, spread, iterator or regex in them.
import {
  type ChunkPool,
  Outbox,
  type TextCodec,
  type Timer,
  type Transport,
  type TransportHandler,
} from "polymq/internal";
import type { Hub } from "../core/hub.ts";
import type { Flushable } from "../core/turn.ts";
import type { BrokerMetrics } from "../metrics/broker-metrics.ts";
import { CountedTransport } from "../metrics/counted-transport.ts";
import { type ConnectionFacts, type ConnectionInspection, inspectConnection } from "./connection-inspection.ts";
import type { UnsentLimit } from "./unsent-limit.ts";

/** Time that last words have to leave before the connection is cut. */
export const CLOSING_MS = 1_000;

/** The longest delay that runtimes keep. */
const MAX_TIMER_MS = 2_147_483_647;

/** What all wires of a protocol share. */
export interface WireContext {
  readonly hub: Hub;
  readonly metrics: BrokerMetrics;
  readonly pool: ChunkPool;
  readonly text: TextCodec;
  readonly sessions: { readonly unsentBytesMax: number };
  readonly unsent: UnsentLimit;
  /** All open ones. */
  readonly wires: Set<ConnectionWire>;
}

/** The protocol's end of a wire. */
export interface WireEnd {
  readonly engine: {
    readonly over: boolean;
    readonly deadlineMs: number;
    onBytes(chunk: Uint8Array, nowMs: number): void;
    onTime(nowMs: number): void;
    onTimeWhilePaused(nowMs: number): void;
  };
  /** True while nothing is to be read, because somebody is asked or the client has to wait. */
  readonly holdsReading: boolean;
  /** There is room in the outbox again. */
  wake(): void;
  /** The transport is gone, whoever ended it. */
  onLost(): void;
  /** The broker wants the client gone. @param reason `shutdown`, or in words why */
  shutDown(reason: string): void;
}

/** One client's transport, as a listener wants a protocol's end of one to be: moves bytes, time and deadlines between it and the engine. */
export abstract class ConnectionWire implements TransportHandler, Flushable {
  readonly outbox: Outbox;
  readonly #context: WireContext;
  readonly #onTimer: () => void;
  #transport: Transport | null = null;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isPaused = false;
  #isHangingUp = false;

  constructor(context: WireContext) {
    const { hub } = context;
    this.#context = context;
    this.#onTimer = () => this.#onTime();
    this.outbox = new Outbox({
      pool: context.pool,
      text: context.text,
      armFlush: () => hub.turn.armFlush(this),
      highWaterBytes: context.sessions.unsentBytesMax,
    });
  }

  protected abstract get end(): WireEnd;
  /** The transport is open. */
  protected abstract begin(): void;
  /** The transport took what waited: what waits in the engine may follow. */
  protected abstract pump(): void;
  /** Writes what the engine has to say, then flushes the outbox. */
  protected abstract write(nowMs: number): void;
  /** The client; null before it is let in. */
  protected abstract facts(): Omit<ConnectionFacts, "transport" | "unsentBytes"> | null;

  /** The connection's transport; null before it is open and after its end. */
  get transport(): Transport | null {
    return this.#transport;
  }

  /** True while so much is unsent that the client gets nothing more. */
  get congested(): boolean {
    return this.outbox.blocked && this.outbox.unsentBytes > this.#context.unsent.bytesMax;
  }

  onOpen(transport: Transport): void {
    this.#transport = transport;
    this.#context.wires.add(this);
    this.outbox.open(new CountedTransport(transport, this.#context.metrics));
    this.begin();
    this.#arm();
  }

  onBytes(chunk: Uint8Array): void {
    const { hub, metrics } = this.#context;
    metrics.bytesReceived += chunk.length;
    this.end.engine.onBytes(chunk, hub.clock.nowMs());
    this.setReading();
    this.#arm();
  }

  onDrain(): void {
    this.outbox.drained();
    if (this.#isHangingUp) this.#closeWhenSent();
    else {
      this.pump();
      if (!this.congested) this.end.wake();
    }
    this.setReading();
  }

  onClosed(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#context.wires.delete(this);
    this.#transport = null;
    this.end.onLost();
    this.outbox.close();
  }

  flush(): void {
    this.write(this.#context.hub.clock.nowMs());
    this.#arm();
  }

  /** The broker stops: the client is told, and cut off when it has not taken that after `graceMs`. */
  shutDown(graceMs: number): void {
    this.end.shutDown("shutdown");
    this.hangUp(graceMs);
  }

  /** An operator wants the client gone. */
  dismiss(): void {
    this.end.shutDown("closed by an operator");
    this.hangUp();
  }

  /** A picture of the client; null before it is let in. */
  inspect(): ConnectionInspection | null {
    const transport = this.#transport;
    const facts = transport === null ? null : this.facts();
    if (transport === null || facts === null) return null;
    return inspectConnection({ ...facts, transport: transport.info, unsentBytes: this.outbox.unsentBytes });
  }

  /** Sends what is left to say and ends the connection; a peer that does not take it in time is cut off. */
  hangUp(graceMs: number = CLOSING_MS): void {
    const transport = this.#transport;
    if (transport === null || this.#isHangingUp) return;
    this.#isHangingUp = true;
    this.#timer?.cancel();
    this.#timer = this.#context.hub.clock.setTimer(graceMs, () => transport.destroy());
    this.flush();
    this.#closeWhenSent();
  }

  /** Stops reading while that is held, or while the client does not read what it asks for; else goes on. */
  setReading(): void {
    const transport = this.#transport;
    if (transport === null) return;
    const isFlooded = this.outbox.blocked && this.outbox.unsentBytes > 2 * this.#context.unsent.bytesMax;
    const pauses = this.end.holdsReading || isFlooded;
    if (pauses === this.#isPaused) return;
    this.#isPaused = pauses;
    if (pauses) transport.pause();
    else transport.resume();
  }

  /** A blocked outbox still holds bytes that the transport has not seen: they go out as it drains. */
  #closeWhenSent(): void {
    const transport = this.#transport;
    if (transport !== null && this.outbox.unsentBytes <= transport.bufferedBytes) transport.close();
  }

  #arm(): void {
    const { deadlineMs } = this.end.engine;
    if (this.#isHangingUp || this.#transport === null || deadlineMs >= this.#timerAtMs) return;
    const { clock } = this.#context.hub;
    this.#timer?.cancel();
    this.#timerAtMs = deadlineMs;
    this.#timer = clock.setTimer(Math.min(MAX_TIMER_MS, Math.max(1, deadlineMs - clock.nowMs())), this.#onTimer);
  }

  #onTime(): void {
    const { clock } = this.#context.hub;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    // Input that waits to be read while the process was busy counts: it is looked at first.
    clock.nextTurn(() => {
      const { engine } = this.end;
      if (engine.over || this.#transport === null) return;
      if (this.#isPaused) engine.onTimeWhilePaused(clock.nowMs());
      else engine.onTime(clock.nowMs());
      this.#arm();
    });
  }
}
