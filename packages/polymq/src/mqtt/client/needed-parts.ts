import { raceAbort } from "../../base/abort.ts";
import { deferred } from "../../base/deferred.ts";
import type { MessagingError } from "../../base/errors.ts";
import { type Lazy, lazy } from "../../base/lazy.ts";
import { noop } from "../../base/noop.ts";
import type { Platform } from "../../transport/platform.ts";
import type { PublishProperties } from "../codec/packets.ts";
import type { Authenticator } from "./authenticator.ts";
import type { ClientParts } from "./client-parts.ts";
import type { Intake } from "./intake.ts";
import type { Mqtt5 } from "./mqtt5.ts";
import type { Settings } from "./options.ts";
import type { Recovery } from "./recovery.ts";
import { missingInVersion4 } from "./refusals.ts";
import type { StoredSession } from "./stored-session.ts";

/** What {@link NeededParts} needs from its client. */
export interface NeededPartsOwner {
  /** Makes the receiving side; once. */
  readonly intake: (Code: typeof Intake) => Intake;
  /** Takes what sends messages again; once. */
  readonly recovery: (code: Recovery) => Recovery;
  /** True while messages are in flight, which the next connection sends again. */
  readonly hasInflight: () => boolean;
  /** Told of a write that failed and that nobody waits for. */
  readonly storeFailed: (error: MessagingError) => void;
}

/** The parts that a client's connections need by its options and calls: `connect` loads what is not there. */
export class NeededParts {
  readonly mqtt5: Lazy<Mqtt5>;
  readonly intake: Lazy<Intake>;
  readonly recovery: Lazy<Recovery>;
  /** Null without the option. */
  readonly authentication: Lazy<Authenticator> | null;
  /** Null without the option. */
  readonly store: Lazy<StoredSession> | null;
  /** While something is loaded that a publish has to wait for: settles with it. */
  loading: Promise<void> | null = null;
  readonly #settings: Settings;
  readonly #platform: Platform;
  readonly #owner: NeededPartsOwner;

  constructor(settings: Settings, platform: Platform, parts: ClientParts, owner: NeededPartsOwner) {
    const { authentication, ackTimeoutMs, store } = settings;
    this.#settings = settings;
    this.#platform = platform;
    this.#owner = owner;
    this.mqtt5 = lazy(parts.mqtt5, (code) => code);
    this.intake = lazy(parts.intake, owner.intake);
    this.recovery = lazy(parts.recovery, owner.recovery);
    this.authentication =
      authentication === null
        ? null
        : lazy(parts.authentication, (Auth) => new Auth(authentication, platform.clock, ackTimeoutMs));
    this.store =
      store === null ? null : lazy(parts.store, (Session) => new Session(store, settings, owner.storeFailed));
  }

  /** Loads what is missing; null when nothing is. @throws {MessagingError} ERR_LOAD_FAILED */
  load(): Promise<void> | null {
    const { protocolVersion, cleanStart, onMessage, store, reconnect } = this.#settings;
    // A session that goes on may bring messages, before anything is subscribed to.
    const receives = !cleanStart || onMessage !== null || store !== null;
    const comesBack = reconnect !== null || store !== null || this.#owner.hasInflight();
    const all = [
      protocolVersion === 4 ? null : this.mqtt5,
      receives ? this.intake : null,
      comesBack ? this.recovery : null,
      this.authentication,
      this.store,
    ];
    const missing = all.filter((part) => part?.part === null);
    if (missing.length === 0) return null;
    return this.#keepBack(Promise.all(missing.map((part) => part?.load())));
  }

  /** Calls `call` with the receiving side, as `Lazy.use`; publishes that come later are sent later. Ends at its signal. */
  receive<R>(call: (intake: Intake) => Promise<R>, signal: AbortSignal | undefined): Promise<R> {
    const { part } = this.intake;
    if (part !== null) return call(part);
    const begun = deferred<void>();
    const result = this.intake.use((intake) => {
      begun.resolve();
      return call(intake);
    });
    // No publish fails because nothing can be subscribed to.
    result.catch(() => begun.resolve());
    void this.#keepBack(begun.promise);
    return raceAbort(result, signal);
  }

  #keepBack(loading: Promise<unknown>): Promise<void> {
    const all = Promise.all([this.loading, loading])
      .then(noop)
      .finally(() => {
        // More may be loading by now.
        if (this.loading === all) this.loading = null;
      });
    // Told to those who wait, if anybody does.
    all.catch(noop);
    this.loading = all;
    return all;
  }

  /**
   * A property block for PUBLISH, or null for none.
   * @param refuse throws why there is no connection, where one of MQTT 5.0 may come
   * @throws {MessagingError} ERR_UNSUPPORTED where none can have properties, and what the encoder refuses
   */
  encodeProperties(properties: PublishProperties, refuse: () => void): Uint8Array | null {
    const { part } = this.mqtt5;
    if (part === null) {
      if (this.#settings.protocolVersion !== 4) refuse();
      throw missingInVersion4("publish properties");
    }
    const block = part.encodeProperties(this.#platform.text, properties);
    return block.length === 0 ? null : block;
  }
}
