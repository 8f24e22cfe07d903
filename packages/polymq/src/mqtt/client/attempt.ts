import { onAbort } from "../../base/abort.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { isMessagingError, MessagingError } from "../../base/errors.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import type { DialOptions, Platform } from "../../transport/platform.ts";
import type { Connack, Connect, ProtocolLevel } from "../codec/packets.ts";
import { returnCodeName } from "../codec/reason-codes.ts";
import { Connection, type ConnectionOwner, type ConnectionParts } from "./connection.ts";
import type { Settings } from "./options.ts";
import { refusedByServer } from "./refusals.ts";
import { dialKind } from "./server-addresses.ts";

/** One attempt: dials, sends CONNECT, waits for CONNACK. */
export interface AttemptOptions {
  readonly platform: Platform;
  readonly parts: ConnectionParts;
  readonly endpoint: Endpoint;
  readonly connect: Connect;
  /** Gets everything that happens to the connection once it is open, and its end. */
  readonly owner: AttemptOwner;
  readonly signal: AbortSignal;
}

/** Who a connection is made for. */
export interface AttemptOwner extends ConnectionOwner {
  /** The server accepted: what is still to be checked before the connection counts as open, or null for nothing. */
  checkAccepted(connack: Connack): Promise<void> | null;
}

/**
 * Makes one connection and resolves at a CONNACK that accepts. Otherwise it rejects, and nothing stays open.
 * @throws {MessagingError} ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT, ERR_CONNECT_REJECTED, ERR_CONNECTION_LOST, ERR_ABORTED
 */
export async function attemptConnection(options: AttemptOptions): Promise<Connection> {
  const { platform, parts, endpoint, connect, owner, signal } = options;
  const outcome = deferred<void>();
  const handshake = new Handshake(owner, outcome, connect.level);
  const connection = new Connection(parts, connect, handshake);
  const startedMs = platform.clock.nowMs();
  const transport = await platform.dial(endpoint, dialOptions(parts.settings, endpoint, signal), connection);
  connection.start(transport);
  const leftMs = Math.max(1, parts.settings.connectTimeoutMs - (platform.clock.nowMs() - startedMs));
  const timer = platform.clock.setTimer(leftMs, () =>
    connection.destroy(new MessagingError("ERR_CONNECT_TIMEOUT", `no CONNACK from ${endpoint.display} in time`)),
  );
  const release = onAbort(signal, () => connection.destroy(abortReason(signal)));
  try {
    await outcome.promise;
    return connection;
  } finally {
    timer.cancel();
    release();
  }
}

/** Stands between connection and client until CONNACK: an early end is the attempt's failure, not a lost connection. */
class Handshake implements ConnectionOwner {
  readonly #owner: AttemptOwner;
  readonly #outcome: Deferred<void>;
  readonly #level: ProtocolLevel;
  #state: "waiting" | "open" | "over" = "waiting";

  constructor(owner: AttemptOwner, outcome: Deferred<void>, level: ProtocolLevel) {
    this.#owner = owner;
    this.#outcome = outcome;
    this.#level = level;
  }

  onOpen(connack: Connack, connection: Connection): void {
    const check = this.#owner.checkAccepted(connack);
    if (check === null) return this.#enter(connack, connection);
    // Nothing goes out and nothing more is read from a server that is not known to be the right one.
    connection.setReading(false);
    check.then(
      () => {
        connection.setReading(true);
        this.#enter(connack, connection);
      },
      (error: MessagingError) => connection.fail(error),
    );
  }

  onRefused(connack: Connack): void {
    this.#owner.onRefused(connack);
    const name = this.#level === 4 ? returnCodeName(connack.reasonCode) : undefined;
    this.#outcome.reject(refusedByServer("ERR_CONNECT_REJECTED", "refused the connection", connack, name));
  }

  onOver(connection: Connection): void {
    if (this.#state === "open") this.#owner.onOver(connection);
    else this.#state = "over";
  }

  onEnd(error: MessagingError | null, connection: Connection): void {
    if (this.#state === "open") return this.#owner.onEnd(error, connection);
    this.#state = "over";
    this.#outcome.reject(error ?? new MessagingError("ERR_CONNECTION_LOST", "the connection ended before CONNACK"));
  }

  onAuth: ConnectionOwner["onAuth"] = (packet, connection) => this.#owner.onAuth(packet, connection);
  onServerDisconnect: ConnectionOwner["onServerDisconnect"] = (packet) => this.#owner.onServerDisconnect(packet);
  onHeld: ConnectionOwner["onHeld"] = (connection) => this.#owner.onHeld(connection);
  onReleased: ConnectionOwner["onReleased"] = (id, known, connection) => this.#owner.onReleased(id, known, connection);
  onExpiry: ConnectionOwner["onExpiry"] = (nowMs, flowingSinceMs) => this.#owner.onExpiry(nowMs, flowingSinceMs);

  #enter(connack: Connack, connection: Connection): void {
    if (this.#state !== "waiting") return;
    this.#state = "open";
    this.#owner.onOpen(connack, connection);
    this.#outcome.resolve();
  }
}

function dialOptions(settings: Settings, endpoint: Endpoint, signal: AbortSignal): DialOptions {
  const { webSocket } = settings;
  return {
    kind: dialKind(endpoint),
    connectTimeoutMs: settings.connectTimeoutMs,
    signal,
    tls: settings.tls ?? undefined,
    webSocket: { ...webSocket, protocols: webSocket?.protocols ?? ["mqtt"] },
    dial: settings.dial ?? undefined,
  };
}

function abortReason(signal: AbortSignal): MessagingError {
  return isMessagingError(signal.reason)
    ? signal.reason
    : new MessagingError("ERR_ABORTED", "the connection attempt was given up", { cause: signal.reason });
}
