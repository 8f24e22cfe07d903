import { asMessagingError, MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { connectAttempt } from "../../transport/connect-attempt.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import type { Platform } from "../../transport/platform.ts";
import type { Connect, ProtocolLevel } from "../codec/packets.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import { type AttemptOwner, attemptConnection, refusesVersion } from "./attempt.ts";
import { type ConnectChoice, connectPacket } from "./connect-packet.ts";
import type { ConnectionParts } from "./connection.ts";
import { mqttEndpoint } from "./server-addresses.ts";

/** Redirections followed within one attempt. */
const REDIRECTS_MAX = 3;

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
  /** Where the server sent us (MQTT 5.0 §4.11), and whether that holds for good. */
  #redirect: { readonly endpoint: Endpoint; readonly permanent: boolean } | null = null;
  /** The level that an `auto` client has found to work; null while it does not know. */
  #level: ProtocolLevel | null = null;

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
    const configured = this.#endpoints[index];
    if (configured === undefined) throw new MessagingError("ERR_NO_SERVERS", "no server address given");
    let endpoint = this.#takeRedirect() ?? configured;
    for (let hops = 0; ; hops++) {
      const before = this.#redirect;
      try {
        return await this.#connectAtBestLevel(endpoint, signal);
      } catch (cause) {
        const error = asMessagingError(cause, "ERR_CONNECT_FAILED");
        this.#owner.attemptFailed(error);
        const next = this.#redirect === before || hops === REDIRECTS_MAX ? null : this.#takeRedirect();
        if (next === null) {
          this.#redirect = null;
          throw error;
        }
        endpoint = next;
      }
    }
  }

  /** Takes note of where a server wants its clients to go, if it says so and is to be followed. */
  noteRedirect(reasonCode: number, reference: string | undefined): void {
    const permanent = reasonCode === ReasonCode.ServerMoved;
    const from = this.#current;
    if (this.#parts.settings.serverRedirect === "ignore" || from === undefined) return;
    if (!permanent && reasonCode !== ReasonCode.UseAnotherServer) return;
    const endpoint = this.#parts.mqtt5.part?.referencedEndpoints(reference ?? "", from)[0];
    if (endpoint !== undefined) this.#redirect = { endpoint, permanent };
  }

  /** One that is not for ever is followed once. */
  #takeRedirect(): Endpoint | null {
    const redirect = this.#redirect;
    if (redirect?.permanent === false) this.#redirect = null;
    return redirect?.endpoint ?? null;
  }

  /**
   * `auto` tries 5.0 first, and 3.1.1 when the server fails in a way in which one without 5.0 fails. What has worked once
   * is left only for a server that says that it does not speak it: a broken link must not cost a session its version.
   */
  async #connectAtBestLevel(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    const { protocolVersion, authentication } = this.#parts.settings;
    if (protocolVersion !== "auto") return this.#connectAt(endpoint, protocolVersion, signal);
    const first = this.#level ?? 5;
    try {
      await this.#connectAt(endpoint, first, signal);
      this.#level = first;
    } catch (cause) {
      const error = asMessagingError(cause, "ERR_CONNECT_FAILED");
      const refused = refusesVersion(error, this.#level !== null);
      // MQTT 3.1.1 has no enhanced authentication: going on without it would be no fallback.
      if (!refused || authentication !== null) throw error;
      const second = first === 5 ? 4 : 5;
      await this.#connectAt(endpoint, second, signal);
      this.#level = second;
    }
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
