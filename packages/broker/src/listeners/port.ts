import type { Socket } from "node:net";
import { unreachable } from "polymq/internal";
import {
  type AcceptedWebSocket,
  type Clock,
  type Listener,
  listenTcp,
  peerInfo,
  wrapSocket,
  wrapWebSocket,
} from "polymq/transport";
import type { BrokerMetrics } from "../metrics/broker-metrics.ts";
import type { Admission } from "./admission.ts";
import { type Offer, routeOf } from "./first-bytes.ts";
import { HttpLayer, type HttpRequests, pathOf } from "./http-layer.ts";
import { type ListenerAddress, listenerAddress } from "./listener-address.ts";
import type { AdmissionSettings, ListenerSettings } from "./listener-settings.ts";
import type { Arrival, ProtocolFactory, WebSocketArrival } from "./protocol-factory.ts";
import { type Decision, sniff } from "./sniffer.ts";
import { SubprotocolChoice } from "./subprotocol-choice.ts";
import { TlsLayer } from "./tls-layer.ts";

/** What all ports of a broker share. */
export interface PortContext {
  readonly clock: Clock;
  readonly metrics: BrokerMetrics;
  readonly admission: Admission;
  readonly limits: AdmissionSettings;
  /** In the order in which they are asked about first bytes. */
  readonly protocols: readonly ProtocolFactory[];
  /** Answers HTTP requests where they are served; null nowhere. */
  readonly requests: HttpRequests | null;
}

/** One bound port: admits connections, tells their protocol and hands them over. */
export class Port {
  readonly #context: PortContext;
  readonly #settings: ListenerSettings;
  readonly #protocols: readonly ProtocolFactory[];
  readonly #tls: TlsLayer | null;
  readonly #requests: HttpRequests | null;
  readonly #http: HttpLayer | null;
  /** What is served as a connection comes in, and what inside TLS. */
  readonly #outside: Offer;
  readonly #inside: Offer;
  #listener: Listener | null = null;
  /** Every socket that is not closed yet; and of these, the ones that no protocol has taken. */
  readonly #open = new Set<Socket>();
  readonly #undecided = new Set<Socket>();
  /** The TCP socket beneath each TLS connection. */
  readonly #beneath = new WeakMap<Socket, Socket>();
  #onEmpty: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  /** @throws {MessagingError} ERR_INVALID_OPTIONS for a certificate or key that cannot be used */
  constructor(settings: ListenerSettings, context: PortContext) {
    this.#settings = settings;
    this.#context = context;
    const names = settings.protocols;
    this.#protocols = context.protocols.filter((factory) => names === null || names.includes(factory.name));
    this.#requests = names === null || names.includes(HTTP) ? context.requests : null;
    this.#tls = this.#makeTls();
    this.#http = this.#makeHttp();
    this.#inside = { protocols: this.#protocols, tls: "no", http: this.#http === null ? "no" : "yes" };
    if (settings.tls === null) this.#outside = this.#inside;
    else if (settings.tls.plaintext === "allow") this.#outside = { ...this.#inside, tls: "yes" };
    else this.#outside = { protocols: [], tls: "yes", http: "no" };
  }

  /** Binds the port. @throws {MessagingError} ERR_LISTEN_FAILED with the cause */
  async listen(): Promise<ListenerAddress> {
    const { host, port } = this.#settings;
    const { backlog } = this.#context.limits;
    this.#listener = await listenTcp({ host, port, backlog }, (socket) => this.#onSocket(socket));
    return listenerAddress(this.#settings, this.#listener, {
      protocols: this.#protocols,
      http: this.#requests === null ? "no" : "yes",
    });
  }

  /** Frees the port and ends the connections that no protocol has taken; the others go on. */
  async stop(): Promise<void> {
    await this.#listener?.close();
    for (const socket of this.#undecided) socket.destroy();
  }

  /** Frees the port and ends all connections at once; resolves when every socket is closed. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.stop();
    if (this.#open.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const socket of this.#open) socket.destroy();
    await empty;
  }

  #onSocket(socket: Socket): void {
    // Before a protocol listens, a reset by the peer is nobody's error.
    socket.on("error", ignore);
    const address = socket.remoteAddress;
    if (address === undefined || !this.#context.admission.admit(address)) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    this.#undecided.add(socket);
    socket.once("close", () => {
      this.#context.admission.release(address);
      this.#undecided.delete(socket);
      this.#open.delete(socket);
      if (this.#open.size === 0) this.#onEmpty?.();
    });
    this.#sniff(socket, socket, this.#outside);
  }

  /** `beneath` is the TCP socket, `socket` the same or the TLS connection over it. */
  #sniff(socket: Socket, beneath: Socket, offer: Offer): void {
    const { clock, limits, metrics } = this.#context;
    sniff(socket, {
      clock,
      timeoutMs: limits.sniffTimeoutMs,
      route: (firstBytes) => routeOf(firstBytes, offer),
      onDecided: (decision, bytes) => this.#enter(decision, bytes, { socket, beneath }),
      onTimeout: () => {
        metrics.connectionsTimedOut++;
        beneath.destroy();
      },
    });
  }

  #enter(decision: Decision, bytes: Uint8Array, { socket, beneath }: Layers): void {
    switch (decision.is) {
      case "protocol":
        this.#serve(decision.factory, bytes, { socket, beneath });
        break;
      case "tls":
        this.#tls?.handshake(socket, bytes);
        break;
      case "http":
        this.#http?.serve(socket, bytes);
        break;
      case "unknown":
        this.#context.metrics.connectionsUnrecognized++;
        beneath.destroy();
        break;
      default:
        unreachable(decision);
    }
  }

  #serve(factory: ProtocolFactory, bytes: Uint8Array, { socket, beneath }: Layers): void {
    this.#undecided.delete(beneath);
    const connection = factory.accept({ ...this.#bound(), webSocket: null });
    connection.onOpen(wrapSocket(socket, connection));
    // The socket is flowing and the transport listens: the bytes read so far go first, with no copy and no detour.
    if (!socket.destroyed && !socket.writableEnded) connection.onBytes(bytes);
  }

  #serveWebSocket(web: AcceptedWebSocket, socket: Socket): void {
    const [factory, ...others] = this.#protocols.filter((candidate) =>
      web.protocol === "" ? candidate.bareWebSocket === "accept" : candidate.subprotocol === web.protocol,
    );
    if (factory === undefined) {
      web.socket.terminate();
      return;
    }
    this.#undecided.delete(this.#beneath.get(socket) ?? socket);
    const webSocket: WebSocketArrival = { path: pathOf(web.request), origin: web.request.headers.origin ?? "" };
    const arrival: Arrival = { ...this.#bound(), webSocket };
    const connection = others.length === 0 ? factory.accept(arrival) : this.#choice([factory, ...others], arrival);
    connection.onOpen(wrapWebSocket(web.socket, connection, { stream: socket }));
  }

  /** Several protocols share a subprotocol: the bytes tell. */
  #choice(protocols: readonly ProtocolFactory[], arrival: Arrival): SubprotocolChoice {
    const { clock, limits, metrics } = this.#context;
    return new SubprotocolChoice({
      protocols,
      arrival,
      clock,
      timeoutMs: limits.sniffTimeoutMs,
      onTimeout: () => {
        metrics.connectionsTimedOut++;
      },
      onUnknown: () => {
        metrics.connectionsUnrecognized++;
      },
    });
  }

  #makeTls(): TlsLayer | null {
    const { metrics, limits } = this.#context;
    if (this.#settings.tls === null) return null;
    return new TlsLayer(this.#settings.tls, limits.tlsHandshakeTimeoutMs, {
      onSecure: (secure, socket) => {
        secure.on("error", ignore);
        this.#beneath.set(secure, socket);
        this.#sniff(secure, socket, this.#inside);
      },
      onFailed: () => {
        metrics.tlsHandshakesFailed++;
      },
    });
  }

  #makeHttp(): HttpLayer | null {
    const { clock, metrics, limits } = this.#context;
    const settings = this.#settings.webSocket;
    if (settings === null && this.#requests === null) return null;
    return new HttpLayer({
      settings,
      subprotocols: [...new Set(this.#protocols.flatMap((factory) => factory.subprotocol ?? []))],
      bareWebSocket: this.#protocols.some((factory) => factory.bareWebSocket === "accept") ? "accept" : "refuse",
      requests: this.#requests,
      peerOf: peerInfo,
      clock,
      timeoutMs: limits.sniffTimeoutMs,
      events: {
        onWebSocket: (web, socket) => this.#serveWebSocket(web, socket),
        onRefused: () => {
          metrics.httpRequestsRefused++;
        },
        onTimeout: () => {
          metrics.connectionsTimedOut++;
        },
      },
    });
  }

  #bound(): { readonly host: string; readonly port: number } {
    return { host: this.#listener?.host ?? this.#settings.host, port: this.#listener?.port ?? this.#settings.port };
  }
}

/** The name of HTTP requests among the protocols of a listener. */
const HTTP = "http";

interface Layers {
  readonly socket: Socket;
  readonly beneath: Socket;
}

function ignore(): void {}
