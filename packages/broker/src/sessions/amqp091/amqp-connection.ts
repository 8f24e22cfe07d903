// Hot path: `onPublish` and `onSettled` run per message. No closure, promise or iterator on their usual way.
import { type Method, type MethodOf, methodRow, ReplyCode, type Settlement } from "polymq/amqp091/codec";
import {
  type CloseReason,
  type ServerChannel,
  ServerEngine,
  type ServerHandler,
  type Tuning,
} from "polymq/amqp091/engine";
import type { MessagingError, Outbox } from "polymq/internal";
import type { Entry } from "../../auth/access-control.ts";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { AlarmReason, QueueOwner, VirtualHost } from "../../core/topology/topology-port.ts";
import type { ConnectionWire } from "../connection-wire.ts";
import { Gate } from "../gate.ts";
import { AmqpChannel } from "./amqp-channel.ts";
import type { AmqpContext } from "./amqp-context.ts";
import { identityOf, loginRefused, MECHANISMS, type SaslIdentity } from "./amqp-sasl.ts";
import type { AmqpTypes, IncomingContent } from "./amqp-types.ts";
import { PublishIntake } from "./publish-intake.ts";
import { ReplyError, replyFor } from "./reply-error.ts";
import type { Unsettled } from "./unsettled.ts";

/** How many bodies of the largest size may be incomplete in one connection. */
const ASSEMBLED_BODIES_MAX = 4;

/** Time that the client has to answer our `connection.close`. */
const CLOSE_TIMEOUT_MS = 1_000;

/** A client that was let in. */
export interface AmqpClientFacts {
  /** The broker's name for the connection: `amqp091:<address>:<port>@<number>`. */
  readonly id: string;
  /** The user that it named, or "". */
  readonly username: string;
  readonly access: ConnectionAccess;
  readonly virtualHost: string;
}

/**
 * One client: lets it in, and hands what happens on channels to them. While somebody is asked whether the client may do something, all
 * that follows waits in the {@link Gate} and nothing more is read.
 */
export class AmqpConnection implements ServerHandler<AmqpTypes>, QueueOwner {
  readonly context: AmqpContext;
  readonly wire: ConnectionWire;
  readonly engine: ServerEngine<AmqpTypes>;
  readonly gate: Gate;
  readonly number: number;
  /** Consumers on all channels. */
  consumerCount = 0;
  /** True once the client has published while memory or disk were short, as long as they are: it was told so, and nothing is read from it. */
  #isBlocked = false;
  #client: AmqpClientFacts | null = null;
  #host: VirtualHost | null = null;
  #intake: PublishIntake | null = null;
  /** Who was let in, until the virtual host is open. */
  #entered: Omit<AmqpClientFacts, "virtualHost"> | null = null;
  #identity: SaslIdentity = { username: null, password: null };
  #mechanism = "";
  readonly #channels = new Set<AmqpChannel>();

  constructor(context: AmqpContext, wire: ConnectionWire) {
    const { hub, settings } = context;
    this.context = context;
    this.wire = wire;
    this.number = context.nextConnection();
    this.gate = new Gate(
      () => wire.setReading(),
      (error) => this.fail(error),
    );
    this.engine = new ServerEngine<AmqpTypes>({
      outbox: wire.outbox,
      handler: this,
      routes: context.routes,
      tuning: settings.tuning,
      bodyBytesMax: settings.maximumBodyBytes,
      assemblyBytesMax: settings.maximumBodyBytes * ASSEMBLED_BODIES_MAX,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
      closeTimeoutMs: CLOSE_TIMEOUT_MS,
      nowMs: hub.clock.nowMs(),
      serverProperties: context.serverProperties,
      mechanisms: MECHANISMS,
      ownerOf: (id) => new AmqpChannel(this, id),
    });
  }

  get outbox(): Outbox {
    return this.wire.outbox;
  }

  /** The client; to be asked for only once the connection is open. */
  get client(): AmqpClientFacts {
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

  get intake(): PublishIntake {
    this.#intake ??= new PublishIntake(this);
    return this.#intake;
  }

  /** True while somebody is asked about the client, or it publishes more than there is room for. */
  get holdsReading(): boolean {
    return this.#isBlocked || !this.gate.isOpen;
  }

  /** The transport is gone, whoever ended it. */
  onLost(): void {
    this.engine.end();
    this.#leave();
  }

  /** The broker wants the client gone. @param reason such as `shutdown` */
  shutDown(reason: string): void {
    const text = `CONNECTION_FORCED - broker forced connection closure with reason '${reason}'`;
    this.engine.close(ReplyCode.ConnectionForced, text);
    this.#leave();
  }

  /** There is room in the outbox again. */
  wake(): void {
    for (const channel of this.#channels) channel.wake();
  }

  /**
   * Memory or disk are short, or not any more. Who publishes in that time is told with its first message; who only consumes is not concerned, and has to
   * be heard: what it acknowledges makes room.
   */
  onAlarm(reasons: readonly AlarmReason[]): void {
    if (!this.#isBlocked || reasons.length > 0) return;
    this.#isBlocked = false;
    this.engine.sendBlocked(null);
    this.wire.setReading();
  }

  /** Ends the connection because of an error that came from elsewhere than the engine's own calls. */
  fail(error: unknown): void {
    if (!(error instanceof ReplyError)) this.context.metrics.internalErrors++;
    this.refuse(replyFor(error), null);
  }

  /** Ends the connection with a reply code. @param about the method that failed, or null */
  refuse(reply: ReplyError, about: Method["method"] | null): void {
    const [classId, methodId] = about === null ? NO_METHOD : methodRow(about).id;
    this.engine.close(reply.replyCode, reply.message, classId, methodId);
    this.#leave();
  }

  // Engine

  onStartOk(start: MethodOf<"connection.start-ok">): void {
    this.#mechanism = start.mechanism;
    this.#attempt(() => {
      const transport = this.wire.transport;
      if (transport === null) return;
      const { text } = this.context;
      const { peerCommonName, remoteAddress, remotePort } = transport.info;
      this.#identity = identityOf(start.mechanism, start.response, { text, certificateCommonName: peerCommonName });
      const entry = this.context.access.authenticate({
        clientId: `amqp091:${remoteAddress}:${remotePort}@${this.number}`,
        ...this.#identity,
        certificateCommonName: peerCommonName,
        protocol: "amqp091",
        transport: transport.info,
      });
      if (!(entry instanceof Promise)) return this.#onEntry(entry);
      entry.then((value) => this.#onEntry(value)).catch((error: unknown) => this.fail(error));
    });
  }

  onSecureOk(): void {
    // No mechanism of ours challenges, so that the engine lets nothing come here.
  }

  onOpen(virtualHost: string, _tuning: Tuning): void {
    const entered = this.#entered;
    if (entered === null) return;
    const { topology } = this.context;
    const host = topology.host(virtualHost);
    if (host === null) {
      return this.refuse(new ReplyError(ReplyCode.NotAllowed, `vhost ${virtualHost} not found`), "connection.open");
    }
    this.#host = host;
    this.#client = { ...entered, virtualHost };
    this.context.metrics.clientConnected();
    this.context.connections.add(this);
    this.engine.acceptOpen();
  }

  onUpdateSecret(newSecret: Uint8Array): void {
    const transport = this.wire.transport;
    if (transport === null) return;
    const { access } = this.context;
    // Passwords of the user table do not expire: whatever is given in their place changes nothing, as in RabbitMQ.
    if (!access.asksApplication) return this.engine.acceptSecret();
    const entry = access.authenticate({
      clientId: this.client.id,
      username: this.#identity.username,
      password: newSecret,
      certificateCommonName: transport.info.peerCommonName,
      protocol: "amqp091",
      transport: transport.info,
    });
    const settle = (value: Entry): void => {
      if (value.allow) this.engine.acceptSecret();
      else this.refuse(new ReplyError(ReplyCode.NotAllowed, "the new secret was refused"), "connection.update-secret");
    };
    if (entry instanceof Promise) entry.then(settle).catch((error: unknown) => this.fail(error));
    else settle(entry);
  }

  onChannelOpen(channel: ServerChannel<AmqpTypes>): void {
    channel.owner.open(channel);
    this.#channels.add(channel.owner);
  }

  onMethod(channel: ServerChannel<AmqpTypes>, method: Method): void {
    if (this.gate.isOpen) channel.owner.onMethod(method);
    else this.gate.after(() => channel.owner.onMethod(method));
  }

  onPublish(channel: ServerChannel<AmqpTypes>, content: IncomingContent, publishTag: number): void {
    const { reasons } = this.context.topology.alarms;
    if (reasons.length > 0 && !this.#isBlocked) this.#block(reasons);
    channel.owner.onPublish(content, publishTag);
  }

  onSettled(
    channel: ServerChannel<AmqpTypes>,
    message: Unsettled,
    settlement: Settlement,
    requeue: boolean,
    tag: number,
  ): void {
    if (this.gate.isOpen) channel.owner.onSettled(message, settlement, requeue, tag);
    else this.gate.after(() => channel.owner.onSettled(message, settlement, requeue, tag));
  }

  onChannelClosed(channel: ServerChannel<AmqpTypes>, _reason: CloseReason | null): void {
    this.#channels.delete(channel.owner);
    channel.owner.end();
  }

  onFlow(channel: ServerChannel<AmqpTypes>, active: boolean): void {
    if (active) channel.owner.wake();
  }

  onClosed(_reason: CloseReason | null): void {
    this.#leave();
    this.wire.hangUp();
  }

  onFailed(_error: MessagingError): void {
    this.#leave();
    this.wire.hangUp();
  }

  // Own

  #block(reasons: readonly AlarmReason[]): void {
    this.#isBlocked = true;
    this.engine.sendBlocked(`low on ${reasons.join(" & ")}`);
  }

  #onEntry(entry: Entry): void {
    if (this.engine.over) return;
    if (!entry.allow) {
      this.context.metrics.clientsRefused++;
      return this.#refuseLogin(loginRefused(this.#mechanism));
    }
    this.#entered = { id: entry.clientId, username: this.#identity.username ?? "", access: entry.access };
    this.engine.accept();
  }

  /** What throws here is the client's fault, and ends the connection as a login that is refused. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof ReplyError)) return this.fail(error);
      this.context.metrics.clientsRefused++;
      this.#refuseLogin(error);
    }
  }

  /** Only a client that says it can is told why; from the others the specification takes the connection (§4.10.2, RabbitMQ's extension). */
  #refuseLogin(reply: ReplyError): void {
    if (reply.replyCode !== ReplyCode.AccessRefused || this.engine.clientCan("authentication_failure_close")) {
      return this.refuse(reply, null);
    }
    this.engine.end();
    this.wire.hangUp();
  }

  /** The client is gone or going: its channels give back what they hold. */
  #leave(): void {
    this.gate.close();
    for (const channel of this.#channels) channel.end();
    this.#channels.clear();
    if (this.#client !== null && this.context.connections.delete(this)) {
      this.context.metrics.clientDisconnected();
      this.#host?.release(this);
    }
  }
}

const NO_METHOD: readonly [number, number] = [0, 0];
