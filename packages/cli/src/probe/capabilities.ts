import type { Client } from "polymq";
import { plainValue } from "./plain-value.ts";

/** What a server said of itself when a client connected. */
export interface ServerReport {
  /** Protocol with its version, such as `MQTT 5.0`. */
  readonly protocol: string;
  /** Whose ways of queues it has. */
  readonly dialect: string;
  /** Limits and abilities, by the protocol's own names. */
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** Facts about a connection that say nothing of the server. */
const NO_CAPABILITIES: ReadonlySet<string> = new Set(["assignedClientId", "authenticationData", "reasonString"]);

/** What the server behind a client can do, as far as the protocol tells. */
export function serverReport(client: Client): ServerReport {
  return { ...versionAndCapabilities(client), dialect: client.dialect };
}

function versionAndCapabilities(client: Client): Pick<ServerReport, "protocol" | "capabilities"> {
  if (client.is("mqtt")) {
    const { protocolVersion, serverCapabilities } = client.native;
    const protocol = protocolVersion === 5 ? "MQTT 5.0" : "MQTT 3.1.1";
    const said = Object.entries(serverCapabilities ?? {}).filter(([name]) => !NO_CAPABILITIES.has(name));
    return { protocol, capabilities: shown(said) };
  }
  if (client.is("amqp091")) {
    const { serverProperties, tuning } = client.native;
    return {
      protocol: "AMQP 0-9-1",
      capabilities: shown([...Object.entries(tuning ?? {}), ...Object.entries(serverProperties ?? {})]),
    };
  }
  if (client.is("amqp10")) return { protocol: "AMQP 1.0", capabilities: shown(Object.entries(client.native.peer)) };
  return { protocol: client.protocol, capabilities: {} };
}

/** Without what the server left open. */
function shown(facts: readonly (readonly [string, unknown])[]): Readonly<Record<string, unknown>> {
  const plain = facts.map(([name, value]) => [name, plainValue(value)] as const);
  return Object.fromEntries(plain.filter(([, value]) => value !== null && value !== "" && !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
