import type { Timer } from "../../base/clock.ts";
import { asMessagingError, MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import type { AmqpConnection } from "../client/connection.ts";
import type { AmqpRequester } from "../client/requests/requester.ts";
import type { AmqpSession } from "../client/session.ts";
import type { MessageView } from "../codec/message-view.ts";
import { type AmqpInput, plain } from "../codec/values.ts";

/** A token for one audience. */
export interface AzureToken {
  readonly token: string;
  /** `jwt` for tokens of Entra ID, `servicebus.windows.net:sastoken` for shared access signatures. */
  readonly type: "jwt" | "servicebus.windows.net:sastoken";
  /** When it expires, in ms since 1970. */
  readonly expiresAtMs: number;
}

/** Gives a token, asked again for each renewal and after each reconnect. */
export type AzureTokenProvider = (audience: string) => AzureToken | Promise<AzureToken>;

/** Settings of a {@link TokenAuthority}. */
export interface TokenAuthorityOptions {
  /** Renewed so long before it expires, in ms. Default 300,000, or a fifth of what is left where that is less. */
  readonly renewBeforeMs?: number;
  /** Told of a renewal that failed; it is tried again after `retryMs` (default 10,000), until the token expires and the service cuts the links. */
  readonly onRenewalFailed?: (audience: string, error: MessagingError) => void;
  readonly retryMs?: number;
}

const NODE = "$cbs";
const RENEW_BEFORE_MS = 300_000;
const TIMER_MAX_MS = 2_147_483_647;

/**
 * Claims-based security of Azure Service Bus and Event Hubs: puts tokens to `$cbs`, renews them before they expire, and puts them again after a reconnect before
 * any other link of the connection comes back. Open links for an audience after `authorize` has resolved.
 */
export class TokenAuthority {
  readonly #session: AmqpSession;
  readonly #requester: AmqpRequester;
  readonly #provider: AzureTokenProvider;
  readonly #options: TokenAuthorityOptions;
  /** Audiences and the timers of their renewals. */
  readonly #timers = new Map<string, Timer | null>();

  private constructor(
    session: AmqpSession,
    requester: AmqpRequester,
    provider: AzureTokenProvider,
    options: TokenAuthorityOptions,
  ) {
    this.#session = session;
    this.#requester = requester;
    this.#provider = provider;
    this.#options = options;
    session.comesFirst = true;
    session.onRestored(async () => {
      for (const audience of this.#timers.keys()) await this.#put(audience);
    });
    void session.closed.then(() => this.#stop());
  }

  /** Opens a session of its own with links to `$cbs`. @throws {MessagingError} as `AmqpSession.createRequester` */
  static async open(
    connection: AmqpConnection,
    provider: AzureTokenProvider,
    options: TokenAuthorityOptions = {},
  ): Promise<TokenAuthority> {
    const session = await connection.createSession();
    const replyTo = `cbs-${connection.containerId}`;
    try {
      const receiver = { target: { address: replyTo } };
      const requester = await session.createRequester(NODE, { source: { address: NODE }, replyTo, receiver });
      return new TokenAuthority(session, requester, provider, options);
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /**
   * Puts a token for an audience, such as `sb://namespace.servicebus.windows.net/queue`, and keeps it fresh from then on.
   * @throws {MessagingError} ERR_AUTH_FAILED with the service's status, what the provider throws as the cause of ERR_AUTH_FAILED, and the errors of
   *   `AmqpRequester.request`
   */
  async authorize(audience: string): Promise<void> {
    await this.#put(audience);
  }

  /** Renews no more for an audience; the token that is there lasts until it expires. */
  forget(audience: string): void {
    this.#timers.get(audience)?.cancel();
    this.#timers.delete(audience);
  }

  /** Stops renewing and closes the links. */
  async close(): Promise<void> {
    this.#stop();
    await this.#requester.close();
    await this.#session.close();
  }

  /** Closes the authority, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #put(audience: string): Promise<void> {
    const { token, type, expiresAtMs } = await this.#ask(audience);
    const answer = await this.#requester.request({
      applicationProperties: {
        operation: "put-token",
        type,
        name: audience,
        expiration: new Date(expiresAtMs) as AmqpInput,
      },
      body: { type: "value", value: token },
    });
    const status = statusOf(answer);
    if (status.code < 200 || status.code >= 300) {
      const peer = { protocol: "amqp10", code: status.code, text: status.text } as const;
      throw new MessagingError(
        "ERR_AUTH_FAILED",
        `the token for ${audience} was refused: ${status.code} ${status.text}`,
        { peer },
      );
    }
    this.#timers.get(audience)?.cancel();
    this.#timers.set(audience, null);
    const leftMs = expiresAtMs - this.#session.core.clock.epochMs();
    const beforeMs = Math.min(this.#options.renewBeforeMs ?? RENEW_BEFORE_MS, leftMs / 5);
    this.#renewIn(audience, leftMs - beforeMs);
  }

  async #ask(audience: string): Promise<AzureToken> {
    try {
      return await this.#provider(audience);
    } catch (cause) {
      throw new MessagingError("ERR_AUTH_FAILED", `no token for ${audience} could be had`, { cause });
    }
  }

  #renewIn(audience: string, waitMs: number): void {
    if (!this.#timers.has(audience) || this.#session.state === "closed") return;
    const ms = Math.min(TIMER_MAX_MS, Math.max(1, waitMs));
    this.#timers.set(
      audience,
      this.#session.core.clock.setTimer(ms, () => void this.#renew(audience)),
    );
  }

  async #renew(audience: string): Promise<void> {
    // After a reconnect all tokens are put anew.
    if (!this.#timers.has(audience) || this.#session.state !== "open") return;
    try {
      await this.#put(audience);
    } catch (error) {
      const { onRenewalFailed = noop, retryMs = 10_000 } = this.#options;
      this.#session.core.tell("onRenewalFailed", () =>
        onRenewalFailed(audience, asMessagingError(error, "ERR_AUTH_FAILED")),
      );
      this.#renewIn(audience, retryMs);
    }
  }

  #stop(): void {
    for (const timer of this.#timers.values()) timer?.cancel();
    this.#timers.clear();
  }
}

function statusOf(answer: MessageView): { readonly code: number; readonly text: string } {
  const said = answer.applicationProperties;
  const code = plain(said?.get("status-code") ?? said?.get("statusCode") ?? null);
  const text = plain(said?.get("status-description") ?? said?.get("statusDescription") ?? null);
  return { code: Number(code ?? 0), text: text === null ? "" : String(text) };
}
