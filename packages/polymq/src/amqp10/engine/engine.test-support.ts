/** Engines without a network for the tests beside this file: one against a script, or two against each other, and what their owners were told. */
import { Splitter } from "../../bytes/splitter.ts";
import { type TextCodec, webText } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { ChunkPool, Outbox } from "../../transport/outbox.ts";
import type { Transport } from "../../transport/transport.ts";
import {
  frameBody,
  frameChannel,
  frameType,
  measureFrame,
  protocolHeader,
  readPerformative,
  readSaslFrame,
  writeFrame,
  writeSaslFrame,
} from "../codec/frame.ts";
import { encodeMessage, type MessageInput } from "../codec/message.ts";
import { MessageView } from "../codec/message-view.ts";
import type { Composite, Performative, PerformativeInput, SaslFrame, SaslFrameInput } from "../codec/tables.ts";
import { ValueReader } from "../codec/value-reader.ts";
import type { ReceivedDelivery, SentDelivery } from "./deliveries.ts";
import type { End } from "./end.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { AnyLink, EngineHandler } from "./handler.ts";
import type { ReceiverLink } from "./receiver-link.ts";
import type { SenderLink } from "./sender-link.ts";
import type { Session } from "./session.ts";

export const text: TextCodec = webText();

/** What the tests hang onto the engine's objects. */
export interface Names {
  session: string;
  link: string;
  item: string;
}

/** One engine with its outbox, and what it told its owner as lines. Handlers that a test needs are assigned. */
export class Side implements EngineHandler<Names> {
  readonly engine: Engine<Names>;
  readonly outbox: Outbox;
  readonly told: string[] = [];
  readonly deliveries: ReceivedDelivery<Names>[] = [];
  readonly outcomes: [string, string | null, boolean][] = [];
  readonly ends: End[] = [];
  /** Items of messages that had to wait and have left. */
  readonly sent: string[] = [];
  /** True once a flush was asked for, until the test says otherwise. */
  isArmed = false;
  /** Whether the transport holds what is written. */
  isBlocked = false;
  /** Bytes written and not yet taken. */
  #written: Uint8Array[] = [];
  nowMs = 0;
  /** What a peer's attach is answered with: accepted as it is, unless a test decides otherwise. */
  onOffer: (link: AnyLink<Names>) => void = (link) => link.accept();
  /** What the transport says that it holds. */
  bufferedBytes = 0;
  onMessage: (delivery: ReceivedDelivery<Names>) => void = () => {};
  onSasl: (what: string, data: Uint8Array | null) => void = () => {};
  onRoom: (link: SenderLink<Names>) => void = () => {};

  constructor(options: Partial<EngineOptions<Names>> & { role: "client" | "server" }) {
    this.outbox = new Outbox({ pool: new ChunkPool(), text, armFlush: () => this.#arm(), highWaterBytes: 1_000_000 });
    this.outbox.open(this.#transport());
    this.engine = new Engine<Names>({
      open: { containerId: options.role },
      ...options,
      outbox: this.outbox,
      handler: this,
      nowMs: 0,
    });
  }

  /** Ends the turn and takes what was written. */
  take(): Uint8Array {
    for (let before = -1; before !== this.#written.length; ) {
      before = this.#written.length;
      this.engine.flush(this.nowMs);
    }
    const all = Buffer.concat(this.#written);
    this.#written = [];
    return new Uint8Array(all);
  }

  onSaslMechanisms(mechanisms: readonly string[]): void {
    this.told.push(`mechanisms ${mechanisms.join(" ")}`);
    this.onSasl("mechanisms", null);
  }
  onSaslChallenge(challenge: Uint8Array): void {
    this.onSasl("challenge", challenge);
  }
  onSaslOutcome(code: number, data: Uint8Array | null): void {
    this.told.push(`outcome ${code}`);
    this.onSasl("outcome", data);
  }
  onSaslInit(mechanism: string, response: Uint8Array | null): void {
    this.told.push(`init ${mechanism}`);
    this.onSasl("init", response);
  }
  onSaslResponse(response: Uint8Array): void {
    this.onSasl("response", response);
  }
  onOpen(open: Composite<"open">): void {
    this.told.push(`open ${open.containerId}`);
  }
  onClose(end: End): void {
    this.#ended("close", end);
  }
  onBegin(session: Session<Names>, _begin?: Composite<"begin">): void {
    if (session.byPeer) session.owner = "theirs";
    this.told.push(`begin ${session.owner}`);
  }
  onEnd(session: Session<Names>, end: End): void {
    this.#ended(`end ${session.owner}`, end);
  }
  onAttach(link: AnyLink<Names>): void {
    this.told.push(`attach ${link.name}`);
    if (link.byPeer) this.onOffer(link);
  }
  onDetach(link: AnyLink<Names>, end: End, closed: boolean): void {
    this.#ended(`detach ${link.name}${closed ? " closed" : ""}`, end);
  }
  onCredit(link: SenderLink<Names>): void {
    this.told.push(`credit ${link.name} ${link.credit}`);
    this.onRoom(link);
  }
  onSent(_link: SenderLink<Names>, item: string): void {
    this.sent.push(item);
  }
  onFlow(link: AnyLink<Names>): void {
    this.told.push(`flow ${link.name}`);
  }
  onDrained(link: ReceiverLink<Names>): void {
    this.told.push(`drained ${link.name}`);
  }
  onDelivery(delivery: ReceivedDelivery<Names>): void {
    this.deliveries.push(delivery);
    this.onMessage(delivery);
  }
  onOutcome(delivery: SentDelivery<Names>, state: SentDelivery<Names>["state"], settled: boolean): void {
    this.outcomes.push([delivery.item, state !== null && "type" in state ? state.type : null, settled]);
    if (!settled && this.settlesSeconds) delivery.link.settle(delivery);
  }
  onSettled(delivery: ReceivedDelivery<Names>, state: ReceivedDelivery<Names>["state"], settled: boolean): void {
    this.told.push(`settled ${delivery.id} ${state !== null && "type" in state ? state.type : null} ${settled}`);
  }
  settlesSeconds = true;

  /** Texts of the data that came. */
  get texts(): string[] {
    return this.deliveries.map(textOf);
  }

  #ended(what: string, end: End): void {
    this.ends.push(end);
    this.told.push(`${what} by ${end.scope} ${end.by}${end.error === null ? "" : ` ${end.error.condition}`}`);
  }

  #arm(): void {
    this.isArmed = true;
  }

  #transport(): Transport {
    const side = this;
    return {
      get bufferedBytes() {
        return side.bufferedBytes;
      },
      info: { kind: "memory", remoteAddress: "", remotePort: 0, secure: false, peerCommonName: "" },
      write: (bytes: Uint8Array) => {
        this.#written.push(bytes.slice());
        return !this.isBlocked;
      },
      pause: () => {},
      resume: () => {},
      close: () => {},
      destroy: () => {},
    };
  }
}

/** The text of a delivery's data. */
export function textOf(delivery: ReceivedDelivery<Names>): string {
  return new TextDecoder().decode(new MessageView(text, delivery.payload).data ?? new Uint8Array(0));
}

/** A message with a text as its data. */
export function message(data: string): MessageInput {
  return { body: { type: "data", data: new TextEncoder().encode(data) } };
}

/** A frame that an engine sent: its performative and payload; null performative for a heartbeat. */
export interface Seen {
  readonly channel: number;
  readonly performative: Performative | SaslFrame | null;
  readonly payload: Uint8Array;
  readonly bytes: number;
}

/** Cuts what an engine wrote into headers and frames; a header comes as its protocol id. */
export function seenIn(bytes: Uint8Array): (Seen | number)[] {
  const seen: (Seen | number)[] = [];
  const isHeader = (buffer: Uint8Array, at: number): boolean => buffer[at] === 0x41 && buffer[at + 1] === 0x4d;
  const splitter = new Splitter(
    (buffer, at, end) => (isHeader(buffer, at) ? 8 : measureFrame(buffer, at, end, 100_000_000)),
    (buffer, start, end) => {
      if (isHeader(buffer, start)) seen.push(buffer[start + 4] as number);
      else seen.push(seenFrame(buffer.slice(start, end)));
      return true;
    },
  );
  splitter.push(bytes);
  return seen;
}

function seenFrame(frame: Uint8Array): Seen {
  const reader = new ValueReader(text);
  reader.reset(frame, frameBody(frame, 0, frame.length), frame.length);
  const sasl = frameType(frame, 0) === 1;
  const performative = reader.left === 0 ? null : sasl ? readSaslFrame(reader) : readPerformative(reader);
  return { channel: frameChannel(frame, 0), performative, payload: frame.slice(reader.at), bytes: frame.length };
}

/** One engine against frames that the test writes itself. */
export class Scripted extends Side {
  /** Frames since the last look, without headers. */
  seen(): Seen[] {
    return seenIn(this.take()).filter((each) => typeof each !== "number");
  }

  /** The performatives since the last look. */
  performatives(): (Performative | SaslFrame | null)[] {
    return this.seen().map((each) => each.performative);
  }

  /** The types of the performatives since the last look. */
  types(): (string | null)[] {
    return this.performatives().map((each) => each?.type ?? null);
  }

  /** The only performative of a type since the last look. */
  only<T extends Performative["type"]>(type: T): Composite<T> {
    const found = this.performatives().filter((each) => each?.type === type);
    if (found.length !== 1) throw new Error(`${found.length} of ${type}`);
    return found[0] as Composite<T>;
  }

  header(id: number): void {
    this.engine.onBytes(protocolHeader(id), this.nowMs);
  }

  sasl(frame: SaslFrameInput): void {
    const w = new ByteWriter(text);
    writeSaslFrame(w, frame);
    this.engine.onBytes(w.copyFrom(0), this.nowMs);
  }

  /** Feeds frames, all in one chunk. */
  feed(...frames: readonly (PerformativeInput | [PerformativeInput, Uint8Array])[]): void {
    this.feedOn(0, ...frames);
  }

  feedOn(channel: number, ...frames: readonly (PerformativeInput | [PerformativeInput, Uint8Array])[]): void {
    this.engine.onBytes(
      Buffer.concat(
        frames.map((each) => (Array.isArray(each) ? frameOf(channel, each[0], each[1]) : frameOf(channel, each))),
      ),
      this.nowMs,
    );
  }

  raw(bytes: Uint8Array): void {
    this.engine.onBytes(bytes, this.nowMs);
  }

  /** Headers and open exchanged. */
  opened(open: Partial<Composite<"open">> = {}): this {
    this.engine.start();
    this.header(0);
    this.feed({ type: "open", containerId: "peer", maxFrameSize: 65_536, ...open });
    this.take();
    return this;
  }

  /** A session that this side began, on channel 0 both ways. */
  begun(begin: Partial<Composite<"begin">> = {}, options: Parameters<Engine<Names>["begin"]>[0] = {}): Session<Names> {
    if (this.engine.state !== "open") this.opened();
    const session = this.engine.begin(options, "ours");
    const fields = { nextOutgoingId: 0, incomingWindow: 1_000, outgoingWindow: 1_000 };
    this.feed({ ...fields, ...begin, type: "begin", remoteChannel: session.channel });
    this.take();
    return session;
  }

  /** A sender that the peer has attached, without credit. */
  sender(name: string, session: Session<Names>, attach: Partial<PerformativeInput> = {}): SenderLink<Names> {
    const link = session.attachSender({ name, target: { type: "target", address: name } }, name);
    const target = { type: "target", address: name } as const;
    this.feed({ name, role: true, handle: link.handle, target, ...attach, type: "attach" } as PerformativeInput);
    this.take();
    return link;
  }

  /** A receiver that the peer has attached, with credit told. */
  receiver(
    name: string,
    session: Session<Names>,
    credit: number,
    attach: Partial<PerformativeInput> = {},
  ): ReceiverLink<Names> {
    const link = session.attachReceiver({ name, source: { type: "source", address: name } }, name);
    const source = { type: "source", address: name } as const;
    const fields = { name, role: false, handle: link.handle, source, initialDeliveryCount: 0 };
    this.feed({ ...fields, ...attach, type: "attach" } as PerformativeInput);
    link.setCredit(credit);
    this.take();
    return link;
  }

  /** The peer gives credit. */
  credit(link: SenderLink<Names>, linkCredit: number, more: Partial<Composite<"flow">> = {}): void {
    const window = { nextIncomingId: 0, incomingWindow: 100_000, nextOutgoingId: 0, outgoingWindow: 1_000 };
    this.feed({ ...window, handle: link.handle, deliveryCount: 0, linkCredit, ...more, type: "flow" });
  }
}

function frameOf(
  channel: number,
  performative: PerformativeInput,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const w = new ByteWriter(text);
  writeFrame(w, channel, performative);
  w.reserve(payload.length);
  w.bytes(payload);
  const frame = w.copyFrom(0);
  new DataView(frame.buffer).setUint32(0, frame.length);
  return frame;
}

/** A transfer with a text, to be fed. */
export function transfer(
  id: number,
  data: string,
  fields: Partial<Composite<"transfer">> = {},
): [PerformativeInput, Uint8Array] {
  const tag = Uint8Array.of(id >>> 24, id >>> 16, id >>> 8, id);
  return [
    { handle: 0, deliveryId: id, deliveryTag: tag, messageFormat: 0, ...fields, type: "transfer" },
    encodeMessage(text, message(data)),
  ];
}

/** Two engines that talk to each other. */
export class Pair {
  readonly client: Side;
  readonly server: Side;

  constructor(client: Partial<EngineOptions<Names>> = {}, server: Partial<EngineOptions<Names>> = {}) {
    this.client = new Side({ ...client, role: "client" });
    this.server = new Side({ ...server, role: "server" });
  }

  /** Lets both go on until nothing is left to say; `cut` is the size of the chunks. */
  run(cut = Number.POSITIVE_INFINITY): void {
    for (let quiet = false; !quiet; ) {
      const toServer = this.client.take();
      const toClient = this.server.take();
      quiet = toServer.length === 0 && toClient.length === 0;
      feedCut(this.server, toServer, cut);
      feedCut(this.client, toClient, cut);
    }
  }

  /** Both are open, and the client has a session. */
  opened(options: Parameters<Engine<Names>["begin"]>[0] = {}, cut?: number): Session<Names> {
    this.client.engine.start();
    this.server.engine.start();
    this.run(cut);
    const session = this.client.engine.begin(options, "ours");
    this.run(cut);
    return session;
  }
}

function feedCut(side: Side, bytes: Uint8Array, cut: number): void {
  for (let at = 0; at < bytes.length; at += cut)
    side.engine.onBytes(bytes.slice(at, Math.min(bytes.length, at + cut)), side.nowMs);
}
