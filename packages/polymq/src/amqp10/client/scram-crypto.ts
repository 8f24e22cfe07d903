import { MessagingError } from "../../base/errors.ts";
import type { ScramCrypto, ScramHash } from "../engine/scram.ts";

/** The part of the Web Cryptography API that SCRAM needs; Node, Bun, Deno and browsers (on secure pages) have it. */
interface Subtle {
  digest(hash: string, data: Uint8Array): Promise<ArrayBuffer>;
  importKey(
    format: "raw",
    key: Uint8Array,
    how: object | string,
    extractable: boolean,
    uses: string[],
  ): Promise<unknown>;
  sign(how: string, key: unknown, data: Uint8Array): Promise<ArrayBuffer>;
  deriveBits(how: object, key: unknown, bits: number): Promise<ArrayBuffer>;
}

const HASH_BITS: Readonly<Record<ScramHash, number>> = { "SHA-1": 160, "SHA-256": 256, "SHA-512": 512 };

/** SCRAM's hash functions from the runtime's Web Cryptography. @throws {MessagingError} ERR_UNSUPPORTED where there is none */
export function webScramCrypto(): ScramCrypto {
  const subtle = (globalThis as { readonly crypto?: { readonly subtle?: Subtle } }).crypto?.subtle;
  if (subtle === undefined)
    throw new MessagingError("ERR_UNSUPPORTED", "this runtime has no Web Cryptography for SCRAM");
  return {
    digest: async (hash, data) => new Uint8Array(await subtle.digest(hash, data)),
    hmac: async (hash, key, data) => {
      const imported = await subtle.importKey("raw", key, { name: "HMAC", hash }, false, ["sign"]);
      return new Uint8Array(await subtle.sign("HMAC", imported, data));
    },
    pbkdf2: async (hash, password, salt, iterations) => {
      const imported = await subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
      const how = { name: "PBKDF2", hash, salt, iterations };
      return new Uint8Array(await subtle.deriveBits(how, imported, HASH_BITS[hash]));
    },
  };
}
