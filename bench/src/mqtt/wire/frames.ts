/** The MQTT protocol level of a connection: 4 is 3.1.1, 5 is 5.0. */
export type ProtocolLevel = 4 | 5;

/** A quality of service. */
export type Qos = 0 | 1 | 2;

/** First bytes of the packets that the benchmarks read (MQTT 5.0 §2.1.2, §2.1.3). */
export const FIRST_BYTE = {
  connect: 0x10,
  connack: 0x20,
  puback: 0x40,
  pubrec: 0x50,
  pubrel: 0x62,
  pubcomp: 0x70,
  subscribe: 0x82,
  suback: 0x90,
  pingreq: 0xc0,
  disconnect: 0xe0,
} as const;

/** What a PUBLISH is made of. */
export interface PublishFields {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  /** Ignored for QoS 0. */
  readonly packetId: number;
  readonly level: ProtocolLevel;
}

/** CONNECT with a clean session and no keep-alive (MQTT 5.0 §3.1). */
export function encodeConnect(level: ProtocolLevel, clientId: string): Buffer {
  const name = Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, level, 0x02, 0, 0]);
  return packet(FIRST_BYTE.connect, [name, properties(level), text(clientId)]);
}

/** CONNACK that accepts, without a session (MQTT 5.0 §3.2). */
export function encodeConnack(level: ProtocolLevel): Buffer {
  return packet(FIRST_BYTE.connack, [Buffer.from([0, 0]), properties(level)]);
}

/** SUBSCRIBE to one filter (MQTT 5.0 §3.8). */
export function encodeSubscribe(level: ProtocolLevel, filter: string, qos: Qos): Buffer {
  return packet(FIRST_BYTE.subscribe, [u16(1), properties(level), text(filter), Buffer.from([qos])]);
}

/** SUBACK that grants one filter (MQTT 5.0 §3.9). */
export function encodeSuback(level: ProtocolLevel, packetId: number, qos: number): Buffer {
  return packet(FIRST_BYTE.suback, [u16(packetId), properties(level), Buffer.from([qos])]);
}

/** PUBLISH without properties, DUP and RETAIN (MQTT 5.0 §3.3). */
export function encodePublish(fields: PublishFields): Buffer {
  const id = fields.qos === 0 ? Buffer.alloc(0) : u16(fields.packetId);
  return packet(0x30 | (fields.qos << 1), [
    text(fields.topic),
    id,
    properties(fields.level),
    Buffer.from(fields.payload),
  ]);
}

/** DISCONNECT in its short form (MQTT 5.0 §3.14). */
export function encodeDisconnect(): Buffer {
  return packet(FIRST_BYTE.disconnect, []);
}

/** PINGRESP (MQTT 5.0 §3.13). */
export function encodePingresp(): Buffer {
  return packet(0xd0, []);
}

/** Writes a PUBACK, PUBREC, PUBREL or PUBCOMP in its four-byte form (MQTT 5.0 §3.4) at `at`. */
export function writeAck(target: Uint8Array, at: number, firstByte: number, packetId: number): void {
  target[at] = firstByte;
  target[at + 1] = 2;
  target[at + 2] = packetId >> 8;
  target[at + 3] = packetId & 0xff;
}

function packet(firstByte: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const header = [firstByte];
  let rest = body.length;
  do {
    header.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), body]);
}

function properties(level: ProtocolLevel): Buffer {
  return level === 5 ? Buffer.from([0]) : Buffer.alloc(0);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([u16(bytes.length), bytes]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
