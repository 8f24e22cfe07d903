import type { TransportInfo } from "polymq/internal";

/** One client that is connected, at one moment. */
export interface ConnectionInspection {
  /** Unique among the connections that are open. */
  readonly id: string;
  /** Name of the protocol, such as `mqtt`. */
  readonly protocol: string;
  /** Such as `5.0`. */
  readonly protocolVersion: string;
  /** MQTT's client id, AMQP 1.0's container, or AMQP 0-9-1's connection name, where there is one; else `id`. */
  readonly clientId: string;
  /** Its authenticated name, or "" when it is anonymous. */
  readonly user: string;
  readonly transport: "tcp" | "tls" | "websocket" | "memory";
  readonly secure: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Bytes that wait for the client to take them. */
  readonly unsentBytes: number;
}

/** What a session layer knows of one of its connections. */
export interface ConnectionFacts
  extends Pick<ConnectionInspection, "id" | "protocol" | "protocolVersion" | "clientId" | "user" | "unsentBytes"> {
  readonly transport: TransportInfo;
}

/** Puts a {@link ConnectionInspection} together. */
export function inspectConnection({ transport, ...facts }: ConnectionFacts): ConnectionInspection {
  const { kind, secure, remoteAddress, remotePort } = transport;
  return { ...facts, transport: kind, secure, remoteAddress, remotePort };
}
