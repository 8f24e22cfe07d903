import { onAbort } from "../../base/abort.ts";
import { MessagingError } from "../../base/errors.ts";
import type { DialOptions, Platform } from "../../transport/platform.ts";
import { type SaslMechanism, saslAmqplain, saslExternal, saslPlain } from "../codec/sasl.ts";
import type { ServerFacts } from "../engine/client-engine.ts";
import { Connection, type ConnectionOwner, type ConnectionParts } from "./connection.ts";
import { type AmqpServer, amqpServer } from "./server-addresses.ts";

/** Makes one attempt at a time. */
export class Connector {
  readonly #platform: Platform;
  readonly #parts: ConnectionParts;
  readonly #servers: readonly AmqpServer[];

  /** @throws {MessagingError} ERR_INVALID_OPTIONS for a server address that is none */
  constructor(platform: Platform, parts: ConnectionParts) {
    this.#platform = platform;
    this.#parts = parts;
    this.#servers = parts.settings.servers.map(amqpServer);
  }

  get serverCount(): number {
    return this.#servers.length;
  }

  /** A server's address without credentials. */
  display(index: number): string {
    return this.#servers[index]?.endpoint.display ?? "";
  }

  /** Connects to one server. What fails leaves nothing open. */
  async connect(
    index: number,
    owner: ConnectionOwner,
    signal: AbortSignal,
  ): Promise<{ readonly connection: Connection; readonly facts: ServerFacts }> {
    const server = this.#servers[index];
    if (server === undefined) throw new MessagingError("ERR_NO_SERVERS", "no server address given");
    const { settings } = this.#parts;
    const tuning = {
      channelMax: server.channelMax ?? settings.channelMax,
      frameMax: server.frameMax ?? settings.frameMax,
      heartbeatSeconds: server.heartbeatSeconds ?? settings.heartbeatSeconds,
    };
    const mechanisms = await this.#mechanisms(server);
    const vhost = server.vhost ?? settings.vhost;
    const connection = new Connection(this.#parts, { mechanisms, vhost, tuning }, owner);
    const transport = await this.#platform.dial(server.endpoint, this.#dialOptions(server, signal), connection.socket);
    connection.start(transport);
    const release = onAbort(signal, () =>
      connection.destroy(new MessagingError("ERR_ABORTED", "the attempt was given up", { cause: signal.reason })),
    );
    try {
      return { connection, facts: await connection.opened };
    } finally {
      release();
    }
  }

  async #mechanisms(server: AmqpServer): Promise<readonly SaslMechanism[]> {
    const { settings, text } = this.#parts;
    if (settings.mechanism === "EXTERNAL") return [saslExternal()];
    const { endpoint } = server;
    const given =
      settings.credentials !== null
        ? await settings.credentials()
        : settings.username === null && endpoint.username !== ""
          ? endpoint
          : { username: settings.username ?? "guest", password: settings.password ?? "guest" };
    const credentials = { username: given.username ?? "", password: given.password ?? "" };
    if (settings.mechanism === "AMQPLAIN") return [saslAmqplain(text, credentials)];
    if (settings.mechanism === "PLAIN") return [saslPlain(text, credentials)];
    return [saslPlain(text, credentials), saslAmqplain(text, credentials)];
  }

  #dialOptions(server: AmqpServer, signal: AbortSignal): DialOptions {
    const { settings } = this.#parts;
    return {
      kind: server.kind,
      connectTimeoutMs: settings.connectTimeoutMs,
      signal,
      tls: settings.tls ?? undefined,
      webSocket: { ...settings.webSocket, protocols: settings.webSocket?.protocols ?? ["amqp"] },
      dial: settings.dial ?? undefined,
    };
  }
}
