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

/** A PUBLISH: its content is the same whenever its id and `says` are. */
export interface Sent {
  readonly id: number;
  readonly qos: 1 | 2;
  readonly dup?: boolean;
  readonly says?: { readonly topic?: string; readonly payload?: string; readonly properties?: string };
  /** Set on the property block's expiry or alias, which may change. */
  readonly changing?: boolean;
}

/** The peer sends a PUBLISH in a chunk of its own. */
export function arrive(flow: InboundFlow, { id, qos, dup = false, says = {}, changing = false }: Sent): Arrival {
  const properties = says.properties ?? "";
  const text = `${properties}${says.payload ?? `message ${id}`}`;
  // By hand: an encoder's arrays are large and many.
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const head = {
    packetId: id,
    qos,
    dup,
    propertiesStart: 0,
    payloadStart: properties.length,
    payloadEnd: bytes.length,
    topicAlias: 0,
    messageExpirySeconds: changing ? 60 : -1,
  };
  const arrival = flow.arrive(head, says.topic ?? "t", bytes);
  flow.chunkEnded();
  return arrival;
}

/** A new message: its ticket. */
export function deliver(flow: InboundFlow, packetId: number, qos: 1 | 2, dup = false): number {
  expect(arrive(flow, { id: packetId, qos, dup })).toBe(Arrival.Deliver);
  return flow.lastTicket;
}

/** The peer sends a message again. */
export function repeat(flow: InboundFlow, packetId: number, qos: 1 | 2): Arrival {
  return arrive(flow, { id: packetId, qos, dup: true });
}

/** The link breaks and comes back with the session kept. */
export function reconnect(flow: InboundFlow, receiveMaximum = 100): Acks {
  const acks = new Acks();
  flow.suspend();
  flow.open(acks, receiveMaximum, true);
  return acks;
}
