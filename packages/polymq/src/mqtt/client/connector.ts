import { asMessagingError, type MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { connectAttempt } from "../../transport/connect-attempt.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import type { Platform } from "../../transport/platform.ts";
import type { Connect, ProtocolLevel } from "../codec/packets.ts";
import { type AttemptOwner, attemptConnection } from "./attempt.ts";
import { type ConnectChoice, connectPacket } from "./connect-packet.ts";
import type { ConnectionParts } from "./connection.ts";
import { mqttEndpoint } from "./server-addresses.ts";
import type { ServerRoute } from "./server-route.ts";

/** What a connector asks of its client. */
export interface ConnectorOwner extends AttemptOwner {
  readonly clientId: string;
  /** Whether the next CONNECT at this level starts an empty session. */
  cleanStart(level: ProtocolLevel): boolean;
  /** One server was tried in vain; another one, or another version, may follow within the same attempt. */
  attemptFailed(error: MessagingError): void;
}

/** Makes one attempt at a time: which server, which version, which credentials, and where the server sends us instead. */
export class Connector {
  readonly #platform: Platform;
  readonly #parts: ConnectionParts;
  readonly #owner: ConnectorOwner;
  readonly #endpoints: readonly Endpoint[];
  /** The server of the attempt or connection of now. */
  #current: Endpoint | undefined;
  /** Where and how to connect when MQTT 5.0 may be spoken; null else, and before the first attempt. */
  #route: ServerRoute | null = null;

  /** @throws {MessagingError} ERR_INVALID_OPTIONS for a server address that is none */
  constructor(platform: Platform, parts: ConnectionParts, owner: ConnectorOwner) {
    this.#platform = platform;
    this.#parts = parts;
    this.#owner = owner;
    this.#endpoints = parts.settings.servers.map(mqttEndpoint);
  }

  get serverCount(): number {
    return this.#endpoints.length;
  }

  /** The address of the server in use, without credentials. */
  get server(): string {
    return this.#current?.display ?? "";
  }

  /** An attempt begins with this server. */
  choose(index: number): void {
    this.#current = this.#endpoints[index];
  }

  /** Connects to one of the servers, or where it sends us. @throws {MessagingError} as `attemptConnection` */
  async connect(index: number, signal: AbortSignal): Promise<void> {
    const { settings, mqtt5 } = this.#parts;
    // There is one at least, and no other index is chosen.
    const configured = this.#endpoints[index] as Endpoint;
    const connect = (endpoint: Endpoint, level: ProtocolLevel): Promise<void> =>
      this.#connectAt(endpoint, level, signal);
    const failed = (error: MessagingError): void => this.#owner.attemptFailed(error);
    if (settings.protocolVersion !== 4) {
      this.#route ??= mqtt5.loaded.route(settings);
      return await this.#route.connect(configured, connect, failed);
    }
    try {
      await connect(configured, 4);
    } catch (cause) {
      const error = asMessagingError(cause, "ERR_CONNECT_FAILED");
      failed(error);
      throw error;
    }
  }

  /** Takes note of where a server wants its clients to go, if it says so and is to be followed. */
  noteRedirect(reasonCode: number, reference: string | undefined): void {
    this.#route?.note(reasonCode, reference, this.#current);
  }

  async #connectAt(endpoint: Endpoint, level: ProtocolLevel, signal: AbortSignal): Promise<void> {
    const owner = this.#owner;
    this.#current = endpoint;
    const mqtt5 = level === 5 ? this.#parts.mqtt5.loaded : null;
    const choice = { level, mqtt5, endpoint, clientId: owner.clientId, cleanStart: owner.cleanStart(level) };
    const connect = await this.#packet(choice, signal);
    await attemptConnection({ platform: this.#platform, parts: this.#parts, endpoint, connect, owner, signal });
  }

  /** Under the attempt's deadline, for credentials are the application's to give. */
  #packet(choice: ConnectChoice, signal: AbortSignal): Promise<Connect> {
    const { settings, text, clock } = this.#parts;
    const { connectTimeoutMs } = settings;
    return connectAttempt(clock, { connectTimeoutMs, signal }, (report) => {
      connectPacket(settings, choice, text).then(report.done, report.failed);
      // An answer that comes after the deadline is not asked for any more.
      return noop;
    });
  }
}
