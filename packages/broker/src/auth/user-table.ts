import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Deque } from "polymq/internal";
import type { UserSettings } from "./auth-settings.ts";
import { decoyHash, type PasswordHash, parsePasswordHash, verifyPassword } from "./password-hash.ts";

/** What became of a password check; `busy` when too many are waiting. */
export type UserCheck =
  | { readonly is: "user"; readonly user: UserSettings }
  | { readonly is: "wrong" }
  | { readonly is: "busy" };

/** Checks of hashed passwords that run at a time: each takes a thread that file access needs as well. */
const CHECKS_RUNNING_MAX = 2;
/** Checks that wait; at some 50 ms each a longer wait would outlast the client's patience. */
const CHECKS_WAITING_MAX = 256;

interface Entry {
  readonly user: UserSettings;
  readonly hash: PasswordHash | null;
  /** Keyed digest of the right password: known from the start without a hash, else after the first good check. */
  digest: Uint8Array | null;
}

/**
 * The users of the options. Passwords are compared by keyed digests in constant time, and an unknown user costs as much as a known one.
 * A hashed password is computed once per process; later connections of its user are let in by the digest.
 */
export class UserTable {
  readonly #key: Uint8Array = randomBytes(32);
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #decoy: Entry;
  readonly #waiting = new Deque<() => void>();
  #running = 0;

  /** @throws {MessagingError} ERR_INVALID_OPTIONS for a password hash in a wrong form */
  constructor(users: readonly UserSettings[]) {
    this.#entries = new Map(users.map((user) => [user.username, this.#entryOf(user)]));
    const isHashed = users.some((user) => user.passwordHash !== null);
    const nobody: UserSettings = { username: "", password: null, passwordHash: null, publish: [], subscribe: [] };
    this.#decoy = { user: nobody, hash: isHashed ? decoyHash() : null, digest: randomBytes(32) };
  }

  /** Checks a password; a promise only when it has to be hashed. */
  check(username: string, password: Uint8Array): UserCheck | Promise<UserCheck> {
    const entry = this.#entries.get(username) ?? this.#decoy;
    const digest = this.#digest(password);
    if (entry.digest !== null && timingSafeEqual(digest, entry.digest)) return { is: "user", user: entry.user };
    if (entry.hash === null) return { is: "wrong" };
    return this.#checkHash(entry, entry.hash, password);
  }

  async #checkHash(entry: Entry, hash: PasswordHash, password: Uint8Array): Promise<UserCheck> {
    if (this.#running >= CHECKS_RUNNING_MAX) {
      if (this.#waiting.length >= CHECKS_WAITING_MAX) return { is: "busy" };
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      if (!(await verifyPassword(password, hash))) return { is: "wrong" };
      entry.digest = this.#digest(password);
      return { is: "user", user: entry.user };
    } finally {
      // A check that waited takes over the place of the one that ends.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #entryOf(user: UserSettings): Entry {
    const { password, passwordHash } = user;
    const hash = passwordHash === null ? null : parsePasswordHash(passwordHash);
    return { user, hash, digest: password === null ? null : this.#digest(Buffer.from(password)) };
  }

  #digest(password: Uint8Array): Uint8Array {
    return createHmac("sha256", this.#key).update(password).digest();
  }
}
