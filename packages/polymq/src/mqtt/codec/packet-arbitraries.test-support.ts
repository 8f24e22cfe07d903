/** Arbitrary packets that may be sent, for fast-check: every field, at both levels. */
import fc from "fast-check";
import type {
  Auth,
  Connack,
  Connect,
  Disconnect,
  Packet,
  ProtocolLevel,
  Publish,
  PublishAck,
  PublishProperties,
  Suback,
  Subscribe,
  SubscribeFilter,
  Unsuback,
  Unsubscribe,
  Will,
} from "./packets.ts";
import { reasonCodesOf } from "./reason-rules.ts";

type Arb<T> = fc.Arbitrary<T>;

const KEYS = { requiredKeys: [] };

/** Any string that MQTT can carry: no lone surrogate, no U+0000. */
const string: Arb<string> = fc
  .string({ unit: "binary", maxLength: 12 })
  .map((value) => value.toWellFormed().replaceAll("\0", "0"));
const bytes: Arb<Uint8Array> = fc.uint8Array({ maxLength: 20 });
const u16: Arb<number> = fc.integer({ min: 0, max: 0xffff });
const u32: Arb<number> = fc.integer({ min: 0, max: 0xffff_ffff });
const positive16: Arb<number> = fc.integer({ min: 1, max: 0xffff });
const positive32: Arb<number> = fc.integer({ min: 1, max: 0xffff_ffff });
const subscriptionId: Arb<number> = fc.oneof(
  fc.integer({ min: 1, max: 268_435_455 }),
  fc.constantFrom(1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455),
);
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const bit = fc.constantFrom(0 as const, 1 as const);
const userProperties = fc.array(fc.tuple(string, string), { minLength: 1, maxLength: 4 });

/** A topic name. */
export const topicName: Arb<string> = fc
  .array(string, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join("/").replace(/[+#]/g, "x"))
  .map((topic) => (topic === "" ? "t" : topic));

const topicLevel = string.map((level) => level.replace(/[+#/]/g, "x"));

/** A topic filter, shared or not; a plain one at level 4. */
function topicFilter(level: ProtocolLevel): Arb<string> {
  const plain = fc
    .tuple(fc.array(fc.oneof(topicLevel, fc.constant("+")), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([levels, hash]) => [...levels, ...(hash ? ["#"] : [])].join("/"))
    .map((filter) => (filter === "" || filter.startsWith("$share/") ? "f" : filter));
  const group = topicLevel.map((name) => (name === "" ? "g" : name));
  const shared = fc.tuple(group, plain).map(([name, filter]) => `$share/${name}/${filter}`);
  return level === 4 ? plain : fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: shared });
}

const MESSAGE_PROPERTIES = {
  payloadFormat: bit,
  messageExpirySeconds: u32,
  contentType: string,
  responseTopic: topicName,
  correlationData: bytes,
  userProperties,
};

/** Properties of a PUBLISH, at least one. */
export const publishProperties: Arb<PublishProperties> = nonEmpty(
  fc.record(
    {
      ...MESSAGE_PROPERTIES,
      topicAlias: positive16,
      subscriptionIdentifiers: fc.array(subscriptionId, { minLength: 1, maxLength: 4 }),
    },
    KEYS,
  ),
);

/** Null stands for no properties, on the wire and here. */
function nonEmpty<T extends object>(arbitrary: Arb<T>): Arb<T> {
  return arbitrary.filter((value) => Object.keys(value).length > 0);
}

/** Properties or none at level 5, none at level 4. */
function at<T extends object>(level: ProtocolLevel, arbitrary: Arb<T>): Arb<T | null> {
  return level === 4 ? fc.constant(null) : fc.option(nonEmpty(arbitrary), { nil: null });
}

const reasonProperties = fc.record({ reasonString: string, userProperties }, KEYS);

function will(level: ProtocolLevel): Arb<Will> {
  const properties = fc.record({ ...MESSAGE_PROPERTIES, delaySeconds: u32 }, KEYS);
  return fc.record({
    topic: topicName,
    payload: bytes,
    qos,
    retain: fc.boolean(),
    properties: at(level, properties),
  });
}

function connect(level: ProtocolLevel): Arb<Connect> {
  const properties = fc
    .record(
      {
        sessionExpirySeconds: u32,
        receiveMaximum: positive16,
        maximumPacketSize: positive32,
        topicAliasMaximum: u16,
        requestResponseInformation: fc.boolean(),
        requestProblemInformation: fc.boolean(),
        userProperties,
        authenticationMethod: string,
        authenticationData: bytes,
      },
      KEYS,
    )
    .filter((value) => value.authenticationData === undefined || value.authenticationMethod !== undefined);
  return fc
    .record({
      type: fc.constant("connect" as const),
      level: fc.constant(level),
      cleanStart: fc.boolean(),
      keepAliveSeconds: u16,
      clientId: string,
      username: fc.option(string, { nil: null }),
      password: fc.option(bytes, { nil: null }),
      will: fc.option(will(level), { nil: null }),
      properties: at(level, properties),
    })
    .filter((value) => level === 5 || value.password === null || value.username !== null);
}

function connack(level: ProtocolLevel): Arb<Connack> {
  const properties = fc.record(
    {
      sessionExpirySeconds: u32,
      receiveMaximum: positive16,
      maximumQoS: bit,
      retainAvailable: fc.boolean(),
      maximumPacketSize: positive32,
      assignedClientId: string,
      topicAliasMaximum: u16,
      reasonString: string,
      userProperties,
      wildcardSubscriptionAvailable: fc.boolean(),
      subscriptionIdentifiersAvailable: fc.boolean(),
      sharedSubscriptionAvailable: fc.boolean(),
      serverKeepAliveSeconds: u16,
      responseInformation: string,
      serverReference: string,
      authenticationMethod: string,
      authenticationData: bytes,
    },
    KEYS,
  );
  const reasonCode = level === 4 ? fc.integer({ min: 0, max: 5 }) : fc.constantFrom(...reasonCodesOf("connack"));
  return fc
    .record({
      type: fc.constant("connack" as const),
      sessionPresent: fc.boolean(),
      reasonCode,
      properties: at(level, properties),
    })
    .map((value) => (value.reasonCode === 0 ? value : { ...value, sessionPresent: false }));
}

/** A PUBLISH; at level 5 its topic may be empty where an alias stands for it. */
export function publish(level: ProtocolLevel): Arb<Publish> {
  return fc
    .record({
      type: fc.constant("publish" as const),
      topic: topicName,
      payload: bytes,
      qos,
      retain: fc.boolean(),
      dup: fc.boolean(),
      packetId: positive16,
      properties: level === 4 ? fc.constant(null) : fc.option(publishProperties, { nil: null }),
      aliasOnly: fc.boolean(),
    })
    .map(({ aliasOnly, ...value }) => ({
      ...value,
      topic: aliasOnly && value.properties?.topicAlias !== undefined ? "" : value.topic,
      dup: value.qos > 0 && value.dup,
      packetId: value.qos === 0 ? 0 : value.packetId,
    }));
}

function publishAck(level: ProtocolLevel): Arb<PublishAck> {
  return fc.constantFrom("puback" as const, "pubrec" as const, "pubrel" as const, "pubcomp" as const).chain((type) =>
    fc.record({
      type: fc.constant(type),
      packetId: positive16,
      reasonCode: level === 4 ? fc.constant(0) : fc.constantFrom(...reasonCodesOf(type)),
      properties: at(level, reasonProperties),
    }),
  );
}

function subscribeFilter(level: ProtocolLevel): Arb<SubscribeFilter> {
  const off = fc.constant(false);
  return fc
    .record({
      filter: topicFilter(level),
      qos,
      noLocal: level === 4 ? off : fc.boolean(),
      retainAsPublished: level === 4 ? off : fc.boolean(),
      retainHandling: level === 4 ? fc.constant(0 as const) : qos,
    })
    .map((value) => (value.filter.startsWith("$share/") ? { ...value, noLocal: false } : value));
}

function subscribe(level: ProtocolLevel): Arb<Subscribe> {
  return fc.record({
    type: fc.constant("subscribe" as const),
    packetId: positive16,
    filters: fc.array(subscribeFilter(level), { minLength: 1, maxLength: 4 }),
    properties: at(level, fc.record({ subscriptionIdentifier: subscriptionId, userProperties }, KEYS)),
  });
}

function suback(level: ProtocolLevel): Arb<Suback> {
  const codes = level === 4 ? [0, 1, 2, 0x80] : reasonCodesOf("suback");
  return fc.record({
    type: fc.constant("suback" as const),
    packetId: positive16,
    reasonCodes: fc.array(fc.constantFrom(...codes), { minLength: 1, maxLength: 6 }),
    properties: at(level, reasonProperties),
  });
}

function unsubscribe(level: ProtocolLevel): Arb<Unsubscribe> {
  return fc.record({
    type: fc.constant("unsubscribe" as const),
    packetId: positive16,
    filters: fc.array(topicFilter(level), { minLength: 1, maxLength: 4 }),
    properties: at(level, fc.record({ userProperties }, KEYS)),
  });
}

function unsuback(level: ProtocolLevel): Arb<Unsuback> {
  const codes = fc.array(fc.constantFrom(...reasonCodesOf("unsuback")), { minLength: 1, maxLength: 6 });
  return fc.record({
    type: fc.constant("unsuback" as const),
    packetId: positive16,
    reasonCodes: level === 4 ? fc.constant([]) : codes,
    properties: at(level, reasonProperties),
  });
}

function disconnect(level: ProtocolLevel): Arb<Disconnect> {
  const properties = fc.record(
    { sessionExpirySeconds: u32, serverReference: string, reasonString: string, userProperties },
    KEYS,
  );
  return fc.record({
    type: fc.constant("disconnect" as const),
    reasonCode: level === 4 ? fc.constant(0) : fc.constantFrom(...reasonCodesOf("disconnect")),
    properties: at(level, properties),
  });
}

const auth: Arb<Auth> = fc.oneof(
  fc.constant({ type: "auth" as const, reasonCode: 0, properties: null }),
  fc.record({
    type: fc.constant("auth" as const),
    reasonCode: fc.constantFrom(...reasonCodesOf("auth")),
    properties: fc.record(
      { authenticationMethod: string, authenticationData: bytes, reasonString: string, userProperties },
      { requiredKeys: ["authenticationMethod"] },
    ),
  }),
);

/** An arbitrary for each kind of packet that the level has. */
export function packetKinds(level: ProtocolLevel): Readonly<Record<string, Arb<Packet>>> {
  return {
    CONNECT: connect(level),
    CONNACK: connack(level),
    PUBLISH: publish(level),
    "PUBACK, PUBREC, PUBREL and PUBCOMP": publishAck(level),
    SUBSCRIBE: subscribe(level),
    SUBACK: suback(level),
    UNSUBSCRIBE: unsubscribe(level),
    UNSUBACK: unsuback(level),
    "PINGREQ and PINGRESP": fc.constantFrom({ type: "pingreq" as const }, { type: "pingresp" as const }),
    DISCONNECT: disconnect(level),
    ...(level === 5 ? { AUTH: auth } : {}),
  };
}
