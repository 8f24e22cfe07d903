import { expect } from "vitest";
import { type AckSink, Arrival, InboundFlow } from "./inbound-flow.ts";

/** Notes acknowledgements as `a1` (PUBACK), `r2` (PUBREC), with a reason code as `r2:0x87`. */
export class Acks implements AckSink {
  list: string[] = [];

  sendAck(packetId: number, exactlyOnce: boolean, reasonCode: number): void {
    this.list.push(`${exactlyOnce ? "r" : "a"}${packetId}${reasonCode === 0 ? "" : `:0x${reasonCode.toString(16)}`}`);
  }

  take(): string[] {
    const list = this.list;
    this.list = [];
    return list;
  }
}

/** A flow on its first connection, and what it sends. */
export function opened(receiveMaximum = 100): { flow: InboundFlow; acks: Acks } {
  const flow = new InboundFlow();
  const acks = new Acks();
  flow.open(acks, receiveMaximum, false);
  return { flow, acks };
}

/** A new message: its ticket. */
export function deliver(flow: InboundFlow, packetId: number, qos: 1 | 2, dup = false): number {
  expect(flow.arrive(packetId, qos === 2, dup)).toBe(Arrival.Deliver);
  return flow.lastTicket;
}

/** The peer sends a message again. */
export function repeat(flow: InboundFlow, packetId: number, qos: 1 | 2): Arrival {
  return flow.arrive(packetId, qos === 2, true);
}

/** The link breaks and comes back with the session kept. */
export function reconnect(flow: InboundFlow, receiveMaximum = 100): Acks {
  const acks = new Acks();
  flow.suspend();
  flow.open(acks, receiveMaximum, true);
  return acks;
}
