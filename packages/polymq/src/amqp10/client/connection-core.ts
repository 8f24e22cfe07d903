import { onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { type ConnectTrace, diagnostics } from "../../base/diagnostics.ts";
import { Emitter } from "../../base/emitter.ts";
import { asMessagingError, MessagingError } from "../../base/errors.ts";
import { ChannelTracer, type Tracer } from "../../base/tracer.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { Redial } from "../../supervisor/redial.ts";
import { Supervisor } from "../../supervisor/supervisor.ts";
import { ChunkPool } from "../../transport/outbox.ts";
import type { Platform } from "../../transport/platform.ts";
import type { AmqpErrorInput } from "../codec/tables.ts";
import type { ClientSettings, ConnectionSettings } from "./connection-settings.ts";
import type { AmqpConnectionEvent } from "./events.ts";
import { Lifetime } from "./lifetime.ts";
import type { ClientOwners } from "./owners.ts";
import type { AmqpPeer } from "./peer.ts";
import { AmqpSession, type SessionSettings } from "./session.ts";
import { Wire, type WireOwner } from "./wire.ts";

/** What outlives a lost connection: its state, its sessions, and the supervisor that makes it again. */
export class ConnectionCore implements WireOwner {
  readonly settings: ClientSettings;
  readonly platform: Platform;
  readonly clock: Clock;
  readonly text: TextCodec;
  readonly life: Lifetime = new Lifetime();
  readonly events: Emitter<AmqpConnectionEvent>;
  readonly tracer: Tracer;
  readonly #pool = new ChunkPool();
  readonly #supervisor: Supervisor;
  readonly #sessions = new Set<AmqpSession>();
  #wire: Wire | null = null;
  #peer: AmqpPeer | null = null;
  /** Why we cut the connection for good. */
  #cut: MessagingError | null = null;
  /** The address in use, without credentials, and dials since the last connection was lost. */
  #server = "";
  #attempts = 0;

  constructor(settings: ClientSettings) {
    this.settings = settings;
    this.platform = settings.platform;
    this.clock = settings.platform.clock;
    this.text = settings.platform.text;
    this.tracer = new ChannelTracer(diagnostics(), { clientId: settings.containerId }, "amqp10");
    this.events = new Emitter((error, event) => this.warn(`a listener of ${event.type} failed`, error));
    this.#supervisor = this.#makeSupervisor();
  }

  get containerId(): string {
    return this.settings.containerId;
  }

  get peer(): AmqpPeer {
    if (this.#peer === null) throw new MessagingError("ERR_NOT_CONNECTED", "the connection is not open yet");
    return this.#peer;
  }

  get sessions(): readonly AmqpSession[] {
    return [...this.#sessions];
  }

  get comesBack(): boolean {
    return this.settings.reconnect !== null && this.life.lasting;
  }

  /** Connects for the first time. @throws {MessagingError} as `connect` */
  async connect(signal: AbortSignal | undefined): Promise<void> {
    // The caller's signal ends this call, not the connection that comes of it.
    const attempt = new AbortController();
    const release = onAbort(signal, () => attempt.abort(signal?.reason));
    try {
      await this.#supervisor.start(attempt.signal);
    } finally {
      release();
    }
    if (this.life.reason !== null) throw this.life.reason;
  }

  async createSession(settings: () => SessionSettings, signal: AbortSignal | undefined): Promise<AmqpSession> {
    const session = new AmqpSession(this, settings());
    session.begin(this.#connected());
    this.#sessions.add(session);
    await session.whenOpen(signal);
    return session;
  }

  close(error: AmqpErrorInput | null): void {
    if (this.life.state === "closed") return;
    const lost = this.life.state === "reconnecting";
    this.life.closing();
    if (this.#wire !== null && !lost) {
      this.#supervisor.stop();
      for (const session of this.#sessions) session.leave();
      return this.#wire.close(error);
    }
    // Before its wire: what has come back on that already ends in order as well.
    this.#finish(null, closedError());
    this.#wire?.destroy(closedError());
  }

  /** Ends everything at once, without a word. */
  destroy(error: MessagingError): void {
    if (this.life.state === "closed") return;
    this.#cut = error;
    this.life.closing();
    this.#supervisor.stop();
    this.#wire?.destroy(error);
    this.#finish(error, error);
  }

  /** Calls what the application gave; what it throws concerns nobody here. */
  tell(what: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.warn(`${what} failed`, error);
    }
  }

  onOver(wire: Wire): void {
    if (wire !== this.#wire) return;
    this.#wire = null;
    // The end of a first connection that is not open yet is told by the attempt.
    if (this.life.state === "opening") return;
    const reason = wire.life.reason as MessagingError;
    if (this.life.state === "open") this.#trace("lost", reason);
    if (!this.comesBack) return this.#finish(this.#cut ?? wire.life.error, this.#cut ?? reason);
    // A connection that is lost while it is being restored is told by the attempt.
    if (this.life.state !== "open") return;
    this.#attempts = 0;
    this.life.suspend(reason);
    this.events.emit({ type: "connectionLost", error: reason });
    this.#supervisor.lost(reason);
  }

  onSessionOver(session: ClientOwners["session"]): void {
    this.#sessions.delete(session);
    this.events.emit({ type: "sessionClose", session, error: session.error });
  }

  onLinkOver(link: ClientOwners["link"]): void {
    link.session.forget(link);
    this.events.emit({ type: "linkClose", link, error: link.error });
  }

  onAddressChanged(link: ClientOwners["link"]): void {
    this.events.emit({ type: "addressChanged", link, address: link.address });
  }

  #connected(): Wire {
    if (this.life.reason !== null) throw this.life.reason;
    if (this.#wire === null || this.life.state === "closing") {
      throw new MessagingError("ERR_NOT_CONNECTED", "the connection is being made again, or closed");
    }
    return this.#wire;
  }

  async #attempt(index: number, signal: AbortSignal): Promise<void> {
    const settings = this.settings.servers[index % this.settings.servers.length];
    if (settings === undefined) throw new MessagingError("ERR_NO_SERVERS", "no server address given");
    this.#server = settings.endpoint.display;
    this.#attempts++;
    this.#trace("dialing", null);
    try {
      await this.#open(settings, signal);
    } catch (error) {
      this.#trace("failed", asMessagingError(error, "ERR_CONNECT_FAILED"));
      throw error;
    }
  }

  async #open(settings: ConnectionSettings, signal: AbortSignal): Promise<void> {
    const wire = new Wire(settings, this.#pool, this);
    await wire.connect(signal);
    this.#wire = wire;
    this.#peer = wire.peer;
    if (this.life.state === "reconnecting") await this.#restoreInTime(wire, signal);
    if (wire.life.reason !== null) throw wire.life.reason;
    const again = this.life.state === "reconnecting";
    this.life.open();
    this.#trace("connected", null);
    if (again) this.events.emit({ type: "reconnected", server: settings.endpoint.display });
  }

  /** What comes back has the same time as connecting has. */
  async #restoreInTime(wire: Wire, signal: AbortSignal): Promise<void> {
    const release = onAbort(signal, () => wire.destroy(closedError()));
    const timer = this.clock.setTimer(wire.settings.connectTimeoutMs, () =>
      wire.destroy(new MessagingError("ERR_CONNECT_TIMEOUT", "sessions and links did not come back in time")),
    );
    try {
      await this.#restore(wire);
    } finally {
      timer.cancel();
      release();
    }
  }

  /** Brings sessions and links back: first those that others need, such as one that authorizes; the others at the same time. */
  async #restore(wire: Wire): Promise<void> {
    const all = [...this.#sessions];
    for (const session of all) if (session.comesFirst) await session.restore(wire);
    await Promise.all(all.map((session) => (session.comesFirst ? undefined : session.restore(wire))));
  }

  #makeSupervisor(): Supervisor {
    const { platform, servers, reconnect } = this.settings;
    return new Supervisor({
      clock: platform.clock,
      serverCount: () => servers.length,
      connect: (index, signal) => this.#attempt(index, signal),
      redial: () => (reconnect === null ? null : new Redial(reconnect, platform.clock, () => platform.random())),
      handler: {
        onAttempt: (attempt, index) => {
          if (this.life.state !== "reconnecting") return;
          const server = servers[index]?.endpoint.display ?? "";
          this.events.emit({ type: "reconnecting", attempt, server });
        },
        onGaveUp: (error) => {
          // A first connect that fails is told by its promise.
          if (this.life.state !== "reconnecting") return;
          this.#finish(error, error);
        },
      },
    });
  }

  /** Everything is over: what would have come back ends with `reason`. */
  #finish(error: MessagingError | null, reason: MessagingError): void {
    if (this.life.state === "closed") return;
    for (const session of this.#sessions) {
      session.fail(error, reason);
      this.onSessionOver(session);
    }
    this.life.finish(error, reason);
    this.#supervisor.stop();
    this.events.emit({ type: "close", error });
    this.#trace("closed", error);
    this.events.end();
  }

  /** Tells diagnostics of what concerns nobody who waits. */
  warn(message: string, error: unknown): void {
    this.tracer.warn(message, error);
  }

  #trace(phase: ConnectTrace["phase"], error: MessagingError | null): void {
    this.tracer.connection(phase, { server: this.#server, attempt: this.#attempts }, error);
  }
}

function closedError(): MessagingError {
  return new MessagingError("ERR_CLIENT_CLOSED", "the connection was closed");
}
