import { diagnostics } from "../base/diagnostics.ts";
import { Emitter } from "../base/emitter.ts";
import { isMessagingError, MessagingError } from "../base/errors.ts";
import type { Adapter, Tell } from "./adapter.ts";
import type { Client } from "./client.ts";
import type { ClientEvent } from "./events.ts";
import type { ClientOptions } from "./options.ts";
import type { Protocol, ProtocolChoice, ProtocolFor, Urls } from "./protocol.ts";
import { type Target, targetOf } from "./target.ts";
import { UnifiedClient } from "./unified-client.ts";

/** Loads a protocol's code and connects; one for each protocol that the runtime has. */
export type Connectors = {
  readonly [P in Protocol]?: (target: Target, tell: Tell) => Promise<Adapter>;
};

/** `connect` of the entry points; see there. */
export interface Connect {
  <const Url extends Urls, const Choice extends ProtocolChoice | "scheme" = "scheme">(
    url: Url,
    options?: ClientOptions & { readonly protocol?: Choice },
  ): Promise<Client<ProtocolFor<Url, Choice>>>;
  <const Url extends Urls, const Choice extends ProtocolChoice | "scheme" = "scheme">(
    options: ClientOptions & { readonly url: Url; readonly protocol?: Choice },
  ): Promise<Client<ProtocolFor<Url, Choice>>>;
}

/** Connects with a runtime's connectors. */
export async function connectWith(
  connectors: Connectors,
  where: Urls | (ClientOptions & { readonly url: Urls }),
  options: ClientOptions,
): Promise<UnifiedClient> {
  const inOne = typeof where === "object" && where !== null && !Array.isArray(where);
  const given = inOne ? (where as ClientOptions & { readonly url: Urls }) : options;
  const target = targetOf(inOne ? (where as { readonly url: Urls }).url : (where as Urls), given, randomId);
  const events = new Emitter<ClientEvent>(report);
  const tell: Tell = (event) => events.emit(event);
  return new UnifiedClient(await open(connectors, target, tell), events);
}

async function open(connectors: Connectors, target: Target, tell: Tell): Promise<Adapter> {
  try {
    return await connectorOf(connectors, target.protocol)(target, tell);
  } catch (error) {
    if (!answeredWithAmqp10(error)) throw error;
    if (target.successor === "follow") return await connectorOf(connectors, "amqp10")(target, tell);
    const hint = `the server speaks AMQP 1.0: use ${target.urls.map(tenOf).join(", ")} or protocol "auto"`;
    throw new MessagingError("ERR_NOT_SUPPORTED_BY_SERVER", hint, { cause: error, ...peerOf(error) });
  }
}

function connectorOf(connectors: Connectors, protocol: Protocol): NonNullable<Connectors[Protocol]> {
  const connector = connectors[protocol];
  if (connector !== undefined) return connector;
  throw new MessagingError("ERR_UNSUPPORTED", `there is no client for ${protocol} here`);
}

/** True for the error of a server that answered AMQP 0-9-1 with the header of AMQP 1.0, or of its SASL layer. */
function answeredWithAmqp10(error: unknown): boolean {
  return isMessagingError(error) && error.peer?.protocol === "amqp091" && AMQP10.includes(error.peer.code);
}

const AMQP10: readonly unknown[] = ["AMQP 0 1 0 0", "AMQP 3 1 0 0"];

function peerOf(error: unknown): { readonly peer?: NonNullable<MessagingError["peer"]> } {
  return isMessagingError(error) && error.peer !== null ? { peer: error.peer } : {};
}

/** The address without what is secret in it, with the scheme of AMQP 1.0. */
function tenOf(url: string): string {
  return url.replace(/^amqp(s?):\/\/(?:[^/@]*@)?/i, "amqp10$1://");
}

function randomId(): string {
  return `polymq-${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

/** What a listener of the application threw. */
function report(error: unknown, event: ClientEvent): void {
  const { warning } = diagnostics();
  if (warning.hasSubscribers) {
    warning.publish({ component: "client", message: `a listener of ${event.type} failed`, error });
  }
}
