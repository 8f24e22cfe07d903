// Hot path: runs per frame. No closure, promise, spread, iterator or regex here.
import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import { serialAdd, serialDistance } from "../../base/serial.ts";
import type { Outbox } from "../../transport/outbox.ts";
import { Condition } from "../codec/conditions.ts";
import { FlowFields, readFlow } from "../codec/flow.ts";
import type {
  AmqpErrorInput,
  Composite,
  CompositeInput,
  DeliveryStateInput,
  PerformativeInput,
} from "../codec/tables.ts";
import { ABSENT, type RareTransferFields, readTransfer, type TransferFields, TransferHead } from "../codec/transfer.ts";
import type { ValueReader } from "../codec/value-reader.ts";
import type { MapInput } from "../codec/values.ts";
import type { ReceivedDelivery, SentDelivery } from "./deliveries.ts";
import { type End, errorOf, Fault } from "./end.ts";
import type { AnyLink, EngineHandler, Owners } from "./handler.ts";
import { type AttachFields, linkViolation } from "./link.ts";
import { LinkTable } from "./link-table.ts";
import { ReceiverLink } from "./receiver-link.ts";
import { SenderLink } from "./sender-link.ts";
import { SessionDeliveries } from "./session-deliveries.ts";
import { HANDLE_MAX, INCOMING_WINDOW, type SessionOptions, type SessionPort } from "./session-options.ts";
import { Settlements } from "./settlements.ts";
import type { UnsettledTable } from "./unsettled.ts";

/** `beginning`: our begin is sent. `ending`: our end is sent, what still comes is dropped. */
export type SessionState = "beginning" | "mapped" | "ending" | "ended";

/** A session: windows, the links in it, and the deliveries that are not settled (§2.5). */
export class Session<O extends Owners> {
  readonly outbox: Outbox;
  readonly handler: EngineHandler<O>;
  readonly channel: number;
  readonly byPeer: boolean;
  /** What the owner hangs onto it; with `byPeer` set by the owner in `onBegin`. */
  owner: O["session"];
  /** The peer's channel, or -1. */
  remoteChannel = -1;
  /** The peer's begin, once it came. */
  remote: Composite<"begin"> | null = null;
  readonly #deliveries: SessionDeliveries<O>;
  readonly #port: SessionPort<O>;
  #state: SessionState = "beginning";
  #told = false;
  #nextOutgoingId: number;
  #initialOutgoingId: number;
  #nextDeliveryId: number;
  #nextIncomingId = 0;
  readonly #incomingWindowMax: number;
  #incomingWindow: number;
  readonly #outgoingWindow: number;
  #remoteIncomingWindow = 0;
  readonly #handleMax: number;
  readonly #links = new LinkTable<O>();
  /** Links that may send, in their turn. */
  readonly #round = new Deque<SenderLink<O>>();
  readonly #dueLinks = new Deque<ReceiverLink<O>>();
  #flowDue = false;
  readonly #settlements: Settlements;
  readonly #transfer = new TransferHead();
  readonly #flow = new FlowFields();

  constructor(port: SessionPort<O>, channel: number, options: SessionOptions, owner: O["session"], byPeer: boolean) {
    this.#port = port;
    this.outbox = port.outbox;
    this.handler = port.handler;
    this.#deliveries = new SessionDeliveries<O>(port.handler);
    this.channel = channel;
    this.owner = owner;
    this.byPeer = byPeer;
    this.#incomingWindowMax = options.incomingWindow ?? INCOMING_WINDOW;
    this.#incomingWindow = this.#incomingWindowMax;
    this.#outgoingWindow = options.outgoingWindow ?? 0x7fff_ffff;
    this.#handleMax = options.handleMax ?? HANDLE_MAX;
    this.#nextOutgoingId = options.nextOutgoingId ?? 0;
    this.#initialOutgoingId = this.#nextOutgoingId;
    this.#nextDeliveryId = this.#nextOutgoingId;
    this.#settlements = new Settlements(port.outbox, channel, () => port.scratch());
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Deliveries that we sent and that are not settled. */
  get outgoing(): UnsettledTable<SentDelivery<O>> {
    return this.#deliveries.outgoing;
  }

  /** Deliveries that came and are not settled. */
  get incoming(): UnsettledTable<ReceivedDelivery<O>> {
    return this.#deliveries.incoming;
  }

  /** Links that are attached or being so. */
  get links(): readonly AnyLink<O>[] {
    return this.#links.all;
  }

  /** Transfers that the peer takes now. */
  get remoteIncomingWindow(): number {
    return this.#remoteIncomingWindow;
  }

  /** True when a link with credit may send at once. */
  get canSend(): boolean {
    return this.#state === "mapped" && this.#remoteIncomingWindow > 0 && this.#round.length === 0 && !this.outbox.full;
  }

  get peerFrameBytesMax(): number {
    return this.#port.peerFrameBytesMax;
  }

  /** Id of the next delivery that is sent. */
  get nextDeliveryId(): number {
    return this.#nextDeliveryId;
  }

  /**
   * Attaches a link on which we send. @throws {MessagingError} ERR_INVALID_ARGUMENT for a name that another of our senders here has,
   * ERR_NOT_CONNECTED when the session is over, ERR_UNSUPPORTED when the peer takes no more links
   */
  attachSender(fields: AttachFields, owner: O["link"]): SenderLink<O> {
    const link = new SenderLink<O>(this, fields.name, this.#freeHandle(fields.name, true), owner, { is: "attaching" });
    return this.#attach(link, fields);
  }

  /** Attaches a link on which we receive; errors as {@link attachSender}. */
  attachReceiver(fields: AttachFields, owner: O["link"]): ReceiverLink<O> {
    const handle = this.#freeHandle(fields.name, false);
    return this.#attach(new ReceiverLink<O>(this, fields.name, handle, owner, { is: "attaching" }), fields);
  }

  /** Ends the session; its links and then the session are told when the peer has answered. Nothing is sent on it any more. */
  end(error: AmqpErrorInput | null = null): void {
    if (this.#state === "ending" || this.#state === "ended") return;
    this.flushLink();
    this.send({ type: "end", error });
    this.#state = "ending";
  }

  /**
   * The peer has left our end unanswered: links and session are told that they are over. Its channel stays taken until the answer comes after all, or until no
   * other is free.
   */
  giveUpWaiting(): void {
    if (this.#state !== "ending" || this.#told) return;
    const end: End = { scope: "session", by: "us", error: null, cause: null };
    this.#tellAll(end);
    this.#told = true;
    this.#port.sessionUnanswered(this);
    this.handler.onEnd(this, end);
  }

  /** For the connection: our begin. */
  beginFields(remoteChannel: number | null, options: SessionOptions): CompositeInput<"begin"> {
    return {
      type: "begin",
      remoteChannel,
      nextOutgoingId: this.#nextOutgoingId,
      incomingWindow: this.#incomingWindow,
      outgoingWindow: this.#outgoingWindow,
      handleMax: this.#handleMax,
      offeredCapabilities: options.offeredCapabilities ?? [],
      desiredCapabilities: options.desiredCapabilities ?? [],
      properties: options.properties ?? null,
    };
  }

  /** For the connection: the peer's begin came. */
  onBegin(begin: Composite<"begin">, remoteChannel: number): void {
    this.remoteChannel = remoteChannel;
    this.remote = begin;
    this.#nextIncomingId = begin.nextOutgoingId;
    this.#remoteIncomingWindow = begin.incomingWindow;
    if (this.#state !== "beginning") return;
    this.#state = "mapped";
    this.handler.onBegin(this, begin);
  }

  /** For the connection: a frame of this session, the reader at its performative. Throws a `Fault`, or what the decoder throws. */
  onFrame(code: number, reader: ValueReader): void {
    if (this.#state !== "mapped") return;
    if (code === TRANSFER) return this.#onTransfer(reader);
    if (code === DISPOSITION) return this.#deliveries.onDisposition(reader);
    this.#onFlow(reader);
  }

  /** For the connection: an attach of the peer. */
  onAttach(attach: Composite<"attach">): void {
    if (this.#state !== "mapped") return;
    if (attach.handle > this.#handleMax) {
      throw new Fault(
        "connection",
        Condition.framingError,
        `handle ${attach.handle}, the largest is ${this.#handleMax}`,
      );
    }
    if (this.#links.remote(attach.handle) !== undefined) {
      throw new Fault("session", Condition.handleInUse, `handle ${attach.handle} is in use`);
    }
    const ours = this.#links.find(attach.name, attach.role, "unanswered");
    if (ours !== undefined) return this.#onAnswer(ours, attach);
    const handle = this.#lowestHandle();
    if (handle === -1) throw new Fault("session", Condition.resourceLimitExceeded, "no handle is left");
    const offered = { is: "offered", attach } as const;
    const link = attach.role
      ? new SenderLink<O>(this, attach.name, handle, undefined as O["link"], offered)
      : new ReceiverLink<O>(this, attach.name, handle, undefined as O["link"], offered);
    this.#links.add(link);
    this.#links.bind(link, attach.handle);
    this.handler.onAttach(link, attach);
  }

  /** For the connection: a detach of the peer. */
  onDetach(detach: Composite<"detach">): void {
    if (this.#state !== "mapped") return;
    const link = this.#links.remote(detach.handle);
    if (link === undefined) throw unattached(detach.handle);
    if (link.answersLater && detach.closed && link.attached) {
      this.flushLink();
      this.#links.unbind(link);
      return this.#tell(link, { scope: "link", by: "peer", error: detach.error, cause: null }, true, "leaving");
    }
    const byUs = link.state.is === "detaching";
    // Who leaves before the owner has answered its attach gets an answer and a detach.
    if (link.state.is === "offered") link.refuse(null);
    else if (!byUs) {
      this.flushLink();
      this.send({ type: "detach", handle: link.handle, closed: detach.closed });
    }
    const by = byUs && detach.error === null ? "us" : "peer";
    this.#links.remove(link);
    this.#tell(link, { scope: "link", by, error: detach.error, cause: null }, detach.closed);
  }

  /** For the connection: the peer's end came, or the connection is over; every link is told before. */
  over(end: End): void {
    const byUs = this.#state === "ending";
    this.#state = "ended";
    const mine = byUs && end.scope === "session" && end.error === null ? ({ ...end, by: "us" } as const) : end;
    this.#tellAll(mine);
    if (this.#told) return;
    this.#told = true;
    this.handler.onEnd(this, mine);
  }

  /** For the connection: ends this session because of a fault in it; links and owner are told at once. */
  violated(fault: Fault): void {
    if (this.#state !== "mapped" && this.#state !== "beginning") return;
    const error = errorOf(fault.condition, fault.message);
    const end: End = { scope: "session", by: "violation", error, cause: fault };
    this.#settlements.flush();
    this.send({ type: "end", error });
    this.#state = "ending";
    this.#tellAll(end);
    this.#told = true;
    this.handler.onEnd(this, end);
  }

  /** For a link: ends it because of what the peer did. */
  linkViolated(link: AnyLink<O>, condition: string, description: string): void {
    const error = errorOf(condition, description);
    link.detach({ closed: true, error });
    this.#tell(link, linkViolation(error), true, "detaching");
  }

  /** For a link: the peer has left our detach unanswered. Its name and handle stay taken until the answer comes after all. */
  linkUnanswered(link: AnyLink<O>): void {
    this.#tell(link, { scope: "link", by: "us", error: null, cause: null }, false, "detaching");
  }

  /** For a link: the peer's detach is answered. */
  linkLeft(link: AnyLink<O>): void {
    this.#links.remove(link);
  }

  /** For links: sends a performative on this session's channel. */
  send(performative: PerformativeInput): void {
    if (this.#state === "ending" || this.#state === "ended") return;
    this.#port.sendFrame(this.channel, performative);
  }

  /** For senders: sends a first transfer with rare fields and as much of the payload as fits, which is returned. */
  sendRare(fields: TransferFields, rare: RareTransferFields, payload: Uint8Array): number {
    return this.#port.sendRare(fields, rare, payload);
  }

  /** For links: sends a flow with the session's part filled in. */
  sendFlow(flow: FlowFields, properties: MapInput | null): void {
    if (this.#state !== "mapped") return;
    this.#incomingWindow = this.#incomingWindowMax;
    this.#flowDue = false;
    flow.nextIncomingId = this.#nextIncomingId;
    flow.incomingWindow = this.#incomingWindow;
    flow.nextOutgoingId = this.#nextOutgoingId;
    flow.outgoingWindow = this.#outgoingWindow;
    this.#settlements.sendFlow(flow, properties);
  }

  /** For links: a disposition that may wait for the end of the turn, to become part of a range. */
  dispose(receiver: boolean, id: number, settled: boolean, state: DeliveryStateInput | null): void {
    if (this.#settlements.add(receiver, id, settled, state)) this.#port.sessionDue(this);
  }

  /** For links: writes the dispositions that wait, before something that must not overtake them. */
  flushLink(): void {
    this.#settlements.flush();
  }

  /** For receivers: a flow is to be sent at the end of the turn. */
  due(link: ReceiverLink<O>): void {
    this.#dueLinks.push(link);
    this.#port.sessionDue(this);
  }

  /** For senders: this link has something to send. */
  ready(link: SenderLink<O>): void {
    if (!link.inRound && link.hasWork) {
      link.inRound = true;
      this.#round.push(link);
    }
    this.pump();
  }

  /** For senders: a delivery got its id. */
  countDelivery(): void {
    this.#nextDeliveryId = serialAdd(this.#nextDeliveryId, 1);
  }

  /** For senders: a transfer was written. */
  sentTransfer(): void {
    this.#nextOutgoingId = serialAdd(this.#nextOutgoingId, 1);
    this.#remoteIncomingWindow--;
  }

  /** Sends what waits, a frame of each link in turn, while the peer's window and the outbox have room. */
  pump(): void {
    while (this.#round.length > 0 && this.#state === "mapped" && this.#remoteIncomingWindow > 0) {
      if (this.outbox.full) return this.#port.sessionReady(this);
      const link = this.#round.shift() as SenderLink<O>;
      if (link.hasWork) link.sendFrame();
      if (link.hasWork) this.#round.push(link);
      else link.inRound = false;
    }
  }

  /** For the connection at the end of a turn: writes dispositions and flows. */
  flush(): void {
    this.#settlements.flush();
    for (let link = this.#dueLinks.shift(); link !== undefined; link = this.#dueLinks.shift()) link.flush();
    if (!this.#flowDue) return;
    const flow = this.#flow;
    flow.handle = ABSENT;
    flow.deliveryCount = ABSENT;
    flow.linkCredit = ABSENT;
    flow.available = ABSENT;
    flow.drain = false;
    flow.echo = false;
    this.sendFlow(flow, null);
  }

  #onTransfer(reader: ValueReader): void {
    const head = this.#transfer;
    readTransfer(reader, head);
    this.#nextIncomingId = serialAdd(this.#nextIncomingId, 1);
    if (--this.#incomingWindow < 0) {
      throw new Fault("session", Condition.windowViolation, "a transfer beyond the incoming window");
    }
    if (this.#incomingWindow <= this.#incomingWindowMax >> 1 && !this.#flowDue) {
      this.#flowDue = true;
      this.#port.sessionDue(this);
    }
    const link = this.#links.remote(head.handle);
    if (link === undefined) throw unattached(head.handle);
    if (link.isSender) throw new Fault("session", Condition.notAllowed, "a transfer on a link that we send on");
    link.onTransfer(head, reader.buffer, reader.at, reader.end);
  }

  #onFlow(reader: ValueReader): void {
    const flow = this.#flow;
    const properties = readFlow(reader, flow);
    const from = flow.nextIncomingId === ABSENT ? this.#initialOutgoingId : flow.nextIncomingId;
    const inFlight = Math.max(0, serialDistance(from, this.#nextOutgoingId));
    const closed = this.#remoteIncomingWindow === 0;
    this.#remoteIncomingWindow = Math.max(0, flow.incomingWindow - inFlight);
    if (flow.handle === ABSENT) {
      if (flow.echo) {
        this.#flowDue = true;
        this.#port.sessionDue(this);
      }
      return this.#wake(closed);
    }
    const link = this.#links.remote(flow.handle);
    if (link === undefined) throw unattached(flow.handle);
    link.onFlow(flow, properties);
    this.#wake(closed);
  }

  /** The window may have opened: what waits goes first, then senders that have nothing waiting are told. */
  #wake(closed: boolean): void {
    this.pump();
    if (!closed || !this.canSend) return;
    const links = this.#links.all;
    for (let i = 0; i < links.length; i++) {
      const link = links[i] as AnyLink<O>;
      if (link.isSender && link.sendable) this.handler.onCredit(link);
    }
  }

  #attach<L extends AnyLink<O>>(link: L, fields: AttachFields): L {
    link.sendAttach(fields);
    this.#links.add(link);
    return link;
  }

  #freeHandle(name: string, sender: boolean): number {
    if (this.#state !== "mapped" && this.#state !== "beginning") {
      throw new MessagingError("ERR_NOT_CONNECTED", "the session is over");
    }
    if (this.#links.find(name, sender, "any") !== undefined) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `the link name ${name} is in use`);
    }
    const handle = this.#lowestHandle();
    if (handle === -1) throw new MessagingError("ERR_UNSUPPORTED", "the peer takes no more links on this session");
    return handle;
  }

  #lowestHandle(): number {
    return this.#links.free(this.remote?.handleMax ?? 0xffff_ffff);
  }

  #onAnswer(link: AnyLink<O>, attach: Composite<"attach">): void {
    this.#links.bind(link, attach.handle);
    if (link.state.is !== "attaching") return;
    if (link.isSender ? attach.target === null : attach.source === null) return link.refused();
    link.opened(attach);
    this.handler.onAttach(link, attach);
  }

  #tell(link: AnyLink<O>, end: End, closed: boolean, state: "detaching" | "leaving" | "detached" = "detached"): void {
    this.#deliveries.leave(link);
    if (link.ended(state)) this.handler.onDetach(link, end, closed);
  }

  #tellAll(end: End): void {
    this.#deliveries.leaveAll();
    this.#round.clear();
    this.#dueLinks.clear();
    const links = this.#links.clear();
    for (let i = 0; i < links.length; i++) this.#tell(links[i] as AnyLink<O>, end, false);
  }
}

/** Descriptors of the frames of {@link Session.onFrame}. */
const TRANSFER = 0x14;
const DISPOSITION = 0x15;

function unattached(handle: number): Fault {
  return new Fault("session", Condition.unattachedHandle, `handle ${handle} is not attached`);
}
