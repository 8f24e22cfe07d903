import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { testCertificates } from "polymq/testing";
import type { Transport, TransportInfo } from "polymq/transport";
import { systemClock } from "polymq/transport";
import { BrokerMetrics } from "../metrics/broker-metrics.ts";
import { amqp091Protocol } from "./amqp091-protocol.ts";
import type { ListenerSettings, TlsSettings, WebSocketSettings } from "./listener-settings.ts";
import { type Listeners, type ListenersOptions, openListeners } from "./listeners.ts";
import { mqttProtocol } from "./mqtt-protocol.ts";
import type { Arrival, ProtocolConnection, ProtocolFactory } from "./protocol-factory.ts";

/** A protocol's end that sends every byte back and notes what it saw. */
export class EchoConnection implements ProtocolConnection {
  readonly arrival: Arrival;
  readonly chunks: Uint8Array[] = [];
  readonly closed: Promise<Error | null>;
  #resolveClosed: (error: Error | null) => void = () => {};
  #transport: Transport | null = null;

  constructor(arrival: Arrival) {
    this.arrival = arrival;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get info(): TransportInfo | undefined {
    return this.#transport?.info;
  }

  onOpen(transport: Transport): void {
    this.#transport = transport;
  }

  onBytes(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.#transport?.write(chunk);
  }

  onDrain(): void {}

  onClosed(error: Error | null): void {
    this.#resolveClosed(error);
  }
}

/** Ports of a broker whose MQTT is an echo. */
export interface EchoBroker {
  readonly listeners: Listeners;
  readonly metrics: BrokerMetrics;
  readonly port: number;
  /** Connections that the protocol has taken, oldest first. */
  readonly taken: EchoConnection[];
}

export const PLAIN: ListenerSettings = { host: "127.0.0.1", port: 0, tls: null, protocols: null, webSocket: null };

export const WEB: WebSocketSettings = { paths: ["/mqtt"], origins: null, messageBytesMax: 65_536 };

export const TLS: TlsSettings = {
  cert: testCertificates.serverCert,
  key: testCertificates.serverKey,
  ca: testCertificates.ca,
  pfx: null,
  passphrase: null,
  clientCertificate: "none",
  plaintext: "refuse",
  minVersion: null,
  maxVersion: null,
  ciphers: null,
};

const LIMITS = {
  connectionsMax: 100,
  connectionsPerAddressMax: 100,
  backlog: 511,
  sniffTimeoutMs: 10_000,
  tlsHandshakeTimeoutMs: 10_000,
};

/** What a test may change of {@link echoBroker}. */
export interface EchoOptions extends Partial<Omit<ListenersOptions, "limits" | "metrics">> {
  readonly limits?: Partial<typeof LIMITS>;
}

/** Opens the ports given, by default one without TLS and WebSocket. */
export async function echoBroker(options: EchoOptions = {}): Promise<EchoBroker> {
  const metrics = new BrokerMetrics();
  const taken: EchoConnection[] = [];
  const echo: ProtocolFactory = mqttProtocol((arrival) => {
    const connection = new EchoConnection(arrival);
    taken.push(connection);
    return connection;
  });
  const listeners = await openListeners({
    listeners: [PLAIN],
    protocols: [echo, amqp091Protocol((arrival) => new EchoConnection(arrival))],
    requests: null,
    clock: systemClock(),
    ...options,
    limits: { ...LIMITS, ...options.limits },
    metrics,
  });
  return { listeners, metrics, port: listeners.addresses[0]?.port ?? 0, taken };
}

/** A raw client. */
export interface Peer {
  readonly socket: Socket;
  /** Resolves with the text received once it has at least `bytes` bytes. */
  received(bytes: number): Promise<string>;
  /** Resolves with all that was received once the connection is over, however it ended. */
  readonly closed: Promise<string>;
}

/** Connects to a port on 127.0.0.1 and waits until it is connected. */
export function connectPeer(port: number): Promise<Peer> {
  const socket = connect(port, "127.0.0.1");
  return ready(socket, "connect");
}

/** The same over TLS. Rejects when the handshake fails on this side. */
export function connectTlsPeer(port: number, options: ConnectionOptions = {}): Promise<Peer> {
  const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: testCertificates.ca, ...options });
  return ready(socket, "secureConnect");
}

async function ready(socket: Socket, event: "connect" | "secureConnect"): Promise<Peer> {
  socket.setNoDelay(true);
  let text = "";
  const wake: (() => void)[] = [];
  socket.setEncoding("latin1");
  socket.on("data", (data) => {
    text += String(data);
    for (const fn of wake) fn();
  });
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(text)));
  await new Promise<void>((resolve, reject) => {
    socket.once(event, resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  const received = (bytes: number): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (text.length >= bytes) resolve(text);
      };
      wake.push(look);
      look();
    });
  return { socket, received, closed };
}
