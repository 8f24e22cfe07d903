import { asMessagingError, MessagingError } from "../../base/errors.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { SaslCode } from "../codec/conditions.ts";
import type { Engine } from "../engine/engine.ts";
import type { ConnectionSettings } from "./connection-settings.ts";
import type { ClientOwners } from "./owners.ts";
import { chooseMechanism, type SaslExchange } from "./sasl.ts";

/** Who hears of a step that took its time. */
export interface SaslDialogueOwner {
  /** Something is to be sent. */
  answered(): void;
  failed(error: MessagingError): void;
}

/** The client's side of SASL on one connection: chooses the mechanism, and carries its steps to the engine (§5.3). */
export class SaslDialogue {
  /** True when what we say is encrypted. */
  secure = false;
  readonly #engine: Engine<ClientOwners>;
  readonly #settings: ConnectionSettings;
  readonly #owner: SaslDialogueOwner;
  #exchange: SaslExchange | null = null;

  constructor(engine: Engine<ClientOwners>, settings: ConnectionSettings, owner: SaslDialogueOwner) {
    this.#engine = engine;
    this.#settings = settings;
    this.#owner = owner;
  }

  onMechanisms(offered: readonly string[]): void {
    this.#run(() => this.#choose(offered));
  }

  onChallenge(challenge: Uint8Array): void {
    this.#run(async () => {
      const response = await this.#exchange?.respond(challenge);
      this.#engine.saslRespond(response ?? NO_BYTES);
    });
  }

  /** The error of an outcome that is not to be content with, or null. */
  onOutcome(code: number, additionalData: Uint8Array | null): MessagingError | null {
    if (code !== SaslCode.ok) {
      return new MessagingError("ERR_AUTH_FAILED", `the server answered ${NAMES.get(code) ?? `with code ${code}`}`, {
        peer: { protocol: "amqp10", code, text: "" },
      });
    }
    try {
      this.#exchange?.verify?.(additionalData);
      return null;
    } catch (error) {
      return asMessagingError(error, "ERR_AUTH_FAILED");
    }
  }

  async #choose(offered: readonly string[]): Promise<void> {
    const { mechanisms, allowSecretsInClear, endpoint, platform, open } = this.#settings;
    const mayExpose = this.secure || allowSecretsInClear || isLoopback(endpoint.host);
    const mechanism = chooseMechanism(mechanisms ?? [], offered, mayExpose);
    const exchange = await mechanism.begin({
      host: endpoint.host,
      randomBytes: (count) => platform.randomBytes(count),
    });
    this.#exchange = exchange;
    this.#engine.saslInit(mechanism.name, exchange.initialResponse, open.hostname ?? null);
  }

  #run(step: () => Promise<void>): void {
    step().then(
      () => this.#owner.answered(),
      (error: unknown) => this.#owner.failed(asMessagingError(error, "ERR_AUTH_FAILED")),
    );
  }
}

/** True for the machine itself: nobody else listens there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [SaslCode.auth, "that it does not know these credentials"],
  [SaslCode.sys, "with a system error"],
  [SaslCode.sysPerm, "with a system error that will last"],
  [SaslCode.sysTemp, "with a system error that may pass"],
]);
