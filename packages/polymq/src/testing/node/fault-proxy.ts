import { connect, type Socket } from "node:net";
import type { FrameMeasure } from "../../bytes/splitter.ts";
import { type Listener, listenTcp } from "../../transport/node/tcp.ts";
import { seededRandom } from "../seeded-random.ts";
import { type Direction, FaultPipe, type Faults } from "./fault-pipe.ts";
import { resetSocket } from "./reset-socket.ts";

/** How a connection is cut: with an orderly end on both sides, or with a reset. */
export type CutMode = "fin" | "rst";

/** Settings of {@link faultProxy}. */
export interface FaultProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Where it listens. Default: 127.0.0.1 and any free port. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** Seed of all that is random. Default 1. */
  readonly seed?: number;
  /** The faults to begin with. Default: none. */
  readonly faults?: Faults;
  /** Tells where a frame ends, for cuts that count frames. */
  readonly measure?: FrameMeasure;
}

/** A cut to come. */
export interface CutRule {
  readonly direction: Direction;
  /** What is counted, from the start of a connection. */
  readonly unit: "bytes" | "frames";
  readonly count: number;
  readonly mode: CutMode;
}

/** What has passed so far, over all connections. */
export interface FaultProxyStats {
  readonly connections: number;
  readonly liveConnections: number;
  /** Connections cut on purpose. */
  readonly cuts: number;
  readonly bytesToServer: number;
  readonly bytesToClient: number;
  readonly piecesToServer: number;
  readonly piecesToClient: number;
}

/** Time that both sides of a connection cut in order get to hang up. */
const LINGER_MS = 250;

/** Starts a {@link FaultProxy}. @throws {MessagingError} ERR_LISTEN_FAILED */
export async function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultProxy(options);
  await proxy.accept();
  return proxy;
}

/** A TCP proxy that treats what passes badly, on request and reproducibly. */
export class FaultProxy {
  readonly host: string;
  readonly #options: FaultProxyOptions;
  readonly #random: () => number;
  readonly #links = new Set<Link>();
  readonly #counts = {
    connections: 0,
    cuts: 0,
    bytes: { toServer: 0, toClient: 0 },
    pieces: { toServer: 0, toClient: 0 },
  };
  #faults: Faults;
  #rule: CutRule | null = null;
  #listener: Listener | null = null;
  #port: number;
  #refusal: ReturnType<typeof setTimeout> | undefined;

  constructor(options: FaultProxyOptions) {
    this.#options = options;
    this.host = options.listen?.host ?? "127.0.0.1";
    this.#port = options.listen?.port ?? 0;
    this.#random = seededRandom(options.seed ?? 1);
    this.#faults = options.faults ?? {};
  }

  /** The port to connect to; it stays the same over refusals. */
  get port(): number {
    return this.#port;
  }

  get stats(): FaultProxyStats {
    const { connections, cuts, bytes, pieces } = this.#counts;
    return {
      connections,
      liveConnections: this.#links.size,
      cuts,
      bytesToServer: bytes.toServer,
      bytesToClient: bytes.toClient,
      piecesToServer: pieces.toServer,
      piecesToClient: pieces.toClient,
    };
  }

  /** Replaces the faults, for all connections and from the next bytes on. */
  setFaults(faults: Faults): void {
    this.#faults = faults;
    for (const link of this.#links) link.kick();
  }

  /** Cuts all connections now; bytes on their way are lost. */
  cut(mode: CutMode): void {
    for (const link of [...this.#links]) this.#cutLink(link, mode);
  }

  /** Cuts the first connection, of those open and those to come, that reaches the count; replaces an earlier rule that is still waiting. */
  cutAfter(rule: CutRule): void {
    if (rule.unit === "frames" && this.#options.measure === undefined) {
      throw new TypeError("counting frames needs the proxy's option `measure`");
    }
    this.#rule = rule;
    for (const link of this.#links) link.forgetCut();
    for (const link of [...this.#links]) this.#applyBytesRule(link);
  }

  /** Ends one direction of all connections after the bytes on their way, as a peer that has said all it had to say. */
  halfClose(direction: Direction): void {
    for (const link of this.#links) link.pipe(direction).endAfterThis();
  }

  /** Refuses new connections (their connect fails) for a while, or until {@link FaultProxy.accept}. Those open stay. */
  async refuse(forMs: number = Number.POSITIVE_INFINITY): Promise<void> {
    clearTimeout(this.#refusal);
    const listener = this.#listener;
    this.#listener = null;
    if (Number.isFinite(forMs)) this.#refusal = setTimeout(() => void this.accept().catch(ignore), forMs);
    await listener?.close();
  }

  /** Takes connections again. */
  async accept(): Promise<void> {
    clearTimeout(this.#refusal);
    if (this.#listener !== null) return;
    const options = { host: this.host, port: this.#port };
    this.#listener = await listenTcp({ ...options }, (client) => this.#onClient(client));
    this.#port = this.#listener.port;
  }

  /** Resolves once the connections of now are over, however they end. */
  async idle(): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.gone));
  }

  /** Ends everything; resolves when no socket, server or timer is left. */
  async close(): Promise<void> {
    await this.refuse();
    const over = this.idle();
    for (const link of [...this.#links]) link.destroy();
    await over;
  }

  #onClient(client: Socket): void {
    this.#counts.connections++;
    const server = connect({ ...this.#options.target, noDelay: true, allowHalfOpen: true });
    const link = new Link(client, server, (direction) => this.#pipe(direction, client, server));
    this.#links.add(link);
    void link.gone.then(() => this.#links.delete(link));
    this.#applyBytesRule(link);
  }

  #pipe(direction: Direction, client: Socket, server: Socket): FaultPipe {
    const { bytes, pieces } = this.#counts;
    return new FaultPipe({
      source: direction === "toServer" ? client : server,
      sink: direction === "toServer" ? server : client,
      direction,
      faults: () => this.#faults,
      random: this.#random,
      measure: this.#options.measure ?? null,
      onPiece: (size) => {
        bytes[direction] += size;
        pieces[direction]++;
      },
      onFrame: (frames, pipe) => this.#onFrame(direction, frames, pipe),
      onCut: () => this.#onRuleReached(direction),
    });
  }

  #onFrame(direction: Direction, frames: number, pipe: FaultPipe): void {
    const rule = this.#rule;
    if (rule === null || rule.unit !== "frames" || rule.direction !== direction || frames < rule.count) return;
    pipe.cutAfterThisFrame();
  }

  #applyBytesRule(link: Link): void {
    const rule = this.#rule;
    if (rule?.unit === "bytes") link.pipe(rule.direction).cutAfterBytes(rule.count);
  }

  #onRuleReached(direction: Direction): void {
    const rule = this.#rule;
    if (rule === null || rule.direction !== direction) return;
    this.#rule = null;
    for (const link of [...this.#links]) {
      if (link.pipe(direction).reachedCut) this.#cutLink(link, rule.mode);
      else link.pipe(direction).forgetCut();
    }
  }

  #cutLink(link: Link, mode: CutMode): void {
    this.#counts.cuts++;
    link.cut(mode);
  }
}

/** One connection through the proxy: two sockets and a pipe for each direction. */
class Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Settles when both sockets are closed. */
  readonly gone: Promise<void>;
  readonly #toServer: FaultPipe;
  readonly #toClient: FaultPipe;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Socket, server: Socket, pipe: (direction: Direction) => FaultPipe) {
    this.client = client;
    this.server = server;
    // Half-open is decided per socket in Node; the listener's sockets are made without it.
    client.allowHalfOpen = true;
    client.setNoDelay(true);
    this.#toServer = pipe("toServer");
    this.#toClient = pipe("toClient");
    this.gone = Promise.all([this.#closed(client, server), this.#closed(server, client)]).then(() => {
      clearTimeout(this.#linger);
    });
  }

  pipe(direction: Direction): FaultPipe {
    return direction === "toServer" ? this.#toServer : this.#toClient;
  }

  /** Takes back a cut that has not happened. */
  forgetCut(): void {
    this.#toServer.forgetCut();
    this.#toClient.forgetCut();
  }

  kick(): void {
    this.#toServer.kick();
    this.#toClient.kick();
  }

  cut(mode: CutMode): void {
    this.#stop();
    if (mode === "rst") {
      resetSocket(this.client);
      resetSocket(this.server);
      return;
    }
    // Input left unread would turn the end into a reset.
    for (const socket of [this.client, this.server]) {
      socket.resume();
      socket.end();
    }
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => this.destroy(), LINGER_MS);
  }

  destroy(): void {
    this.#stop();
    this.client.destroy();
    this.server.destroy();
  }

  #stop(): void {
    this.#toServer.stop();
    this.#toClient.stop();
  }

  /** A socket that fails takes the other one with it, in the same way. */
  #closed(socket: Socket, other: Socket): Promise<void> {
    return new Promise((resolve) => {
      socket.on("error", () => {
        this.#stop();
        resetSocket(other);
      });
      socket.on("close", () => {
        if (socket.errored === null && !socket.readableEnded) other.destroy();
        resolve();
      });
    });
  }
}

function ignore(): void {}
