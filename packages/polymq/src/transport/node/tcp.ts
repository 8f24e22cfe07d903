import { connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { MessagingError } from "../../base/errors.ts";
import { connectAttempt } from "../connect-attempt.ts";
import type { Endpoint } from "../endpoint.ts";
import type { DialOptions } from "../platform.ts";
import type { Transport, TransportHandler } from "../transport.ts";
import { wrapSocket } from "./socket-transport.ts";

/**
 * Connects over TCP, or to the local socket at `endpoint.path` for kind `unix`.
 * @throws {MessagingError} ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT, ERR_ABORTED
 */
export function dialTcp(
  clock: Clock,
  endpoint: Endpoint,
  options: DialOptions,
  handler: TransportHandler,
): Promise<Transport> {
  const { host, port, path } = endpoint;
  const target = options.kind === "unix" ? { path } : { host, port, noDelay: true, ...localOptions(options) };
  return dialSocket({ clock, options, handler, event: "connect", open: () => connect(target) });
}

/** Where a socket connects from, in Node's words. */
export function localOptions({ localAddress }: DialOptions): { readonly localAddress?: string } {
  return localAddress === undefined ? {} : { localAddress };
}

/** What {@link dialSocket} needs. */
export interface SocketDial {
  readonly clock: Clock;
  readonly options: DialOptions;
  readonly handler: TransportHandler;
  /** The event that says that the socket can be used. */
  readonly event: "connect" | "secureConnect";
  readonly open: () => Socket;
}

/** Waits until a socket is connected and wraps it; on failure, deadline or abort the socket is destroyed. */
export function dialSocket(dial: SocketDial): Promise<Transport> {
  return connectAttempt<Transport>(dial.clock, dial.options, (report) => {
    const socket = dial.open();
    const onReady = (): void => {
      socket.off("error", onError);
      socket.off("close", onClose);
      const { tcpKeepAliveMs } = dial.options;
      report.done(wrapSocket(socket, dial.handler, { reading: "nextTurn", tcpKeepAliveMs }));
    };
    const onError = (error: Error): void => report.failed(error);
    const onClose = (): void => report.failed(new Error("the connection was closed before it could be used"));
    socket.once(dial.event, onReady);
    socket.on("error", onError);
    socket.once("close", onClose);
    return () => {
      socket.off(dial.event, onReady);
      socket.destroy();
    };
  });
}

/** Where a server listens. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** A local socket's path, instead of host and port. */
  readonly path?: string | undefined;
  /** Connections the kernel queues. Default 511. */
  readonly backlog?: number | undefined;
}

/** A listening server socket. */
export interface Listener {
  /** The host or local path that was bound. */
  readonly host: string;
  /** The port that was bound; 0 for a local path. */
  readonly port: number;
  /** Stops accepting; connections already accepted belong to whoever took them. Resolves when the port is free. */
  close(): Promise<void>;
}

/**
 * Listens for TCP connections. `accept` gets each raw socket, to look at its first bytes or to {@link wrapSocket} at once; it may
 * not throw.
 * @throws {MessagingError} ERR_LISTEN_FAILED with the cause
 */
export function listenTcp(options: ListenOptions, accept: (socket: Socket) => void): Promise<Listener> {
  return startServer(createServer({ noDelay: true }, accept), options);
}

/** Binds a prepared server; used for TCP and TLS alike. Errors after that are each connection's own. */
export function startServer(server: Server, options: ListenOptions): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const onFailed = (cause: Error): void => {
      reject(new MessagingError("ERR_LISTEN_FAILED", `cannot listen: ${cause.message}`, { cause }));
    };
    server.once("error", onFailed);
    const backlog = options.backlog ?? 511;
    const where =
      options.path === undefined
        ? { host: options.host, port: options.port, backlog }
        : { path: options.path, backlog };
    server.listen(where, () => {
      server.off("error", onFailed);
      // Failures to accept, such as too many open files, pass; the server goes on listening.
      server.on("error", ignore);
      resolve(listenerOf(server));
    });
  });
}

function listenerOf(server: Server): Listener {
  const address = server.address();
  const bound = typeof address === "string" || address === null ? { address: address ?? "", port: 0 } : address;
  let closed: Promise<void> | null = null;
  return {
    host: bound.address,
    port: bound.port,
    close: () => {
      // Node's own callback waits for every connection; the port is free as soon as the handle is closed.
      closed ??= new Promise((resolve) => {
        server.close();
        setImmediate(resolve);
      });
      return closed;
    },
  };
}

function ignore(): void {}
