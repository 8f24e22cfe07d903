import { type Deferred, deferred } from "../../base/deferred.ts";
import { MessagingError } from "../../base/errors.ts";
import type { Auth } from "../codec/packets.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import type { AuthenticationOptions } from "./options.ts";

/** What an authenticator needs of the connection on which a challenge came. */
export interface AuthPort {
  sendAuth(packet: Auth): void;
  fail(error: MessagingError): void;
}

/** The client's part of enhanced authentication (MQTT 5.0 §4.12): answers challenges, starts re-authentication. */
export class Authenticator {
  readonly #options: AuthenticationOptions;
  #again: Deferred<void> | null = null;

  constructor(options: AuthenticationOptions) {
    this.#options = options;
  }

  /** An AUTH came: a challenge to answer, or the success of a re-authentication. */
  onAuth(packet: Auth, port: AuthPort): void {
    this.#handle(packet, port).catch((cause: unknown) => {
      const error = new MessagingError("ERR_AUTH_FAILED", "enhanced authentication failed", { cause });
      this.#settle(error);
      port.fail(error);
    });
  }

  /** The server accepted with these last data. */
  onAccepted(data: Uint8Array | null, port: AuthPort): void {
    this.#verify(data ?? new Uint8Array(0)).catch((cause: unknown) => {
      port.fail(new MessagingError("ERR_AUTH_FAILED", "the server's authentication data are wrong", { cause }));
    });
  }

  /** Authenticates again on the open connection; resolves at the server's AUTH success. */
  async again(port: AuthPort): Promise<void> {
    if (this.#again !== null) throw new MessagingError("ERR_AUTH_FAILED", "a re-authentication is under way");
    const { method, data } = this.#options;
    const again = deferred<void>();
    this.#again = again;
    try {
      const first = typeof data === "function" ? await data() : data;
      port.sendAuth(authPacket(ReasonCode.ReAuthenticate, method, first));
    } catch (cause) {
      this.#again = null;
      throw new MessagingError("ERR_AUTH_FAILED", "re-authentication could not be started", { cause });
    }
    await again.promise;
  }

  /** The connection ended. */
  close(error: MessagingError | null): void {
    this.#settle(error ?? new MessagingError("ERR_CONNECTION_LOST", "the connection ended during re-authentication"));
  }

  async #handle(packet: Auth, port: AuthPort): Promise<void> {
    const data = packet.properties?.authenticationData ?? new Uint8Array(0);
    if (packet.reasonCode === ReasonCode.ContinueAuthentication) {
      const reasonString = packet.properties?.reasonString ?? "";
      const answer = await this.#options.respond({ reasonCode: packet.reasonCode, data: data.slice(), reasonString });
      port.sendAuth(authPacket(ReasonCode.ContinueAuthentication, this.#options.method, answer));
      return;
    }
    await this.#verify(data);
    this.#settle(null);
  }

  async #verify(data: Uint8Array): Promise<void> {
    await this.#options.verify?.(data.slice());
  }

  #settle(error: MessagingError | null): void {
    const again = this.#again;
    this.#again = null;
    if (again === null) return;
    if (error === null) again.resolve();
    else again.reject(error);
  }
}

function authPacket(reasonCode: number, method: string, data: Uint8Array | undefined): Auth {
  const properties =
    data === undefined ? { authenticationMethod: method } : { authenticationMethod: method, authenticationData: data };
  return { type: "auth", reasonCode, properties };
}
