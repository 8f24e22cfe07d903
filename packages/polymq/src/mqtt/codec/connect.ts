import { MessagingError } from "../../base/errors.ts";
import { type ByteReader, malformed } from "../../bytes/reader.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { checkInteger, checkQoS, checkTopic, invalid, putBinary, putString } from "./arguments.ts";
import { expectEnd, PacketType, readHeader, writePacket } from "./header.ts";
import type { LevelRules } from "./level-rules.ts";
import type { Connect, ConnectProperties, ProtocolLevel, QoS, Will } from "./packets.ts";
import { validateTopicName } from "./topic.ts";
import { violation } from "./violation.ts";

/*
 * CONNECT (MQTT 5.0 §3.1, MQTT 3.1.1 §3.1), fields in this order [MQTT-3.1.3-1] [MQTT3-3.1.3-1]:
 *   byte    0x10
 *   varint  remaining length
 *   string  protocol name, "MQTT"
 *   byte    protocol level, 4 or 5
 *   byte    user name << 7 | password << 6 | will RETAIN << 5 | will QoS << 3 | will << 2 | clean start << 1 | 0
 *   u16     keep alive in seconds
 *   block   properties behind their length, at level 5 only
 *   string  client identifier
 *   block   will properties behind their length, at level 5 only  \
 *   string  will topic                                             } when the will flag is set
 *   binary  will payload                                          /
 *   string  user name, when its flag is set
 *   binary  password, when its flag is set
 */

const PROTOCOL_NAME = "MQTT";

const USERNAME = 0x80;
const PASSWORD = 0x40;
const WILL_RETAIN = 0x20;
const WILL_QOS_SHIFT = 3;
const WILL = 0x04;
const CLEAN_START = 0x02;
const RESERVED = 0x01;

/**
 * Reads a CONNECT as far as its protocol level and stays behind that. A server learns from it which level the connection
 * has. Another protocol name than "MQTT" or another level than 4 and 5 is `ERR_INVALID_PROTOCOL` whose `peer` holds the
 * level as `code` and the name as `text` [MQTT-3.1.2-1] [MQTT-3.1.2-2] [MQTT3-3.1.2-2]: to be answered with 0x84 in the form
 * of 5.0, or with 0x01 in that of 3.1.1 where the level is below 5.
 */
export function readConnectLevel(r: ByteReader): ProtocolLevel {
  readHeader(r, PacketType.CONNECT);
  const name = r.string16();
  const level = r.u8();
  if (name === PROTOCOL_NAME && (level === 4 || level === 5)) return level;
  throw new MessagingError(
    "ERR_INVALID_PROTOCOL",
    `protocol ${JSON.stringify(name)} at level ${level} is not supported`,
    {
      peer: { protocol: "mqtt", code: level, text: name },
    },
  );
}

/**
 * The protocol level byte of a CONNECT frame, whatever else is wrong with it, or 0 where there is none: a server refuses in
 * the form that the client understands even what it cannot decode. Never throws.
 */
export function peekConnectLevel(frame: Uint8Array): number {
  if (frame.length === 0 || (frame[0] as number) >> 4 !== PacketType.CONNECT) return 0;
  let at = 1;
  while (at < 4 && ((frame[at] ?? 0) & 0x80) !== 0) at++;
  const nameBytes = ((frame[at + 1] ?? 0) << 8) | (frame[at + 2] ?? 0);
  return frame[at + 3 + nameBytes] ?? 0;
}

/**
 * Decodes a CONNECT that fills the reader's window, at the level it names; will payload, password and binary properties are
 * views. Errors: as {@link readConnectLevel}; `ERR_MALFORMED_PACKET` for the reserved flag [MQTT-3.1.2-3] [MQTT3-3.1.2-3], will QoS 3
 * [MQTT-3.1.2-12], will QoS or RETAIN without a will [MQTT-3.1.2-11] [MQTT-3.1.2-13], a password without a user name at level 4
 * [MQTT3-3.1.2-22], a will topic that is none, and fields missing or left over; `ERR_PROTOCOL_VIOLATION` for
 * authentication data without a method (MQTT 5.0 §3.1.2.11.10).
 */
export function decodeConnect(r: ByteReader, rulesOf: (level: ProtocolLevel) => LevelRules): Connect {
  const level = readConnectLevel(r);
  const rules = rulesOf(level);
  const flags = r.u8();
  checkFlags(flags, rules);
  const keepAliveSeconds = r.u16();
  const properties = rules.readProperties(r, "connect");
  if (dataWithoutMethod(properties)) {
    throw violation("CONNECT with authentication data but no method");
  }
  const clientId = r.string16();
  const will = (flags & WILL) === 0 ? null : readWill(r, flags, rules);
  const username = (flags & USERNAME) === 0 ? null : r.string16();
  const password = (flags & PASSWORD) === 0 ? null : r.bytes16();
  expectEnd(r, PacketType.CONNECT);
  const cleanStart = (flags & CLEAN_START) !== 0;
  return { type: "connect", level, cleanStart, keepAliveSeconds, clientId, username, password, will, properties };
}

function checkFlags(flags: number, rules: LevelRules): void {
  if ((flags & RESERVED) !== 0) throw malformed("CONNECT with its reserved flag set");
  const willQoS = (flags >> WILL_QOS_SHIFT) & 3;
  if (willQoS === 3) throw malformed("CONNECT with will QoS 3");
  if ((flags & WILL) === 0 && willQoS !== 0) throw malformed("CONNECT with a will QoS but no will");
  if ((flags & WILL) === 0 && (flags & WILL_RETAIN) !== 0) throw malformed("CONNECT with will RETAIN but no will");
  if (rules.level === 4 && (flags & PASSWORD) !== 0 && (flags & USERNAME) === 0) {
    throw malformed("CONNECT with a password but no user name");
  }
}

/** [MQTT-3.1.2-9] [MQTT3-3.1.2-9] */
function readWill(r: ByteReader, flags: number, rules: LevelRules): Will {
  const properties = rules.readProperties(r, "will");
  const topic = r.string16();
  const wrong = validateTopicName(topic);
  if (wrong !== null) throw malformed(`will: ${wrong}`);
  const payload = r.bytes16();
  const qos = ((flags >> WILL_QOS_SHIFT) & 3) as QoS;
  return { topic, payload, qos, retain: (flags & WILL_RETAIN) !== 0, properties };
}

function dataWithoutMethod(properties: ConnectProperties | null): boolean {
  return properties?.authenticationData !== undefined && properties.authenticationMethod === undefined;
}

/**
 * Encodes a CONNECT at `packet.level`, whose rules are handed in. `ERR_INVALID_PROTOCOL`, `ERR_INVALID_TOPIC` and `ERR_INVALID_QOS` for a level, will topic and
 * will QoS that do not exist, `ERR_INVALID_ARGUMENT` for everything else that its decoder would refuse.
 */
export function encodeConnect(w: ByteWriter, packet: Connect, rules: LevelRules): void {
  const { level, will, username, password } = packet;
  if (level !== 4 && level !== 5) throw new MessagingError("ERR_INVALID_PROTOCOL", `protocol level ${String(level)}`);
  checkInteger(packet.keepAliveSeconds, "keepAliveSeconds", 0, 0xffff);
  if (will !== null) checkQoS(will.qos);
  if (dataWithoutMethod(packet.properties)) throw invalid("authentication data needs an authentication method");
  if (level === 4 && username === null && password !== null) {
    throw invalid("a password needs a user name in MQTT 3.1.1");
  }
  const body = new ByteWriter(w.text);
  body.string16(PROTOCOL_NAME);
  body.u8(level);
  body.u8(flagsOf(packet));
  body.u16(packet.keepAliveSeconds);
  rules.putProperties(body, "connect", packet.properties);
  putString(body, packet.clientId, "clientId");
  if (will !== null) {
    rules.putProperties(body, "will", will.properties);
    checkTopic(validateTopicName(will.topic), "will");
    putString(body, will.topic, "will topic");
    putBinary(body, will.payload, "will payload");
  }
  if (username !== null) putString(body, username, "username");
  if (password !== null) putBinary(body, password, "password");
  writePacket(w, PacketType.CONNECT, body);
}

function flagsOf(packet: Connect): number {
  const { will } = packet;
  let flags = packet.cleanStart ? CLEAN_START : 0;
  if (will !== null) flags |= WILL | (will.qos << WILL_QOS_SHIFT) | (will.retain ? WILL_RETAIN : 0);
  if (packet.username !== null) flags |= USERNAME;
  if (packet.password !== null) flags |= PASSWORD;
  return flags;
}
