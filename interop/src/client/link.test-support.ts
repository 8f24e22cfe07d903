import type { MqttClientOptions } from "polymq/mqtt";

/** Options that lead a client to a broker: address, certificates, credentials. */
export type Address = Pick<MqttClientOptions, "servers" | "tls" | "username" | "password">;

/** What a broker does less than the protocol allows, or as it pleases. */
export interface LinkLimits {
  /** Highest QoS that is carried end to end. */
  readonly qosMax: 1 | 2;
  /** Messages that one test sends in a row. */
  readonly burst: number;
  /** What the broker does with the will of a client that said DISCONNECT; the protocol wants it discarded (3.1.1 §3.14.4). */
  readonly willAfterDisconnect: "discarded" | "published";
}

/** One way to a real broker: which version of the protocol, and over what. */
export interface Link {
  readonly name: string;
  readonly level: 4 | 5;
  readonly limits: LinkLimits;
  /** Asked when a test runs, for the broker has its ports only then. */
  address(): Address;
}

/** Links over each of the transports, at each of the levels. */
export function linksOver(
  levels: readonly (4 | 5)[],
  transports: Readonly<Record<string, () => Address>>,
  limitsOf: (transport: string) => LinkLimits,
): readonly Link[] {
  return levels.flatMap((level) =>
    Object.entries(transports).map(([transport, address]) => ({
      name: `${level === 4 ? "3.1.1" : "5.0"} over ${transport}`,
      level,
      limits: limitsOf(transport),
      address,
    })),
  );
}
