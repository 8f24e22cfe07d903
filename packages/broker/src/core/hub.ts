// Hot path: `publish` runs per message. No closure, promise, spread, iterator or regex in it.
import { type Clock, MessagingError, type TextCodec } from "polymq/internal";
import { Committer } from "../storage/committer.ts";
import type { Durability, Store } from "../storage/store.ts";
import { DelayedPublications } from "./delayed-publications.ts";
import { Distribution, REFUSED } from "./distribution.ts";
import { HeldMessages } from "./held-messages.ts";
import { type HubInspection, inspectHub } from "./inspection.ts";
import type { Message, MessageStamp, MessageView } from "./message.ts";
import { type MessageParts, makeMessage, messageBytes, TransientMessage } from "./message.ts";
import { PassingMessages } from "./passing-messages.ts";
import { Persistence, type StoredSession } from "./persistence.ts";
import type { AutoCreate, QueueLimits } from "./queues/queue-directory.ts";
import type { QueueDefinition } from "./queues/queue-settings.ts";
import { Queues } from "./queues/queues.ts";
import { type RestoredSession, restore } from "./restore.ts";
import { RetainedMessages, RetainedReplay } from "./retained.ts";
import { type Route, Router, type Subscribed } from "./router.ts";
import { Schedule } from "./schedule.ts";
import { type EndReason, type Session, SessionDirectory, type SessionEntry } from "./session-directory.ts";
import { Statistics } from "./statistics.ts";
import type { Subscription, SubscriptionTerms } from "./subscription.ts";
import { Hosts } from "./topology/topology.ts";
import type { ResourceLimits, Topology, TopologyOptions } from "./topology/topology-port.ts";
import { Turn } from "./turn.ts";

/** Bounds of what a hub holds. */
export interface HubLimits {
  /** Sessions with and without a connection; 100,000 by default. */
  readonly sessionsMax?: number;
  /** Subscriptions of one session; 10,000 by default. */
  readonly subscriptionsPerSessionMax?: number;
  /** UTF-16 units of the filters and group names of one session; 8 Mi by default. */
  readonly filterUnitsPerSessionMax?: number;
  /** Topics with a retained message; 1,000,000 by default. */
  readonly retainedMax?: number;
  /** Bytes of all retained messages, about; 256 MiB by default. */
  readonly retainedBytesMax?: number;
  /** Bytes of all messages that sessions and retained topics hold together, about; no limit by default. */
  readonly heldBytesMax?: number;
}

/** What a hub works with. */
export interface HubOptions {
  readonly clock: Clock;
  /** Where sessions and messages survive a restart; null (the default) keeps all in memory. The hub closes it. */
  readonly store?: Store | null;
  readonly limits?: HubLimits;
  /** What happens when somebody uses a queue that does not exist. Default: `durable` with a store, else `ephemeral`. */
  readonly autoCreateQueues?: AutoCreate;
  readonly queueLimits?: QueueLimits;
  /** Queues that are to be there; those that exist are changed accordingly. */
  readonly queues?: readonly QueueDefinition[];
  /** Virtual hosts, and bounds of exchanges and bindings. */
  readonly topology?: TopologyOptions;
  /** When memory or disk count as short. */
  readonly resources?: ResourceLimits;
  /** Default: the one that every runtime has. */
  readonly text?: TextCodec;
  /** How often expired messages are looked for; a minute by default. None is ever delivered, swept or not. */
  readonly sweepIntervalMs?: number;
  /** Makes the session layer's object for a session that was stored; required with a store. Deliveries and inbound ids are in `restored`. */
  readonly restoreSession?: (restored: RestoredSession, hub: Hub) => Session;
  /** The store failed: nothing is acknowledged any more, the broker should stop. */
  readonly onStoreFailed?: (error: MessagingError) => void;
  /** Something threw that must not: a subscriber, a listener, a scheduled task. The hub goes on. */
  readonly onError?: (error: unknown) => void;
}

/** What {@link Hub.openSession} needs. */
export interface SessionRequest {
  readonly id: string;
  /** `fresh` ends an existing session of this id; `resume` continues it. */
  readonly start: "fresh" | "resume";
  /** How long the session outlives its connection; 0 not at all, Infinity for ever. */
  readonly expiryMs: number;
  /** The session layer's own data to store, such as whose session it is. */
  readonly state: Uint8Array;
  /** Makes the session layer's object when there is none to resume. `stored` is null when nothing of it is stored. */
  readonly create: (stored: StoredSession | null) => Session;
}

/** The session that a connection now has. */
export interface OpenedSession {
  readonly session: Session;
  readonly is: "created" | "resumed";
  /** For saving deliveries; null when nothing of it is stored. Of a resumed session it may differ from before. */
  readonly stored: StoredSession | null;
}

/** Everything between sessions: who gets which message, what is retained, which sessions exist, what is stored and when. */
export class Hub implements MessageStamp {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly committer: Committer;
  readonly router: Router = new Router();
  readonly retained: RetainedMessages;
  /** Counts what sessions and retained topics hold together. */
  readonly held: HeldMessages;
  readonly sessions: SessionDirectory;
  readonly schedule: Schedule;
  readonly delayed: DelayedPublications;
  readonly queues: Queues;
  /** Exchanges and bindings, and queues as those who declare them see them. */
  readonly topology: Topology;
  readonly #hosts: Hosts;
  readonly statistics: Statistics = new Statistics();
  /** Saves deliveries and inbound ids; null without a store. */
  readonly persistence: Persistence | null;
  readonly #store: Store | null;
  readonly #onError: (error: unknown) => void;
  readonly #passing = new PassingMessages();
  readonly #distribution: Distribution;
  readonly #subscriptionsPerSessionMax: number;
  readonly #filterUnitsPerSessionMax: number;
  readonly #sweepIntervalMs: number;
  #sequence = 0;
  #state: "open" | "closed" = "open";

  private constructor(options: HubOptions) {
    const { clock, limits = {} } = options;
    this.clock = clock;
    this.#store = options.store ?? null;
    this.#onError = options.onError ?? ignore;
    this.held = new HeldMessages(limits.heldBytesMax);
    this.#distribution = new Distribution({ statistics: this.statistics, held: this.held, onError: this.#onError });
    this.#subscriptionsPerSessionMax = limits.subscriptionsPerSessionMax ?? 10_000;
    this.#filterUnitsPerSessionMax = limits.filterUnitsPerSessionMax ?? 8 * 1024 * 1024;
    this.#sweepIntervalMs = options.sweepIntervalMs ?? 60_000;
    this.turn = new Turn(clock, this.#onError);
    this.committer = new Committer({
      store: this.#store,
      arm: () => this.turn.armCommit(),
      onFailed: options.onStoreFailed ?? ignore,
      onListenerError: this.#onError,
    });
    this.turn.onCommit(() => this.committer.endTurn());
    this.persistence = this.#store === null ? null : new Persistence(this.committer);
    if (this.persistence !== null) this.committer.addSource(this.persistence);
    const retainedLimits = {
      countMax: limits.retainedMax ?? 1_000_000,
      bytesMax: limits.retainedBytesMax ?? 256 * 1024 * 1024,
    };
    const changes = this.persistence ?? { onRetainedChange: ignore };
    this.retained = new RetainedMessages(retainedLimits, changes, this.held);
    this.sessions = new SessionDirectory(limits.sessionsMax ?? 100_000);
    this.schedule = new Schedule(clock, this.#onError);
    this.delayed = new DelayedPublications(this.schedule, this.persistence, (message) => this.publish(message));
    this.queues = new Queues({
      clock,
      schedule: this.schedule,
      committer: this.committer,
      router: this.router,
      store: this.#store,
      onError: this.#onError,
      autoCreate: options.autoCreateQueues ?? (this.#store === null ? "ephemeral" : "durable"),
      ...(options.queueLimits === undefined ? {} : { limits: options.queueLimits }),
      ...(options.text === undefined ? {} : { text: options.text }),
    });
    this.#hosts = new Hosts(options.topology ?? {}, {
      topics: this,
      schedule: this.schedule,
      committer: this.committer,
      store: this.#store,
      resources: options.resources ?? {},
      ...(options.text === undefined ? {} : { text: options.text }),
    });
    this.topology = this.#hosts;
  }

  /**
   * Opens a hub and takes up everything stored. Sessions whose time ran out while it was closed are ended, publications that fell due are made.
   * @throws {MessagingError} ERR_STORE_CORRUPT, ERR_STORE_FAILED, ERR_INVALID_OPTIONS for stored sessions without `restoreSession`, and for
   * queues whatever `Queues.declare` throws
   */
  static open(options: HubOptions): Hub {
    const hub = new Hub(options);
    try {
      hub.#restore(options);
      for (const definition of options.queues ?? []) hub.queues.declare(definition, { ifExists: "update" });
    } catch (error) {
      hub.schedule.close(); // or what was restored so far would keep its timers
      throw error;
    }
    hub.#armSweep();
    return hub;
  }

  /** A number above all that were given, or stored, before it. */
  nextSequence(): number {
    return ++this.#sequence;
  }

  /** Time of day in milliseconds, by the broker's clock. */
  epochMs(): number {
    return this.clock.epochMs();
  }

  takenAtMs(): number {
    return this.turn.epochMs();
  }

  /** What a commit promises; "none" without a store. */
  get durability(): "none" | Durability {
    return this.#store?.durability ?? "none";
  }

  /** A message view for one connection to reuse. */
  transientMessage(): TransientMessage {
    return new TransientMessage(this, this.#passing);
  }

  /** An owned message, such as a will. */
  makeMessage(parts: MessageParts): Message {
    return makeMessage(parts, this);
  }

  /**
   * Routes a message to everybody who is to get it, and retains it when it says so. Returns how many subscriptions, groups and queues matched: 0 means
   * that nobody is interested, `REFUSED` that nobody has it for want of room (`HeldMessages`). A message to a queue address is enqueued, never retained, and 0 when it is refused; who wants to know why calls
   * `queues.publish`. Whoever must acknowledge it calls `committer.whenDurable` afterwards.
   * @param route the topic's route, when the caller has one whose version is still `router.version`
   */
  publish(message: MessageView, route: Route = this.router.route(message.topic)): number {
    const statistics = this.statistics;
    statistics.messagesIn++;
    statistics.bytesIn += message.payload.length;
    const { queues } = route;
    let matched = queues.length;
    if (route.address !== null) matched = this.queues.publish(message, null, route) === null ? 1 : 0;
    else if (matched > 0) this.queues.capture(message, queues);
    const isRetained = route.address === null && message.retain && this.#retain(message);
    const offered = this.#distribution.offer(message, route);
    if (offered === REFUSED) return matched > 0 || isRetained ? matched : REFUSED;
    matched += offered;
    if (matched === 0) statistics.messagesUnmatched++;
    return matched;
  }

  /** For `core/` alone: as {@link publish}, but for queues that an exchange leads to, and without counting the message as one that came in. */
  deliver(message: MessageView, route: Route): number {
    const { captures } = route;
    if (captures.length > 0) this.queues.capture(message, captures);
    const offered = this.#distribution.offer(message, route);
    if (offered !== REFUSED) return captures.length + offered;
    return captures.length > 0 ? captures.length : REFUSED;
  }

  /** True unless the message asks to be retained and there is no room for that; then it is counted as refused. */
  mayRetain(message: MessageView): boolean {
    if (!message.retain || message.payload.length === 0) return true;
    if (this.retained.hasRoomFor(message.topic, messageBytes(message))) return true;
    this.retained.refuse();
    return false;
  }

  /**
   * Adds a subscription of a session, or replaces the one with the same filter and group, and stores it if the session is stored.
   * @throws {MessagingError} ERR_INVALID_TOPIC; ERR_SUBSCRIBE_FAILED when the session has as many as allowed, or too much text in their filters
   */
  subscribe(session: Session, terms: SubscriptionTerms): Subscribed {
    const entry = this.#mustLive(session);
    if (!this.router.mayAdd(session, terms, this.#subscriptionsPerSessionMax, this.#filterUnitsPerSessionMax)) {
      const text = `a session may have ${this.#subscriptionsPerSessionMax} subscriptions, and no more text in their filters`;
      throw new MessagingError("ERR_SUBSCRIBE_FAILED", text);
    }
    const subscribed = this.router.subscribe(session, terms);
    if (entry.stored !== null) this.persistence?.saveSubscription(entry.stored, termsOf(subscribed.subscription));
    return subscribed;
  }

  /** Removes a subscription of a session, stored or not, and returns it, or null when there was none. */
  unsubscribe(session: Session, filter: string, group: string | null = null): Subscription | null {
    const stored = this.sessions.of(session)?.stored ?? null;
    if (stored !== null) this.persistence?.dropSubscription(stored, filter, group);
    return this.router.unsubscribe(session, filter, group);
  }

  /** The retained messages for a new subscription, to be taken one by one as there is room. */
  replay(filter: string): RetainedReplay {
    return new RetainedReplay(this.retained, filter, this.clock.epochMs());
  }

  /**
   * Offers a message that one member of a group will not deliver any more to the others; false when there is none or none took it.
   * For at-least-once messages of a session that ends.
   */
  redistribute(group: string, filter: string, message: Message): boolean {
    return (this.router.group(group, filter)?.offer(message) ?? null) !== null;
  }

  /**
   * Gives a new connection its session. An existing connection of the same session is told first (`onTakenOver`); a delayed publication of a session that is
   * resumed is called off.
   * @throws {MessagingError} ERR_CONNECT_REJECTED when there are too many sessions
   */
  openSession(request: SessionRequest): OpenedSession {
    const existing = this.#takeOver(request);
    if (existing !== null) return this.#resume(existing, request);
    this.sessions.mustHaveRoom();
    const stored = request.expiryMs > 0 ? this.#keep(request) : null;
    const session = request.create(stored);
    if (session.id !== request.id) throw new TypeError("the session has another id than was asked for");
    this.sessions.add({ session, state: { is: "attached" }, expiryMs: request.expiryMs, stored });
    this.statistics.sessionsCreated++;
    return { session, is: "created", stored };
  }

  /**
   * The session's connection is gone. The session ends now, or after `expiryMs` unless it is resumed; that is what it was opened with unless given.
   * Harmless for a session that has ended or has no connection.
   */
  detachSession(session: Session, expiryMs?: number): void {
    const entry = this.sessions.of(session);
    if (entry === null || entry.state.is !== "attached") return;
    if (expiryMs !== undefined) entry.expiryMs = expiryMs;
    if (entry.expiryMs <= 0) this.#end(entry, "closed");
    else this.#detach(entry, this.clock.epochMs() + entry.expiryMs);
  }

  /** Ends a session for good: its subscriptions, messages and stored records go. Harmless when it has ended. */
  endSession(session: Session, reason: EndReason): void {
    const entry = this.sessions.of(session);
    if (entry !== null) this.#end(entry, reason);
  }

  /**
   * Publishes `message` after `delayMs` unless its owner's session is resumed before; when that session ends before, then at once. One per owner.
   */
  publishLater(owner: Session, message: Message, delayMs: number): void {
    const entry = this.sessions.of(owner);
    this.delayed.put(owner.id, message, entry === null ? 0 : Math.min(delayMs, entry.expiryMs));
  }

  /** A picture of what is here now. */
  inspect(): HubInspection {
    return inspectHub(this);
  }

  /**
   * Stores what is left to store and closes the store. Sessions are not ended: connected ones are to be detached before.
   * @throws {MessagingError} ERR_STORE_FAILED when not everything could be stored; the store is closed all the same
   */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.schedule.close();
    try {
      await this.committer.flush();
    } finally {
      await this.#store?.close();
    }
  }

  /** True unless the limits refuse it. */
  #retain(message: MessageView): boolean {
    if (!this.mayRetain(message)) return false;
    if (message.payload.length > 0) return this.retained.set(message.keep()) !== "refused";
    this.retained.clear(message.topic);
    return true;
  }

  /** The session to continue, or null when a new one is to be made; whatever stood in the way is gone then. */
  #takeOver(request: SessionRequest): SessionEntry | null {
    const entry = this.sessions.get(request.id);
    if (entry === null) return null;
    if (entry.state.is === "detached" && entry.state.endsAtMs <= this.clock.epochMs()) {
      this.#end(entry, "expired"); // its timer is late
      return null;
    }
    if (entry.state.is === "attached") {
      this.statistics.sessionsTakenOver++;
      entry.session.onTakenOver();
      // It may have been ended by that, or detached; if neither, its connection is gone now all the same.
      if (this.sessions.of(entry.session) === null) return null;
      if (entry.expiryMs <= 0) {
        this.#end(entry, "closed");
        return null;
      }
    }
    if (request.start === "resume") return entry;
    this.#end(entry, "replaced");
    return null;
  }

  #resume(entry: SessionEntry, request: SessionRequest): OpenedSession {
    this.sessions.enter(entry, { is: "attached" });
    this.delayed.cancel(request.id);
    entry.expiryMs = request.expiryMs;
    const { expiryMs, state } = request;
    if (entry.stored !== null) {
      if (expiryMs > 0) this.persistence?.updateSession(entry.stored, { expiryMs, endsAtMs: 0, state });
      else {
        this.persistence?.removeSession(entry.stored);
        entry.stored = null;
      }
    }
    this.statistics.sessionsResumed++;
    return { session: entry.session, is: "resumed", stored: entry.stored };
  }

  #keep(request: SessionRequest): StoredSession | null {
    const { id, expiryMs, state } = request;
    return this.persistence?.createSession(id, { expiryMs, endsAtMs: 0, state }) ?? null;
  }

  #detach(entry: SessionEntry, endsAtMs: number): void {
    const deadline = this.schedule.at(endsAtMs, () => this.#end(entry, "expired"));
    this.sessions.enter(entry, { is: "detached", endsAtMs, deadline });
    if (entry.stored !== null) {
      this.persistence?.updateSession(entry.stored, { expiryMs: entry.expiryMs, endsAtMs });
    }
  }

  #end(entry: SessionEntry, reason: EndReason): void {
    if (entry.state.is === "ended") return;
    this.router.unsubscribeAll(entry.session);
    this.sessions.enter(entry, { is: "ended" });
    if (reason === "expired") this.statistics.sessionsExpired++;
    try {
      entry.session.onEnded(reason);
    } catch (error) {
      this.#onError(error);
    }
    if (entry.stored !== null) this.persistence?.removeSession(entry.stored);
    this.delayed.fire(entry.session.id);
  }

  #mustLive(session: Session): SessionEntry {
    const entry = this.sessions.of(session);
    if (entry === null) throw new MessagingError("ERR_SESSION_LOST", "the session has ended");
    return entry;
  }

  #restore(options: HubOptions): void {
    if (this.#store === null || this.persistence === null) return;
    const restored = restore(this.#store, this.persistence);
    this.#sequence = restored.lastSequence;
    if (restored.sessions.length > 0 && options.restoreSession === undefined) {
      throw new MessagingError("ERR_INVALID_OPTIONS", "the store has sessions, but nobody takes them up");
    }
    for (const message of restored.retained) this.retained.restore(message);
    this.queues.restore(); // before publications that fell due are made
    this.#hosts.restore(this.#store);
    for (const one of restored.sessions) {
      const session = options.restoreSession?.(one, this);
      if (session !== undefined) this.#restoreSession(session, one);
    }
    for (const one of restored.delayed) this.delayed.restore(one);
    // Only now, when all members of a group are here, may sessions end and hand their messages on.
    const nowMs = this.clock.epochMs();
    for (const entry of this.sessions.list()) {
      if (entry.state.is === "detached" && entry.state.endsAtMs <= nowMs) this.#end(entry, "expired");
    }
  }

  #restoreSession(session: Session, restored: RestoredSession): void {
    const { expiryMs, endsAtMs } = restored.stored.facts;
    const entry: SessionEntry = { session, state: { is: "attached" }, expiryMs, stored: restored.stored };
    this.sessions.add(entry);
    for (const terms of restored.subscriptions) this.router.subscribe(session, terms);
    // One that was connected lost its connection when the broker stopped; its time starts now, for when that was is not known.
    this.#detach(entry, endsAtMs === 0 ? this.clock.epochMs() + expiryMs : endsAtMs);
  }

  #armSweep(): void {
    this.schedule.after(this.#sweepIntervalMs, () => {
      const nowMs = this.clock.epochMs();
      this.retained.sweep(nowMs);
      this.queues.sweep(nowMs);
      for (const entry of this.sessions.list()) entry.session.sweep(nowMs);
      this.#armSweep();
    });
  }
}

/** All terms of a subscription, as they are stored. */
function termsOf(subscription: Subscription): Required<SubscriptionTerms> {
  const { filter, guaranteeMax, noLocal, retainAsPublished, identifier, group } = subscription;
  return { filter, guaranteeMax, noLocal, retainAsPublished, identifier, group };
}

function ignore(): void {}
