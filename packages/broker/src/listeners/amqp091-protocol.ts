import { type Arrival, matchPrefix, type ProtocolConnection, type ProtocolFactory } from "./protocol-factory.ts";

/**
 * AMQP 0-9-1: recognized by the four letters that every AMQP begins with (§4.2.2), or by the WebSocket subprotocol `amqp`, or none. Who asks for a version that no
 * protocol before it in the list has claimed is told which one is spoken here.
 */
export function amqp091Protocol(accept: (arrival: Arrival) => ProtocolConnection): ProtocolFactory {
  return {
    name: "amqp091",
    schemes: { plain: "amqp", secure: "amqps" },
    subprotocol: "amqp",
    // No specification gives it a subprotocol, and clients in browsers (amqp-client.js) name none.
    bareWebSocket: "accept",
    matches: (firstBytes) => matchPrefix(firstBytes, "AMQP"),
    accept,
  };
}
