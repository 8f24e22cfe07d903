import { asMessagingError, type MessagingError } from "../../base/errors.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import type { ProtocolLevel } from "../codec/packets.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import type { Settings } from "./options.ts";
import { referencedEndpoints } from "./server-references.ts";

/** Redirections followed within one attempt. */
const REDIRECTS_MAX = 3;

/** Makes one connection. */
type Connect = (endpoint: Endpoint, level: ProtocolLevel) => Promise<void>;

/** The way to a server for a client that may speak MQTT 5.0: where servers send it instead, and which level they speak. */
export class ServerRoute {
  readonly #settings: Settings;
  /** Where a server sent us (MQTT 5.0 §4.11), and whether that holds for good. */
  #redirect: { readonly endpoint: Endpoint; readonly permanent: boolean } | null = null;
  /** The level that an `auto` client has found to work; null while it does not know. */
  #level: ProtocolLevel | null = null;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Connects to a server, or where it sends us. @param failed told of each server that was tried in vain */
  async connect(configured: Endpoint, connect: Connect, failed: (error: MessagingError) => void): Promise<void> {
    let endpoint = this.#take() ?? configured;
    for (let hops = 0; ; hops++) {
      const before = this.#redirect;
      try {
        return await this.#atBestLevel(endpoint, connect);
      } catch (cause) {
        const error = asMessagingError(cause, "ERR_CONNECT_FAILED");
        failed(error);
        const next = this.#redirect === before || hops === REDIRECTS_MAX ? null : this.#take();
        if (next === null) {
          this.#redirect = null;
          throw error;
        }
        endpoint = next;
      }
    }
  }

  /** Takes note of where a server, `from`, wants its clients to go, if it says so and is to be followed. */
  note(reasonCode: number, reference: string | undefined, from: Endpoint | undefined): void {
    const permanent = reasonCode === ReasonCode.ServerMoved;
    if (this.#settings.serverRedirect === "ignore" || from === undefined) return;
    if (!permanent && reasonCode !== ReasonCode.UseAnotherServer) return;
    const endpoint = referencedEndpoints(reference ?? "", from)[0];
    if (endpoint !== undefined) this.#redirect = { endpoint, permanent };
  }

  /** One that is not for ever is followed once. */
  #take(): Endpoint | null {
    const redirect = this.#redirect;
    if (redirect?.permanent === false) this.#redirect = null;
    return redirect?.endpoint ?? null;
  }

  /**
   * `auto` tries 5.0 first, and 3.1.1 when the server fails in a way in which one without 5.0 fails. What has worked once
   * is left only for a server that says that it does not speak it: a broken link must not cost a session its version.
   */
  async #atBestLevel(endpoint: Endpoint, connect: Connect): Promise<void> {
    const { protocolVersion, authentication } = this.#settings;
    if (protocolVersion !== "auto") return await connect(endpoint, protocolVersion);
    const first = this.#level ?? 5;
    try {
      await connect(endpoint, first);
      this.#level = first;
    } catch (cause) {
      const error = asMessagingError(cause, "ERR_CONNECT_FAILED");
      const refused = refusesVersion(error, this.#level !== null);
      // MQTT 3.1.1 has no enhanced authentication: going on without it would be no fallback.
      if (!refused || authentication !== null) throw error;
      const second = first === 5 ? 4 : 5;
      await connect(endpoint, second);
      this.#level = second;
    }
  }
}

/**
 * True when the server refuses this protocol level, which it may say with a code (`sure`); some servers that do not know 5.0
 * just close, or answer with bytes that are none of it.
 */
function refusesVersion(error: MessagingError, sure: boolean): boolean {
  if (error.code === "ERR_CONNECT_REJECTED") {
    return error.peer?.code === ReasonCode.UnsupportedProtocolVersion || error.peer?.code === 1;
  }
  return !sure && ["ERR_CONNECTION_LOST", "ERR_MALFORMED_PACKET", "ERR_PROTOCOL_VIOLATION"].includes(error.code);
}
