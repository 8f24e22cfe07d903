import { randomBytes } from "node:crypto";
import type { KeyPair } from "../harness/make-certificates.ts";

/** The broker that peers are pointed at. What is left out cannot be tried, and the scenarios that want it say so. */
export interface PeerTarget {
  readonly host: string;
  /** Plain TCP; lets anonymous clients in and allows them every topic. */
  readonly port: number;
  /** Plain WebSocket, path included, such as `ws://127.0.0.1:8080/mqtt`. */
  readonly wsUrl?: string;
  readonly tls?: TlsTarget;
  readonly login?: LoginTarget;
}

/** TLS listeners, whose certificate is good for `localhost` and for the target's host. */
export interface TlsTarget {
  readonly port: number;
  readonly caFile: string;
  /** An authority that the peer must not accept the server under. */
  readonly untrustedCaFile: string;
  /** A listener that requires a client certificate. */
  readonly mutual?: { readonly port: number; readonly client: KeyPair; readonly untrustedClient: KeyPair };
  readonly wssUrl?: string;
}

/** A plain TCP listener that lets nobody in but this user. */
export interface LoginTarget {
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

/**
 * What a scenario cannot do without: a listener that the target may lack, or something that a broker may leave out
 * without a breach of the specification:
 * - `client-topic-alias`: takes topic aliases from clients (MQTT 5.0 §3.2.2.3.8)
 * - `server-topic-alias`: sends topic aliases to clients that allow them (§3.1.2.11.5)
 * - `merged-overlaps`: one copy for overlapping subscriptions, with every subscription identifier (§3.3.4)
 * - `sys-topics`: statistics below `$SYS/`
 */
export type Need =
  | "websocket"
  | "tls"
  | "mutual-tls"
  | "wss"
  | "login"
  | "client-topic-alias"
  | "server-topic-alias"
  | "merged-overlaps"
  | "sys-topics";

/** One thing that a real peer does with a broker. */
export interface Scenario {
  readonly name: string;
  readonly needs: readonly Need[];
  /** Resolves when the broker did all that was expected, and rejects at the first difference. Cleans up after itself. */
  run(target: PeerTarget): Promise<void>;
}

/** The first need of the scenario that is not among what the broker and its listeners have, or undefined. */
export function missingNeed(scenario: Scenario, available: readonly Need[]): Need | undefined {
  return scenario.needs.find((need) => !available.includes(need));
}

/** A name that no other scenario, run or file uses: for topics and client identifiers. At most 23 characters. */
export function uniqueName(label: string): string {
  return `${label.slice(0, 10)}-${randomBytes(6).toString("hex")}`;
}

/** The part of the target that a scenario with that need may rely on. */
export function given<T>(part: T | undefined, need: Need): T {
  if (part === undefined) throw new Error(`the target has no ${need}; ask missingNeed before running a scenario`);
  return part;
}
