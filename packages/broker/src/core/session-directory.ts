import { MessagingError } from "polymq/internal";
import type { StoredSession } from "./persistence.ts";
import type { Deadline } from "./schedule.ts";
import type { Subscriber } from "./subscription.ts";

/**
 * Why a session ended: its time without a connection ran out, a fresh one took its place, or its connection ended and it had no time to outlive it;
 * `removed` by an operator.
 */
export type EndReason = "expired" | "replaced" | "closed" | "removed";

/** A session as the core sees it: a subscriber with a life. The session layer implements it, once per protocol. */
export interface Session extends Subscriber {
  /**
   * Another connection takes this session over: end the old connection (and arrange what is published because of that) before
   * returning. Nothing is to be reported back.
   */
  onTakenOver(): void;
  /** The session is over: hand back what others should get (`hub.redistribute`) and let go of everything. Nothing is delivered any more. */
  onEnded(reason: EndReason): void;
  /** Drops what has expired at `nowMs` (since 1970); called now and then. */
  sweep(nowMs: number): void;
}

/** Whether a session has a connection, and when it ends if not. */
export type SessionState =
  | { readonly is: "attached" }
  | { readonly is: "detached"; readonly endsAtMs: number; readonly deadline: Deadline }
  | { readonly is: "ended" };

/** What the hub knows of a session. */
export interface SessionEntry {
  readonly session: Session;
  state: SessionState;
  /** How long it outlives its connection; 0 not at all, Infinity for ever. */
  expiryMs: number;
  /** Its place in the store, or null while nothing of it is stored. */
  stored: StoredSession | null;
}

/** All sessions by id. */
export class SessionDirectory {
  readonly #byId = new Map<string, SessionEntry>();
  readonly #countMax: number;
  #attached = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Sessions, with and without a connection. */
  get count(): number {
    return this.#byId.size;
  }

  /** Sessions with a connection. */
  get attachedCount(): number {
    return this.#attached;
  }

  get(id: string): SessionEntry | null {
    return this.#byId.get(id) ?? null;
  }

  /** The entry of exactly this session object while it lives, or null. */
  of(session: Session): SessionEntry | null {
    const entry = this.#byId.get(session.id);
    return entry?.session === session ? entry : null;
  }

  /** All entries, oldest first, as they are now. */
  list(): SessionEntry[] {
    return Array.from(this.#byId.values());
  }

  /** @throws {MessagingError} ERR_CONNECT_REJECTED when there are as many sessions as allowed */
  mustHaveRoom(): void {
    if (this.#byId.size < this.#countMax) return;
    throw new MessagingError("ERR_CONNECT_REJECTED", `there are ${this.#countMax} sessions, no more are allowed`);
  }

  /** Adds an entry under an id that is free. */
  add(entry: SessionEntry): void {
    if (this.#byId.has(entry.session.id)) throw new TypeError("a session of this id exists");
    this.#byId.set(entry.session.id, entry);
    if (entry.state.is === "attached") this.#attached++;
  }

  /** The one place that changes an entry's state; calls off the deadline of the old one. */
  enter(entry: SessionEntry, state: SessionState): void {
    const before = entry.state;
    if (before.is === "detached") before.deadline.cancel();
    if (before.is === "attached") this.#attached--;
    if (state.is === "attached") this.#attached++;
    if (state.is === "ended") this.#byId.delete(entry.session.id);
    entry.state = state;
  }
}
