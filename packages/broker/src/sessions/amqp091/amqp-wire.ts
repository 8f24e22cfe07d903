// Hot path: `onBytes` and `flush` run per chunk or turn. No closure, promise, spread, iterator or regex in them.
import { Outbox, type Timer, type Transport, type TransportHandler } from "polymq/internal";
import type { Flushable } from "../../core/turn.ts";
import { CountedTransport } from "../../metrics/counted-transport.ts";
import { type ConnectionInspection, inspectConnection } from "../connection-inspection.ts";
import { AmqpConnection } from "./amqp-connection.ts";
import type { AmqpContext } from "./amqp-context.ts";

/** Time that last words have to leave before the connection is cut. */
export const CLOSING_MS = 1_000;

/** The longest delay that runtimes keep. */
const MAX_TIMER_MS = 2_147_483_647;

/** One client's transport, as a listener wants a protocol's end of one to be: moves bytes, time and deadlines between it and the engine. */
export class AmqpWire implements TransportHandler, Flushable {
  readonly outbox: Outbox;
  readonly #context: AmqpContext;
  readonly #connection: AmqpConnection;
  readonly #onTimer: () => void;
  #transport: Transport | null = null;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isPaused = false;
  #isHangingUp = false;

  constructor(context: AmqpContext) {
    const { hub } = context;
    this.#context = context;
    this.#onTimer = () => this.#onTime();
    this.outbox = new Outbox({
      pool: context.pool,
      text: context.text,
      armFlush: () => hub.turn.armFlush(this),
      highWaterBytes: context.sessions.unsentBytesMax,
    });
    this.#connection = new AmqpConnection(context, this);
  }

  /** The connection's transport; null before it is open and after its end. */
  get transport(): Transport | null {
    return this.#transport;
  }

  /** True while so much is unsent that consumers get nothing more. */
  get congested(): boolean {
    return this.outbox.blocked && this.outbox.unsentBytes > this.#context.unsent.bytesMax;
  }

  onOpen(transport: Transport): void {
    this.#transport = transport;
    this.#context.wires.add(this);
    this.outbox.open(new CountedTransport(transport, this.#context.metrics));
    this.#arm();
  }

  onBytes(chunk: Uint8Array): void {
    const { hub, metrics } = this.#context;
    metrics.bytesReceived += chunk.length;
    this.#connection.engine.onBytes(chunk, hub.clock.nowMs());
    this.setReading();
    this.#arm();
  }

  onDrain(): void {
    this.outbox.drained();
    if (this.#isHangingUp) this.#closeWhenSent();
    else if (!this.congested) this.#connection.wake();
    this.setReading();
  }

  onClosed(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#context.wires.delete(this);
    this.#transport = null;
    this.#connection.onLost();
    this.outbox.close();
  }

  flush(): void {
    const { engine } = this.#connection;
    const nowMs = this.#context.hub.clock.nowMs();
    engine.onTurn(nowMs);
    engine.beforeFlush();
    if (this.outbox.hasUnflushed) engine.sent(nowMs);
    this.outbox.flush();
    this.#arm();
  }

  /** The broker stops: the client is told, and cut off when it has not taken that after `graceMs`. */
  shutDown(graceMs: number): void {
    this.#connection.shutDown("shutdown");
    this.hangUp(graceMs);
  }

  /** A picture of the client; null before it is let in. */
  inspect(): ConnectionInspection | null {
    const { id } = this.#connection;
    if (this.#transport === null || id === "") return null;
    return inspectConnection({
      id,
      protocol: "amqp091",
      protocolVersion: "0-9-1",
      clientId: id,
      user: this.#connection.client.access.principal.name,
      transport: this.#transport.info,
      unsentBytes: this.outbox.unsentBytes,
    });
  }

  /** An operator wants the client gone. */
  dismiss(): void {
    this.#connection.shutDown("closed by an operator");
    this.hangUp();
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

  /** Stops reading while somebody is asked, or while the client does not read what it asks for; else goes on. */
  setReading(): void {
    const transport = this.#transport;
    if (transport === null) return;
    const isFlooded = this.outbox.blocked && this.outbox.unsentBytes > 2 * this.#context.unsent.bytesMax;
    const pauses = !this.#connection.gate.isOpen || this.#connection.isHeldBack || isFlooded;
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
    const { deadlineMs } = this.#connection.engine;
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
      const { engine } = this.#connection;
      if (engine.over || this.#transport === null) return;
      if (this.#isPaused) engine.onTimeWhilePaused(clock.nowMs());
      else engine.onTime(clock.nowMs());
      this.#arm();
    });
  }
}
