import type { Clock, Timer } from "../../base/clock.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import type { Auth } from "../codec/packets.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import type { AuthenticationOptions } from "./options.ts";

/** What an authenticator needs of the connection on which a challenge came. */
export interface AuthPort {
  sendAuth(packet: Auth): void;
  fail(error: MessagingError): void;
}

/** What of enhanced authentication is under way: the first of a connection, none, or another one. */
type Phase =
  | { readonly is: "connecting" }
  | { readonly is: "idle" }
  | { readonly is: "again"; readonly done: Deferred<void>; readonly timer: Timer | null };

/** The client's part of enhanced authentication (MQTT 5.0 §4.12): answers challenges, starts re-authentication. */
export class Authenticator {
  readonly #options: AuthenticationOptions;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #phase: Phase = { is: "connecting" };

  /** @param timeoutMs longest wait for the outcome of a re-authentication; 0 waits for ever */
  constructor(options: AuthenticationOptions, clock: Clock, timeoutMs: number) {
    this.#options = options;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** An AUTH came: a challenge to answer, or the success of a re-authentication. */
  onAuth(packet: Auth, port: AuthPort): void {
    const { is } = this.#phase;
    const challenge = packet.reasonCode === ReasonCode.ContinueAuthentication;
    // Only a client begins, and CONNACK ends the first authentication (MQTT 5.0 §4.12).
    if (is === "idle" || (is === "connecting" && !challenge)) {
      return port.fail(
        new MessagingError("ERR_PROTOCOL_VIOLATION", `AUTH ${packet.reasonCode} that was not asked for`),
      );
    }
    this.#handle(packet, port).catch((cause: unknown) => {
      const error = new MessagingError("ERR_AUTH_FAILED", "enhanced authentication failed", { cause });
      this.#settle(error);
      port.fail(error);
    });
  }

  /** The server accepted with these last data. @throws {MessagingError} ERR_AUTH_FAILED when they are wrong */
  async onAccepted(data: Uint8Array | null): Promise<void> {
    this.#phase = { is: "idle" };
    try {
      await this.#verify(data ?? NO_BYTES);
    } catch (cause) {
      throw new MessagingError("ERR_AUTH_FAILED", "the server's authentication data are wrong", { cause });
    }
  }

  /** Authenticates again on the open connection; resolves at the server's AUTH success. */
  async again(port: AuthPort): Promise<void> {
    if (this.#phase.is !== "idle") throw new MessagingError("ERR_AUTH_FAILED", "an authentication is under way");
    const { method, data } = this.#options;
    const done = deferred<void>();
    // It may fail while the data are still being asked for.
    done.promise.catch(noop);
    const timer = this.#timeoutMs === 0 ? null : this.#clock.setTimer(this.#timeoutMs, () => this.#onSilence(port));
    this.#phase = { is: "again", done, timer };
    try {
      const first = typeof data === "function" ? await data() : data;
      port.sendAuth(authPacket(ReasonCode.ReAuthenticate, method, first));
    } catch (cause) {
      this.#settle(new MessagingError("ERR_AUTH_FAILED", "re-authentication could not be started", { cause }));
    }
    await done.promise;
  }

  /** The connection ended; the next one authenticates from the start. */
  close(error: MessagingError | null): void {
    this.#settle(error ?? new MessagingError("ERR_CONNECTION_LOST", "the connection ended during re-authentication"));
    this.#phase = { is: "connecting" };
  }

  /** A re-authentication without an outcome is a failed one: the connection ends [MQTT-4.12.1-2]. */
  #onSilence(port: AuthPort): void {
    const error = new MessagingError("ERR_TIMEOUT", `no answer to AUTH within ${this.#timeoutMs} ms`);
    this.#settle(error);
    port.fail(error);
  }

  async #handle(packet: Auth, port: AuthPort): Promise<void> {
    const data = packet.properties?.authenticationData ?? NO_BYTES;
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
    const phase = this.#phase;
    if (phase.is !== "again") return;
    this.#phase = { is: "idle" };
    phase.timer?.cancel();
    if (error === null) phase.done.resolve();
    else phase.done.reject(error);
  }
}

function authPacket(reasonCode: number, method: string, data: Uint8Array | undefined): Auth {
  const properties =
    data === undefined ? { authenticationMethod: method } : { authenticationMethod: method, authenticationData: data };
  return { type: "auth", reasonCode, properties };
}
