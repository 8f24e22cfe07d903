import { randomBytes } from "node:crypto";
import type { KeyPair } from "../harness/make-certificates.ts";

/** A server that Debian's clients are pointed at. */
export interface DebianTarget {
  readonly host: string;
  /** Plain TCP, where `guest` with the password `guest` may do everything. */
  readonly port: number;
  /** TLS under `caFile`, where EXTERNAL takes the user from the client's certificate. Its names include `localhost`. */
  readonly tls: { readonly port: number; readonly caFile: string; readonly client: KeyPair };
  /** A plain listener that lets in this user, and no other password. */
  readonly login: { readonly port: number; readonly username: string; readonly password: string };
}

/** One thing that a client does with a server. */
export interface DebianScenario {
  readonly name: string;
  /** Resolves when the server did all that was expected, and rejects at the first difference. */
  run(target: DebianTarget): Promise<void>;
}

/** A name that no other scenario or run uses. */
export function ownName(label: string): string {
  return `${label}-${randomBytes(6).toString("hex")}`;
}

/** The plain listener, as clients take it. */
export function urlOf(target: DebianTarget, port: number = target.port): string {
  return `amqp://guest:guest@${target.host}:${port}/%2F`;
}
