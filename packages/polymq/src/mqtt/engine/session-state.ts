import { InboundFlow } from "./inbound-flow.ts";
import { OutboundFlow } from "./outbound-flow.ts";

/**
 * What of an MQTT session lives longer than a connection: messages in flight in both directions (MQTT 5.0 §4.1). Owned by
 * the client or the broker's session and lent to the engine of the current connection.
 */
export class SessionState<Item> {
  readonly outbound: OutboundFlow<Item> = new OutboundFlow<Item>();
  readonly inbound: InboundFlow = new InboundFlow();
}
