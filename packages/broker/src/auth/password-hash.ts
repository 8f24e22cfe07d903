import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { MessagingError } from "polymq/internal";

/** A parsed password hash. */
export interface PasswordHash {
  /** Binary logarithm of the cost N. */
  readonly costLog2: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** What new hashes cost: N = 2^14, r = 8, p = 1, which is some 50 ms and 16 MiB. */
const NEW_HASH = { costLog2: 14, blockSize: 8, parallelization: 1 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** A check may take this much memory at most. */
const MEMORY_BYTES_MAX = 268_435_456;

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/**
 * Makes a hash of a password for `users[].passwordHash`: scrypt (RFC 7914) with a random salt, as `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`
 * in base64 without padding.
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(Buffer.from(password), { ...NEW_HASH, salt, hash: new Uint8Array(HASH_BYTES) });
  const { costLog2, blockSize, parallelization } = NEW_HASH;
  return `$scrypt$ln=${costLog2},r=${blockSize},p=${parallelization}$${base64(salt)}$${base64(hash)}`;
}

/** Takes a hash apart. @throws {MessagingError} ERR_INVALID_OPTIONS for another form, or a cost beyond 256 MiB */
export function parsePasswordHash(text: string): PasswordHash {
  const parts = FORM.exec(text);
  if (parts === null)
    throw new MessagingError("ERR_INVALID_OPTIONS", "not of the form $scrypt$ln=14,r=8,p=1$salt$hash");
  const [costLog2 = 0, blockSize = 0, parallelization = 0] = parts.slice(1, 4).map(Number);
  const memoryBytes = 128 * 2 ** costLog2 * blockSize;
  if (costLog2 < 1 || blockSize < 1 || parallelization < 1 || memoryBytes > MEMORY_BYTES_MAX) {
    throw new MessagingError("ERR_INVALID_OPTIONS", "scrypt parameters out of range");
  }
  const [salt, hash] = parts.slice(4, 6).map((part) => new Uint8Array(Buffer.from(part, "base64")));
  if (salt === undefined || hash === undefined) throw new MessagingError("ERR_INVALID_OPTIONS", "salt or hash missing");
  return { costLog2, blockSize, parallelization, salt, hash };
}

/** A hash that no password has, as costly to check as a new one: for users that do not exist. */
export function decoyHash(): PasswordHash {
  return { ...NEW_HASH, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
}

/** Compares in constant time, off the main thread. */
export async function verifyPassword(password: Uint8Array, expected: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, expected), expected.hash);
}

function derive(password: Uint8Array, like: PasswordHash): Promise<Uint8Array> {
  const { costLog2, blockSize, parallelization } = like;
  const options = { N: 2 ** costLog2, r: blockSize, p: parallelization, maxmem: 2 * MEMORY_BYTES_MAX };
  return new Promise((resolve, reject) => {
    scrypt(password, like.salt, like.hash.length, options, (error, key) => {
      // Node says null where there is none, Bun undefined.
      if (error) reject(error);
      else resolve(key);
    });
  });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("=", "");
}
