import { MessagingError } from "../../base/errors.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { preparedCredential, type ScramCrypto, type ScramHash } from "./scram.ts";

/** What a server keeps of a password (RFC 5802 §3): enough to check it, not to use it elsewhere. */
export interface ScramKeys {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** How keys are made of a password. */
export interface ScramKeyOptions {
  readonly hash: ScramHash;
  readonly password: string;
  readonly salt: Uint8Array;
  /** 4,096 at least (RFC 7677 §4). */
  readonly iterations: number;
  readonly hashes: ScramCrypto;
}

/** The keys of a password. @throws {MessagingError} ERR_INVALID_ARGUMENT for a password with control characters */
export async function scramKeys({ hash, password, salt, iterations, hashes }: ScramKeyOptions): Promise<ScramKeys> {
  const salted = await hashes.pbkdf2(hash, utf8(preparedCredential(password)), salt, iterations);
  const storedKey = await hashes.digest(hash, await hashes.hmac(hash, salted, utf8("Client Key")));
  return { salt, iterations, storedKey, serverKey: await hashes.hmac(hash, salted, utf8("Server Key")) };
}

/** Settings of a {@link ScramServer}. */
export interface ScramServerOptions {
  readonly hash: ScramHash;
  /** Random text without commas, new for each exchange; it follows the client's own. */
  readonly nonce: string;
  readonly hashes: ScramCrypto;
}

/** Most bytes of a client's message: a name and a nonce, or a nonce and a proof. */
const MESSAGE_BYTES_MAX = 4_096;

/** Printable ASCII but for commas (RFC 5802 §7). */
const NONCE = /^[!-+\--~]+$/;

/** The server's side of one SCRAM exchange without channel binding: `first` of the initial response, `challenge`, then `final` of the answer. */
export class ScramServer {
  readonly #options: ScramServerOptions;
  #bare = "";
  #nonce = "";
  #gs2 = "";
  #serverFirst = "";
  #keys: ScramKeys | null = null;

  constructor(options: ScramServerOptions) {
    this.#options = options;
  }

  /**
   * Takes the client's first message and returns the name that it claims.
   * @throws {MessagingError} ERR_AUTH_FAILED for one that is wrong, asks for channel binding or an extension, or acts for another name
   */
  first(message: Uint8Array): string {
    const found = /^([ny]),(?:a=([^,]*))?,(n=([^,]*),r=([^,]*)(?:,.*)?)$/s.exec(text(message));
    if (found === null) throw failed("no first message without channel binding and extensions");
    const [, flag = "", authorize, bare = "", name = "", nonce = ""] = found;
    if (!NONCE.test(nonce)) throw failed("the client's nonce is none");
    const username = unescaped(name);
    if (username === "") throw failed("the client names nobody");
    if (authorize !== undefined && authorize !== "" && unescaped(authorize) !== username) {
      throw failed("the client wants to act for somebody else");
    }
    this.#gs2 = `${flag},${authorize === undefined ? "" : `a=${authorize}`},`;
    this.#bare = bare;
    this.#nonce = nonce + this.#options.nonce;
    return username;
  }

  /** The challenge for a client whose password has these keys. */
  challenge(keys: ScramKeys): Uint8Array {
    this.#keys = keys;
    this.#serverFirst = `r=${this.#nonce},s=${toBase64(keys.salt)},i=${keys.iterations}`;
    return utf8(this.#serverFirst);
  }

  /**
   * Checks the client's proof, and returns the server's own, which goes out with the outcome.
   * @throws {MessagingError} ERR_AUTH_FAILED when the client does not know the password
   */
  async final(message: Uint8Array): Promise<Uint8Array> {
    const { hash, hashes } = this.#options;
    const keys = this.#keys;
    const said = text(message);
    const found = /^c=([^,]*),r=([^,]*)(?:,.*)?,p=([^,]*)$/s.exec(said);
    if (found === null || keys === null) throw failed("no final message");
    const [, binding = "", nonce = "", proof = ""] = found;
    if (binding !== toBase64(utf8(this.#gs2))) throw failed("another header than in the first message");
    if (nonce !== this.#nonce) throw failed("another nonce");
    const withoutProof = said.slice(0, said.length - proof.length - ",p=".length);
    const all = utf8(`${this.#bare},${this.#serverFirst},${withoutProof}`);
    const signature = await hashes.hmac(hash, keys.storedKey, all);
    const proven = fromBase64(proof);
    if (proven.length !== signature.length) throw failed("the client's proof has another length");
    const clientKey = proven.map((byte, i) => byte ^ (signature[i] as number));
    const stored = await hashes.digest(hash, clientKey);
    let difference = 0;
    for (let i = 0; i < stored.length; i++) difference |= (stored[i] as number) ^ (keys.storedKey[i] as number);
    if (difference !== 0) throw failed("the client's proof is wrong");
    return utf8(`v=${toBase64(await hashes.hmac(hash, keys.serverKey, all))}`);
  }
}

/** A name whose commas and equals signs were escaped (RFC 5802 §5.1). */
function unescaped(name: string): string {
  if (/=(?!2C|3D)/.test(name)) throw failed("a name with an equals sign that is not escaped");
  return name.replaceAll("=2C", ",").replaceAll("=3D", "=");
}

function failed(what: string): MessagingError {
  return new MessagingError("ERR_AUTH_FAILED", what);
}

function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(bytes: Uint8Array): string {
  if (bytes.length > MESSAGE_BYTES_MAX) throw failed(`a message of more than ${MESSAGE_BYTES_MAX} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MessagingError("ERR_AUTH_FAILED", "a message that is not UTF-8", { cause });
  }
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
