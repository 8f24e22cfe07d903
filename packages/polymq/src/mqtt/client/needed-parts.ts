import type { MessagingError } from "../../base/errors.ts";
import { type Lazy, lazy } from "../../base/lazy.ts";
import { noop } from "../../base/noop.ts";
import type { Platform } from "../../transport/platform.ts";
import type { PublishProperties } from "../codec/packets.ts";
import type { Authenticator } from "./authenticator.ts";
import type { ClientParts } from "./client-parts.ts";
import type { Mqtt5 } from "./mqtt5.ts";
import type { Settings } from "./options.ts";
import { missingInVersion4 } from "./refusals.ts";
import type { StoredSession } from "./stored-session.ts";

/** The parts that a client's connections need by its options: `connect` loads what is not there. */
export class NeededParts {
  readonly mqtt5: Lazy<Mqtt5>;
  /** Null without the option. */
  readonly authentication: Lazy<Authenticator> | null;
  /** Null without the option. */
  readonly store: Lazy<StoredSession> | null;
  /** While `load` is under way: settles with it. */
  loading: Promise<void> | null = null;
  readonly #settings: Settings;
  readonly #platform: Platform;

  /** @param onStoreFailed told of a write that failed and that nobody waits for */
  constructor(
    settings: Settings,
    platform: Platform,
    parts: ClientParts,
    onStoreFailed: (error: MessagingError) => void,
  ) {
    const { authentication, ackTimeoutMs, store } = settings;
    this.#settings = settings;
    this.#platform = platform;
    this.mqtt5 = lazy(parts.mqtt5, (code) => code);
    this.authentication =
      authentication === null
        ? null
        : lazy(parts.authentication, (Auth) => new Auth(authentication, platform.clock, ackTimeoutMs));
    this.store = store === null ? null : lazy(parts.store, (Session) => new Session(store, settings, onStoreFailed));
  }

  /** Loads what is missing; null when nothing is. @throws {MessagingError} ERR_LOAD_FAILED */
  load(): Promise<void> | null {
    const all = [this.#settings.protocolVersion === 4 ? null : this.mqtt5, this.authentication, this.store];
    const missing = all.filter((part) => part?.part === null);
    if (missing.length === 0) return null;
    const loading = Promise.all(missing.map((part) => part?.load()))
      .then(noop)
      .finally(() => {
        // A later `connect` may be loading by now.
        if (this.loading === loading) this.loading = null;
      });
    this.loading = loading;
    return loading;
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
