// Hot path: `onDelivery` and `onOutcome` run per message. No closure, promise or iterator on their usual way.
import {
  type AmqpValue,
  type Composite,
  Condition,
  type DeliveryState,
  type Described,
  SaslCode,
} from "polymq/amqp10/codec";
import { type AnyLink, type End, Engine, type EngineHandler, type Session } from "polymq/amqp10/engine";
import { isMessagingError, type Outbox, type Transport } from "polymq/internal";
import type { Entry } from "../../auth/access-control.ts";
import type { AuthenticateRequest } from "../../auth/auth-hooks.ts";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { Decision } from "../../auth/decision-cache.ts";
import { hostedName } from "../../core/queues/hosted-name.ts";
import type { QueueOwner, VirtualHost } from "../../core/topology/topology-port.ts";
import type { ConnectionWire } from "../connection-wire.ts";
import { Gate } from "../gate.ts";
import type { NameFacts, TargetAddress } from "./addresses.ts";
import type { Amqp10Context } from "./amqp10-context.ts";
import type {
  Amqp10Types,
  BrokerLink,
  EngineSender,
  Incoming,
  IncomingLink,
  OutgoingLink,
  PeerState,
  Sent,
} from "./amqp10-types.ts";
import { attachLink } from "./attach-link.ts";
import { IncomingMessage } from "./incoming-message.ts";
import { Publisher } from "./publisher.ts";
import { Refused, said } from "./refused.ts";
import { RelayAddresses } from "./relay-addresses.ts";
import { SCRAM_MECHANISMS, ScramLogin } from "./scram-login.ts";
import { mechanismsFor, type SaslIdentity, saslIdentity } from "./server-sasl.ts";
import { Transactions } from "./transactions.ts";

/** A client that was let in. */
export interface Amqp10ClientFacts {
  /** The broker's name for the connection: `amqp10:<address>:<port>@<number>`. */
  readonly id: string;
  /** The user that it named, or "". */
  readonly username: string;
  readonly access: ConnectionAccess;
  /** What it calls itself in its open. */
  readonly container: string;
}

/** What the broker says that it can do (§2.7.1). */
const CAPABILITIES = ["ANONYMOUS-RELAY", "SHARED-SUBS", "DELAYED_DELIVERY"];

/** In front of a virtual host's name in the open's hostname, as RabbitMQ has it. */
const HOST_PREFIX = "vhost:";

const NO_RESPONSE: Uint8Array = new Uint8Array(0);

/**
 * One client: lets it in, and hands what happens on links to them. While somebody is asked whether the client may do something, all that follows waits in
 * the {@link Gate} and nothing more is read.
 */
export class Amqp10Connection implements EngineHandler<Amqp10Types>, QueueOwner {
  readonly context: Amqp10Context;
  readonly wire: ConnectionWire;
  readonly engine: Engine<Amqp10Types>;
  readonly gate: Gate;
  readonly number: number;
  /** The message in work. */
  readonly message: IncomingMessage;
  readonly transactions: Transactions;
  /** Links that the client has attached. */
  readonly links: Set<BrokerLink> = new Set();
  /** The broker's side of links whose attach will be answered once that is durable. */
  readonly opening: Map<AnyLink<Amqp10Types>, BrokerLink> = new Map();
  #entered: Omit<Amqp10ClientFacts, "container"> | null = null;
  #client: Amqp10ClientFacts | null = null;
  #host: VirtualHost | null = null;
  #publisher: Publisher | null = null;
  #relay: RelayAddresses | null = null;
  #scram: ScramLogin | null = null;

  constructor(context: Amqp10Context, wire: ConnectionWire) {
    const { hub, settings } = context;
    this.context = context;
    this.wire = wire;
    this.number = context.nextConnection();
    this.message = new IncomingMessage(context.text);
    this.transactions = new Transactions(this);
    this.gate = new Gate(
      () => wire.setReading(),
      (error) => this.fail(error),
    );
    this.engine = new Engine<Amqp10Types>({
      role: "server",
      outbox: wire.outbox,
      handler: this,
      nowMs: hub.clock.nowMs(),
      open: {
        containerId: "polymq",
        offeredCapabilities: CAPABILITIES,
        properties: { product: "polymq", version: context.version, platform: "Node.js" },
      },
      sasl: settings.sasl,
      // Asked for once the transport is there.
      get saslMechanisms() {
        const mechanisms = mechanismsFor(wire.transport?.info.peerCommonName ?? "");
        return context.access.scramUsers === null ? mechanisms : [...SCRAM_MECHANISMS, ...mechanisms];
      },
      maxFrameSize: settings.maxFrameSize,
      channelMax: settings.channelMax,
      idleTimeoutMs: settings.idleTimeoutMs,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
      session: { handleMax: settings.handleMax },
    });
  }

  get outbox(): Outbox {
    return this.wire.outbox;
  }

  /** The client; to be asked for only once the connection is open. */
  get client(): Amqp10ClientFacts {
    if (this.#client === null) throw new TypeError("nobody was let in yet");
    return this.#client;
  }

  /** The broker's name for it, or "" before the client is let in. */
  get id(): string {
    return this.#client?.id ?? "";
  }

  /** As {@link client}. */
  get host(): VirtualHost {
    if (this.#host === null) throw new TypeError("no virtual host is open yet");
    return this.#host;
  }

  get publisher(): Publisher {
    this.#publisher ??= new Publisher(this);
    return this.#publisher;
  }

  /** True while memory or disk are short: links of publishers get no credit. */
  get isHeldBack(): boolean {
    return this.context.topology.alarms.reasons.length > 0;
  }

  /** True while somebody is asked about the client. */
  get holdsReading(): boolean {
    return !this.gate.isOpen;
  }

  /** Whether the client may publish to what access control knows by this topic. */
  mayPublish(topic: string): Decision {
    const { access } = this.client;
    return access.mayPublishAll || access.mayPublish(topic, false, this.context.hub.clock.nowMs());
  }

  /** What decides about names that are no addresses. */
  nameFacts(capabilities: readonly string[]): NameFacts {
    const host = this.host;
    return {
      hasTopics: host.name === "/",
      hasQueue: (name) => this.context.hub.queues.has(hostedName(host.name, name)),
      capabilities,
    };
  }

  /** Where a message goes that was sent to the anonymous relay. @throws {Refused} */
  relayAddress(to: AmqpValue | undefined): TargetAddress {
    if (typeof to !== "string") {
      throw new Refused(Condition.preconditionFailed, "a message to the anonymous relay says where it goes in `to`");
    }
    this.#relay ??= new RelayAddresses(this.host.name, this.context.hub.queues);
    return this.#relay.at(to);
  }

  /** A message may name no other user than the one who sends it. @throws {Refused} */
  checkUser(userId: Uint8Array | null): void {
    if (userId === null || this.client.username === "") return;
    const { text } = this.context;
    let named = "";
    try {
      named = text.utf8(userId, 0, userId.length);
    } catch {
      // Not UTF-8: nobody's name.
    }
    if (named !== this.client.username) throw new Refused(Condition.unauthorizedAccess, "user-id names another user");
  }

  /** The transport is gone, whoever ended it. */
  onLost(): void {
    this.engine.lost(null);
    this.#leave();
  }

  /** The broker wants the client gone. @param reason `shutdown`, or in words why */
  shutDown(reason: string): void {
    const words = reason === "shutdown" ? "the broker is shutting down" : reason;
    this.engine.close(said(Condition.connectionForced, words));
    this.#leave();
  }

  /** There is room in the outbox again, or an alarm is over. */
  wake(): void {
    for (const link of this.links) link.wake();
  }

  /** Ends the connection because of a defect of ours. */
  fail(error: unknown): void {
    this.context.metrics.internalErrors++;
    this.engine.fail(Condition.internalError, "internal error", error);
  }

  // Engine: SASL

  onSaslMechanisms(): void {
    // For clients.
  }

  onSaslChallenge(): void {
    // For clients.
  }

  onSaslOutcome(): void {
    // For clients.
  }

  onSaslInit(mechanism: string, response: Uint8Array | null, _hostname: string | null): void {
    const transport = this.wire.transport;
    if (transport === null) return;
    this.#scram = ScramLogin.begin(mechanism, this.context.access.scramUsers, this.context.randomBytes);
    if (this.#scram !== null) {
      const challenge = this.#scram.challenge(response ?? NO_RESPONSE);
      return this.#afterwards(challenge, (bytes) => this.engine.saslChallenge(bytes));
    }
    const certificateCommonName = transport.info.peerCommonName;
    const identity = saslIdentity(mechanism, response, { text: this.context.text, certificateCommonName });
    if (identity === null) return this.#refuseLogin();
    this.#authenticate(identity, (entry) => {
      if (!entry.allow) return this.#refuseLogin(entry.reason === "serverBusy" ? SaslCode.sysTemp : SaslCode.auth);
      this.#enter(entry, identity);
      this.engine.saslOutcome(SaslCode.ok);
    });
  }

  onSaslResponse(response: Uint8Array): void {
    if (this.#scram === null) return this.#refuseLogin();
    const verdict = this.#scram.verify(response);
    this.#scram = null;
    this.#afterwards(verdict, ({ user, proof }) => {
      const transport = this.wire.transport;
      if (transport === null || user === null) return this.#refuseLogin();
      const identity = { username: user.username, password: null };
      const entry = this.context.access.admit(user, this.#request(identity, transport));
      if (!entry.allow) return this.#refuseLogin();
      this.#enter(entry, identity);
      this.engine.saslOutcome(SaslCode.ok, proof);
    });
  }

  // Engine: connection and sessions

  onOpen(open: Composite<"open">): void {
    if (this.#entered !== null) return this.#begin(open, this.#entered);
    // Without SASL a client is whoever its certificate says, or nobody.
    const name = this.wire.transport?.info.peerCommonName ?? "";
    const identity = { username: name === "" ? null : name, password: null };
    this.#authenticate(identity, (entry) => {
      if (!entry.allow) {
        this.context.metrics.clientsRefused++;
        return this.#refuse(Condition.unauthorizedAccess, "the client is not let in");
      }
      this.#begin(open, this.#enter(entry, identity));
    });
  }

  onClose(_end: End): void {
    this.#leave();
    this.wire.hangUp();
  }

  onBegin(_session: Session<Amqp10Types>): void {
    // Sessions have no state of ours.
  }

  onEnd(_session: Session<Amqp10Types>): void {
    // Its links were told.
  }

  // Engine: links

  onAttach(link: AnyLink<Amqp10Types>, attach: Composite<"attach">): void {
    const open = (): void => {
      if (this.#client !== null && link.state.is === "offered") attachLink(this, link, attach);
    };
    if (this.gate.isOpen) open();
    else this.gate.after(open);
  }

  onDetach(link: AnyLink<Amqp10Types>, end: End, closed: boolean): void {
    if (this.#client !== null) this.context.linkNames.leave(this.#client.container, this.#client.username, link);
    const owner = link.owner ?? this.opening.get(link);
    if (owner === undefined) return;
    this.links.delete(owner);
    this.opening.delete(link);
    owner.end(end, closed);
    if (link.state.is === "leaving") this.#answerWhenStored(link);
  }

  onCredit(link: EngineSender): void {
    (link.owner as OutgoingLink | undefined)?.onCredit();
  }

  onSent(link: EngineSender): void {
    (link.owner as OutgoingLink | undefined)?.onCredit();
  }

  onFlow(): void {
    // Nothing is made of link state properties.
  }

  onDrained(): void {
    // Nothing of ours drains.
  }

  onDelivery(delivery: Incoming): void {
    (delivery.link.owner as IncomingLink | undefined)?.onDelivery(delivery);
  }

  onOutcome(delivery: Sent, state: DeliveryState | Described | null, settled: boolean): void {
    if (this.gate.isOpen) return this.#onOutcome(delivery, state, settled);
    this.gate.after(() => this.#onOutcome(delivery, state, settled));
  }

  onSettled(delivery: Incoming, _state: unknown, settled: boolean): void {
    if (settled) (delivery.link.owner as IncomingLink | undefined)?.onSettled(delivery);
  }

  // Own

  /** What a closing detach ends must not be there again after a crash, once it is answered. */
  #answerWhenStored(link: AnyLink<Amqp10Types>): void {
    this.context.hub.committer.whenDurable(
      {
        onDurable: () => link.answerDetach(),
        onCommitFailed: () => link.answerDetach(said(Condition.internalError, "the end could not be stored")),
      },
      0,
    );
  }

  #onOutcome(delivery: Sent, state: PeerState, settled: boolean): void {
    delivery.item.onOutcome(delivery, state, settled);
  }

  /** Asks who a client is; all that follows waits where that takes time. */
  #authenticate(identity: SaslIdentity, use: (entry: Entry) => void): void {
    const transport = this.wire.transport;
    if (transport === null) return;
    const entry = this.context.access.authenticate(this.#request(identity, transport));
    if (entry instanceof Promise) this.#afterwards(entry, use);
    else use(entry);
  }

  #request(identity: SaslIdentity, { info }: Transport): AuthenticateRequest {
    const { peerCommonName, remoteAddress, remotePort } = info;
    return {
      clientId: `amqp10:${remoteAddress}:${remotePort}@${this.number}`,
      ...identity,
      certificateCommonName: peerCommonName,
      protocol: "amqp10",
      transport: info,
    };
  }

  /** Goes on when something is known; all that follows waits. What a client got wrong while it proves itself refuses it. */
  #afterwards<T>(pending: Promise<T>, use: (value: T) => void): void {
    const known = pending.then(
      (value) => {
        if (!this.engine.over) use(value);
        return true;
      },
      (error: unknown) => {
        if (!isMessagingError(error)) this.fail(error);
        else if (!this.engine.over) this.#refuseLogin();
        return false;
      },
    );
    this.gate.pass(known, () => undefined);
  }

  #enter(
    entry: Extract<Entry, { readonly allow: true }>,
    identity: SaslIdentity,
  ): Omit<Amqp10ClientFacts, "container"> {
    this.#entered = { id: entry.clientId, username: identity.username ?? "", access: entry.access };
    return this.#entered;
  }

  #begin(open: Composite<"open">, entered: Omit<Amqp10ClientFacts, "container">): void {
    const { topology, metrics, connections } = this.context;
    const named = open.hostname?.startsWith(HOST_PREFIX) === true ? open.hostname.slice(HOST_PREFIX.length) : "/";
    this.#host = topology.host(named);
    if (this.#host === null) return this.#refuse(Condition.notFound, `there is no virtual host ${named}`);
    this.#client = { ...entered, container: open.containerId };
    metrics.clientConnected();
    connections.add(this);
  }

  #refuseLogin(code: number = SaslCode.auth): void {
    this.context.metrics.clientsRefused++;
    this.engine.saslOutcome(code);
  }

  #refuse(condition: string, description: string): void {
    this.engine.close(said(condition, description));
    this.wire.hangUp();
  }

  /** The client is gone or going: its links give back what they hold. */
  #leave(): void {
    this.gate.close();
    for (const link of [...this.links, ...this.opening.values()]) link.end(LOST, false);
    this.links.clear();
    this.opening.clear();
    this.transactions.end(null);
    if (this.#client !== null && this.context.connections.delete(this)) {
      this.context.metrics.clientDisconnected();
      this.#host?.release(this);
    }
  }
}

const LOST: End = { scope: "connection", by: "lost", error: null, cause: null };
