import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { preparedCredential, type ScramCrypto, type ScramHash, type ScramKeys, scramKeys } from "polymq/amqp10/engine";
import type { UserSettings } from "./auth-settings.ts";

/** Rounds of the password's hash. */
const ITERATIONS = 10_000;
const SALT_BYTES = 16;

const NAMES: Readonly<Record<ScramHash, string>> = { "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512" };
const HASH_BYTES: Readonly<Record<ScramHash, number>> = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 };

/** SCRAM's hash functions; passwords are hashed off the main thread. */
export const NODE_SCRAM_CRYPTO: ScramCrypto = {
  digest: (hash, data) => Promise.resolve(new Uint8Array(createHash(NAMES[hash]).update(data).digest())),
  hmac: (hash, key, data) => Promise.resolve(new Uint8Array(createHmac(NAMES[hash], key).update(data).digest())),
  pbkdf2: (hash, password, salt, iterations) =>
    new Promise((resolve, reject) => {
      pbkdf2(password, salt, iterations, HASH_BYTES[hash], NAMES[hash], (error, key) => {
        if (error) reject(error);
        else resolve(new Uint8Array(key));
      });
    }),
};

/** Whom a client claims to be, and what a proof of that is checked against; nobody where there is no such user. */
export interface ScramUser {
  readonly user: UserSettings | null;
  readonly keys: ScramKeys;
}

/**
 * What SCRAM needs of the users of the options. Their keys are made of all passwords when the first client asks for that hash function, so that an answer
 * takes the same time whether there is such a user or not; a name that nobody has gets a salt of its own, always the same.
 */
export class ScramUsers {
  readonly #users: readonly UserSettings[];
  readonly #secret: Uint8Array = randomBytes(32);
  readonly #keys = new Map<ScramHash, Promise<ReadonlyMap<string, ScramUser>>>();

  /** Null unless every user has a password that can be read: a client that has a choice would take SCRAM and be refused. */
  static of(users: readonly UserSettings[]): ScramUsers | null {
    const isReadable = users.length > 0 && users.every(({ password }) => password !== null);
    return isReadable ? new ScramUsers(users) : null;
  }

  private constructor(users: readonly UserSettings[]) {
    this.#users = users;
  }

  /** @param username as the client has prepared it (RFC 4013) */
  async find(hash: ScramHash, username: string): Promise<ScramUser> {
    let all = this.#keys.get(hash);
    if (all === undefined) {
      all = this.#keysOf(hash);
      this.#keys.set(hash, all);
    }
    return (await all).get(username) ?? this.#nobody(hash, username);
  }

  async #keysOf(hash: ScramHash): Promise<ReadonlyMap<string, ScramUser>> {
    const found = new Map<string, ScramUser>();
    for (const user of this.#users) {
      const { username, password } = user;
      if (password === null) continue;
      try {
        const salt = this.#saltOf(hash, username);
        const keys = await scramKeys({ hash, password, salt, iterations: ITERATIONS, hashes: NODE_SCRAM_CRYPTO });
        found.set(preparedCredential(username), { user, keys });
      } catch {
        // A name or password with control characters, which SCRAM has not: such a user comes in with PLAIN.
      }
    }
    return found;
  }

  /** Keys that no password has. */
  #nobody(hash: ScramHash, username: string): ScramUser {
    const none = new Uint8Array(randomBytes(HASH_BYTES[hash]));
    const keys = { salt: this.#saltOf(hash, username), iterations: ITERATIONS, storedKey: none, serverKey: none };
    return { user: null, keys };
  }

  #saltOf(hash: ScramHash, username: string): Uint8Array {
    const mac = createHmac("sha256", this.#secret).update(`${hash}\0${username}`).digest();
    return new Uint8Array(mac.subarray(0, SALT_BYTES));
  }
}
