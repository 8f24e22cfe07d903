import { type ScramHash, ScramServer } from "polymq/amqp10/engine";
import type { UserSettings } from "../../auth/auth-settings.ts";
import { NODE_SCRAM_CRYPTO, type ScramUser, type ScramUsers } from "../../auth/scram-users.ts";

/** Mechanisms by name, the strongest first. */
const HASHES: ReadonlyMap<string, ScramHash> = new Map([
  ["SCRAM-SHA-512", "SHA-512"],
  ["SCRAM-SHA-256", "SHA-256"],
  ["SCRAM-SHA-1", "SHA-1"],
]);

/** SCRAM mechanisms that are offered where users' passwords can be checked so. */
export const SCRAM_MECHANISMS: readonly string[] = [...HASHES.keys()];

const NONCE_BYTES = 18;

/** One client's login by SCRAM: `challenge` for its initial response, then `verify` of its answer. */
export class ScramLogin {
  readonly #users: ScramUsers;
  readonly #hash: ScramHash;
  readonly #server: ScramServer;
  #claimed: ScramUser | null = null;

  /** Null for a mechanism that is not offered. */
  static begin(
    mechanism: string,
    users: ScramUsers | null,
    randomBytes: (count: number) => Uint8Array,
  ): ScramLogin | null {
    const hash = HASHES.get(mechanism);
    if (hash === undefined || users === null) return null;
    const nonce = Buffer.from(randomBytes(NONCE_BYTES)).toString("base64");
    return new ScramLogin(users, hash, nonce);
  }

  private constructor(users: ScramUsers, hash: ScramHash, nonce: string) {
    this.#users = users;
    this.#hash = hash;
    this.#server = new ScramServer({ hash, nonce, hashes: NODE_SCRAM_CRYPTO });
  }

  /** Rejects with ERR_AUTH_FAILED for a response in another form. */
  async challenge(response: Uint8Array): Promise<Uint8Array> {
    this.#claimed = await this.#users.find(this.#hash, this.#server.first(response));
    return this.#server.challenge(this.#claimed.keys);
  }

  /** The user who knows the password, and the broker's own proof. Rejects with ERR_AUTH_FAILED where nobody does. */
  async verify(response: Uint8Array): Promise<{ readonly user: UserSettings | null; readonly proof: Uint8Array }> {
    const proof = await this.#server.final(response);
    return { user: this.#claimed?.user ?? null, proof };
  }
}
