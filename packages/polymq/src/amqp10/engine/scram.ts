import { MessagingError } from "../../base/errors.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";

/** Hash functions of SCRAM mechanisms (RFC 5802, RFC 7677). */
export type ScramHash = "SHA-1" | "SHA-256" | "SHA-512";

/** What SCRAM needs of a platform's cryptography; handed in, for an engine has none. */
export interface ScramCrypto {
  /** The hash of the data. */
  digest(hash: ScramHash, data: Uint8Array): Promise<Uint8Array>;
  /** HMAC (RFC 2104). */
  hmac(hash: ScramHash, key: Uint8Array, data: Uint8Array): Promise<Uint8Array>;
  /** As many bytes as the hash has. */
  pbkdf2(hash: ScramHash, password: Uint8Array, salt: Uint8Array, iterations: number): Promise<Uint8Array>;
}

/** Rounds that a server may ask for. */
export const SCRAM_ITERATIONS_MAX = 1_000_000;

/** Rounds below which a password is not given to a server (RFC 7677 §4). */
export const SCRAM_ITERATIONS_LEAST = 4_096;

/** Settings of a {@link ScramClient}. */
export interface ScramOptions {
  readonly hash: ScramHash;
  readonly username: string;
  readonly password: string;
  /** Random text without commas, new for each exchange. */
  readonly nonce: string;
  readonly hashes: ScramCrypto;
}

/** The client's side of one SCRAM exchange without channel binding: `first`, then `final` of the challenge, then `verify` of the outcome. */
export class ScramClient {
  readonly #options: ScramOptions;
  readonly #firstBare: string;
  #serverSignature: Uint8Array | null = null;

  constructor(options: ScramOptions) {
    this.#options = options;
    const name = preparedCredential(options.username).replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#firstBare = `n=${name},r=${options.nonce}`;
  }

  /** The initial response (RFC 5802 §5). */
  first(): Uint8Array {
    return utf8(`n,,${this.#firstBare}`);
  }

  /** The answer to the server's first message. @throws {MessagingError} ERR_AUTH_FAILED for one that is wrong or asks for too much */
  async final(challenge: Uint8Array): Promise<Uint8Array> {
    const { hash, nonce, password, hashes } = this.#options;
    const serverFirst = text(challenge);
    const fields = attributes(serverFirst);
    const theirs = fields.get("r") ?? "";
    const iterations = Number(fields.get("i"));
    const salt = fromBase64(fields.get("s") ?? "");
    if (fields.has("m")) throw failed("the server asks for an extension");
    if (!theirs.startsWith(nonce) || theirs.length === nonce.length)
      throw failed("the server's nonce is not ours and more");
    if (salt.length === 0) throw failed("the server sent no salt");
    if (!(Number.isInteger(iterations) && iterations >= SCRAM_ITERATIONS_LEAST && iterations <= SCRAM_ITERATIONS_MAX)) {
      throw failed(`the server asks for ${fields.get("i")} iterations`);
    }
    const salted = await hashes.pbkdf2(hash, utf8(preparedCredential(password)), salt, iterations);
    const clientKey = await hashes.hmac(hash, salted, utf8("Client Key"));
    const stored = await hashes.digest(hash, clientKey);
    const withoutProof = `c=biws,r=${theirs}`;
    const all = utf8(`${this.#firstBare},${serverFirst},${withoutProof}`);
    const signature = await hashes.hmac(hash, stored, all);
    this.#serverSignature = await hashes.hmac(hash, await hashes.hmac(hash, salted, utf8("Server Key")), all);
    const proof = clientKey.map((byte, i) => byte ^ (signature[i] as number));
    return utf8(`${withoutProof},p=${toBase64(proof)}`);
  }

  /** Checks the server's last message. @throws {MessagingError} ERR_AUTH_FAILED when the server does not know the password */
  verify(serverFinal: Uint8Array): void {
    const fields = attributes(text(serverFinal));
    const theirs = fromBase64(fields.get("v") ?? "");
    const ours = this.#serverSignature;
    if (ours === null || theirs.length !== ours.length) throw failed(fields.get("e") ?? "the server sent no signature");
    let difference = 0;
    for (let i = 0; i < ours.length; i++) difference |= (ours[i] as number) ^ (theirs[i] as number);
    if (difference !== 0) throw failed("the server's signature is wrong");
  }
}

/** PLAIN (RFC 4616): authorization identity, name and password in UTF-8. @throws {MessagingError} ERR_INVALID_ARGUMENT for a NUL in one */
export function plainResponse(username: string, password: string, authorize = ""): Uint8Array {
  if (`${username}${password}${authorize}`.includes("\0")) {
    throw new MessagingError("ERR_INVALID_ARGUMENT", "credentials must not contain U+0000");
  }
  return utf8(`${authorize}\0${username}\0${password}`);
}

/** XOAUTH2's initial response. */
export function xoauth2Response(username: string, token: string): Uint8Array {
  return utf8(`user=${username}\x01auth=Bearer ${token}\x01\x01`);
}

/** OAUTHBEARER's initial response (RFC 7628 §3.1). */
export function oauthBearerResponse(username: string, token: string): Uint8Array {
  const name = username.replaceAll("=", "=3D").replaceAll(",", "=2C");
  return utf8(`n,${name === "" ? "" : `a=${name}`},\x01auth=Bearer ${token}\x01\x01`);
}

/** Names and passwords as both sides must see them (RFC 4013): compatibility forms united, spaces plain. */
export function preparedCredential(value: string): string {
  const mapped = value
    .replaceAll(/[\u00ad\u200b-\u200d\u2060\ufeff]/g, "")
    .replaceAll(/[\u00a0\u2000-\u200a\u202f\u205f\u3000]/g, " ");
  const normal = mapped.normalize("NFKC");
  for (let i = 0; i < normal.length; i++) {
    const unit = normal.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f)
      throw new MessagingError("ERR_INVALID_ARGUMENT", "credentials with a control character");
  }
  return normal;
}

function attributes(message: string): Map<string, string> {
  return new Map(message.split(",").map((part) => [part.slice(0, 1), part.slice(2)]));
}

function failed(what: string): MessagingError {
  return new MessagingError("ERR_AUTH_FAILED", what);
}

function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(value: string): Uint8Array {
  try {
    return Uint8Array.from(atob(value), (unit) => unit.charCodeAt(0));
  } catch {
    return NO_BYTES;
  }
}
