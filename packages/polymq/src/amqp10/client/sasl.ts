import { MessagingError } from "../../base/errors.ts";
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { oauthBearerResponse, plainResponse, ScramClient, type ScramHash, xoauth2Response } from "../engine/scram.ts";
import { webScramCrypto } from "./scram-crypto.ts";

/** What a mechanism may need of the connection that it authenticates. */
export interface SaslContext {
  /** The host that was dialled. */
  readonly host: string;
  /** Unpredictable bytes. */
  randomBytes(count: number): Uint8Array;
}

/** One exchange of one mechanism (§5.3.2). What it throws ends the attempt to connect. */
export interface SaslExchange {
  /** Sent with the choice of the mechanism; null for none. */
  readonly initialResponse: Uint8Array | null;
  /** Answers a challenge. */
  respond(challenge: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** The server is content; `additionalData` came with its outcome. Throws when we are not. */
  verify?(additionalData: Uint8Array | null): void;
}

/** A SASL mechanism as a client sees it: one of those here, or the caller's own. */
export interface SaslMechanism {
  /** As the server names it. */
  readonly name: string;
  /** True when whoever reads the connection learns the secret: such a mechanism is not used in the clear to another host. */
  readonly exposesSecret: boolean;
  /** Begins an exchange; called once per connection. */
  begin(context: SaslContext): SaslExchange | Promise<SaslExchange>;
}

/** A token, or what fetches one for each connection. */
export type SaslToken = string | (() => string | Promise<string>);

/** ANONYMOUS (RFC 4505). @param trace told to the server for its logs */
export function saslAnonymous(trace = ""): SaslMechanism {
  return oneStep("ANONYMOUS", false, () => new TextEncoder().encode(trace));
}

/** PLAIN (RFC 4616). @param authorize identity to act as; default: the one that the user name stands for */
export function saslPlain(username: string, password: string, authorize = ""): SaslMechanism {
  return oneStep("PLAIN", true, () => plainResponse(username, password, authorize));
}

/** EXTERNAL (RFC 4422 appendix A): the server knows us by other means, such as a client certificate. */
export function saslExternal(authorize = ""): SaslMechanism {
  return oneStep("EXTERNAL", false, () => new TextEncoder().encode(authorize));
}

/** XOAUTH2, as Google's and Microsoft's servers take it. */
export function saslXoauth2(username: string, token: SaslToken): SaslMechanism {
  return oneStep("XOAUTH2", true, async () => xoauth2Response(username, await tokenOf(token)));
}

/** OAUTHBEARER (RFC 7628). @param username may be "" */
export function saslOauthBearer(username: string, token: SaslToken): SaslMechanism {
  return oneStep(
    "OAUTHBEARER",
    true,
    async () => oauthBearerResponse(username, await tokenOf(token)),
    OAUTH_BEARER_END,
  );
}

/** SCRAM-SHA-1, SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677), without channel binding. The server has to prove that it knows the password. */
export function saslScram(hash: ScramHash, username: string, password: string): SaslMechanism {
  return {
    name: `SCRAM-${hash}`,
    exposesSecret: false,
    begin: (context) => {
      const nonce = hexOf(context.randomBytes(18));
      return new ScramExchange(new ScramClient({ hash, username, password, nonce, hashes: webScramCrypto() }));
    },
  };
}

/** What user name and password are good for, best first: SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN. */
export function passwordMechanisms(username: string, password: string): readonly SaslMechanism[] {
  return [
    saslScram("SHA-512", username, password),
    saslScram("SHA-256", username, password),
    saslScram("SHA-1", username, password),
    saslPlain(username, password),
  ];
}

/**
 * The first of ours that the server offers and that is fit for the connection.
 * @throws {MessagingError} ERR_AUTH_FAILED when there is none
 */
export function chooseMechanism(
  ours: readonly SaslMechanism[],
  offered: readonly string[],
  mayExpose: boolean,
): SaslMechanism {
  const common = ours.filter((mechanism) => offered.includes(mechanism.name));
  const chosen = common.find((mechanism) => mayExpose || !mechanism.exposesSecret);
  if (chosen !== undefined) return chosen;
  if (common.length > 0) {
    const names = common.map((mechanism) => mechanism.name).join(", ");
    throw new MessagingError("ERR_AUTH_FAILED", `${names} would send a secret in the clear; use TLS, or allow it`);
  }
  throw new MessagingError(
    "ERR_AUTH_FAILED",
    `the server offers ${offered.join(", ") || "no mechanism"}, we have ${ours.map((each) => each.name).join(", ")}`,
  );
}

class ScramExchange implements SaslExchange {
  readonly initialResponse: Uint8Array;
  readonly #client: ScramClient;
  #step: "first" | "final" | "verified" = "first";

  constructor(client: ScramClient) {
    this.#client = client;
    this.initialResponse = client.first();
  }

  async respond(challenge: Uint8Array): Promise<Uint8Array> {
    if (this.#step === "first") {
      this.#step = "final";
      return this.#client.final(challenge);
    }
    // Some servers send their proof as a challenge of its own, before the outcome.
    this.#client.verify(challenge);
    this.#step = "verified";
    return NO_BYTES;
  }

  verify(additionalData: Uint8Array | null): void {
    if (this.#step !== "verified") this.#client.verify(additionalData ?? NO_BYTES);
  }
}

/** What a client answers to the details of a refusal (RFC 7628 §3.2.3). */
const OAUTH_BEARER_END: Uint8Array = Uint8Array.of(1);

/** A mechanism that says everything at once; every challenge, which can only be an error's details, has the same answer. */
function oneStep(
  name: string,
  exposesSecret: boolean,
  response: () => Uint8Array | Promise<Uint8Array>,
  last: Uint8Array = NO_BYTES,
): SaslMechanism {
  return {
    name,
    exposesSecret,
    begin: async () => ({ initialResponse: await response(), respond: () => last }),
  };
}

async function tokenOf(token: SaslToken): Promise<string> {
  return typeof token === "string" ? token : token();
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
