import type { Arrival, ProtocolConnection, ProtocolFactory } from "./protocol-factory.ts";

/** The first byte of CONNECT, which has to be a client's first packet [MQTT-3.1.0-1] [MQTT-2.1.3-1]. */
const CONNECT_FIRST_BYTE = 0x10;

/** MQTT 3.1.1 and 5.0: recognized by the first byte of CONNECT, or by the WebSocket subprotocol `mqtt` [MQTT-6.0.0-3]. */
export function mqttProtocol(accept: (arrival: Arrival) => ProtocolConnection): ProtocolFactory {
  return {
    name: "mqtt",
    schemes: { plain: "mqtt", secure: "mqtts" },
    subprotocol: "mqtt",
    bareWebSocket: "refuse",
    matches: (firstBytes) => (firstBytes[0] === CONNECT_FIRST_BYTE ? "yes" : "no"),
    accept,
  };
}
