import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import type { ScramCrypto, ScramHash } from "./scram.ts";

const LENGTHS = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 };
const name = (hash: ScramHash): string => hash.replace("-", "").toLowerCase();

/** SCRAM's hash functions from Node. */
export const hashes: ScramCrypto = {
  digest: async (hash, data) => createHash(name(hash)).update(data).digest(),
  hmac: async (hash, key, data) => createHmac(name(hash), key).update(data).digest(),
  pbkdf2: async (hash, password, salt, rounds) => pbkdf2Sync(password, salt, rounds, LENGTHS[hash], name(hash)),
};
