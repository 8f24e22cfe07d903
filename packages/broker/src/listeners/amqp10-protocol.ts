import {
  type Arrival,
  type Match,
  matchPrefix,
  type ProtocolConnection,
  type ProtocolFactory,
} from "./protocol-factory.ts";

/** Version 1.0.0, behind the four letters and the protocol's number (§2.2). */
const VERSION_AT = 5;
const VERSION = [1, 0, 0];

/** Protocol numbers: AMQP, TLS (which is refused, with the header that is taken), SASL. */
const IDS = [0, 2, 3];

/** AMQP 1.0: recognized by its header, or over WebSocket, whose subprotocol `amqp` it shares with 0-9-1, by that header as well. */
export function amqp10Protocol(accept: (arrival: Arrival) => ProtocolConnection): ProtocolFactory {
  return {
    name: "amqp10",
    schemes: { plain: "amqp10", secure: "amqp10s" },
    subprotocol: "amqp",
    bareWebSocket: "refuse",
    matches,
    accept,
  };
}

/**
 * For ports that serve AMQP 1.0 and no older one: whoever asks for another version is told which one is spoken here. To stand behind every protocol whose
 * clients begin with the same letters.
 */
export function anyAmqpProtocol(protocol: ProtocolFactory): ProtocolFactory {
  return { ...protocol, schemes: null, matches: (firstBytes) => matchPrefix(firstBytes, "AMQP") };
}

function matches(firstBytes: Uint8Array): Match {
  const letters = matchPrefix(firstBytes, "AMQP");
  if (letters !== "yes") return letters;
  const id = firstBytes[4];
  if (id !== undefined && !IDS.includes(id)) return "no";
  for (let i = 0; i < VERSION.length; i++) {
    const byte = firstBytes[VERSION_AT + i];
    if (byte === undefined) return "more";
    if (byte !== VERSION[i]) return "no";
  }
  return "yes";
}
