import { isMessagingError, type Transport } from "polymq/internal";
import { type ConnackProperties, type Connect, ReasonCode } from "polymq/mqtt/codec";
import type { Entry } from "../../auth/access-control.ts";
import type { DenyReason } from "../../auth/auth-hooks.ts";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { MqttContext } from "./mqtt-context.ts";
import { MqttSession } from "./mqtt-session.ts";
import { topicRefusal } from "./topic-routes.ts";

/** A client that is let in. */
export interface Admitted {
  readonly session: MqttSession;
  readonly sessionPresent: boolean;
  readonly access: ConnectionAccess;
  readonly properties: ConnackProperties;
}

/** A client that is not, with the reason code to say. */
export interface Refused {
  readonly refused: number;
}

/** An entry of access control, with the client id that was asked for or assigned. */
export interface Identified {
  readonly entry: Extract<Entry, { readonly allow: true }>;
  readonly assigned: boolean;
}

const DENIALS: Readonly<Record<DenyReason, number>> = {
  badCredentials: ReasonCode.BadUserNameOrPassword,
  notAuthorized: ReasonCode.NotAuthorized,
  banned: ReasonCode.Banned,
  serverBusy: ReasonCode.ServerBusy,
};

/** Decides who the client is and whether it may come in; a promise only where somebody asynchronous is asked. */
export function identify(
  connect: Connect,
  transport: Transport,
  context: MqttContext,
): Identified | Refused | Promise<Identified | Refused> {
  const assigned = connect.clientId === "";
  // [MQTT3-3.1.3-8]: without an id, a 3.1.1 client must ask for a clean session.
  if (assigned && connect.level === 4 && !connect.cleanStart) return { refused: ReasonCode.ClientIdentifierNotValid };
  if (connect.properties?.authenticationMethod !== undefined) return { refused: ReasonCode.BadAuthenticationMethod };
  const wrongWill = checkWill(connect, context);
  if (wrongWill !== null) return { refused: wrongWill };
  const clientId = assigned ? `auto-${hex(context.randomBytes(8))}` : connect.clientId;
  const decision = context.access.authenticate({
    clientId,
    username: connect.username,
    password: connect.password,
    certificateCommonName: transport.info.peerCommonName,
    protocol: "mqtt",
    transport: transport.info,
  });
  const settle = (entry: Entry): Identified | Refused | Promise<Identified | Refused> =>
    entry.allow ? allowWill(connect, { entry, assigned }, context) : { refused: DENIALS[entry.reason] };
  return decision instanceof Promise ? decision.then(settle) : settle(decision);
}

/** A will is published in the client's name: the client must be allowed to. */
function allowWill(
  connect: Connect,
  identified: Identified,
  context: MqttContext,
): Identified | Refused | Promise<Identified | Refused> {
  const will = connect.will;
  if (will === null) return identified;
  const settle = (allowed: boolean): Identified | Refused =>
    allowed ? identified : { refused: ReasonCode.NotAuthorized };
  const decision = identified.entry.access.mayPublish(will.topic, will.retain, context.hub.clock.nowMs());
  return typeof decision === "boolean" ? settle(decision) : decision.then(settle);
}

/** Gives an identified client its session, and says what CONNACK tells it. */
export function admit(connect: Connect, identified: Identified, context: MqttContext): Admitted | Refused {
  const { hub, sessions, text } = context;
  const { clientId, access } = identified.entry;
  const owner = access.principal.name;
  const existing = hub.sessions.get(clientId)?.session ?? null;
  // Another protocol's session of that id cannot be gone on with.
  if (existing !== null && !(existing instanceof MqttSession)) return { refused: ReasonCode.ClientIdentifierNotValid };
  const resumes = !connect.cleanStart && (existing === null || existing.owner === owner);
  const expirySeconds = Math.min(askedExpiry(connect), sessions.expirySecondsMax);
  try {
    const opened = hub.openSession({
      id: clientId,
      start: resumes ? "resume" : "fresh",
      expiryMs: expirySeconds >= EXPIRY_NEVER ? Number.POSITIVE_INFINITY : expirySeconds * 1000,
      state: MqttSession.stateOf(owner, text),
      create: () =>
        new MqttSession(clientId, owner, {
          ...context,
          limits: sessions.queue,
          inflightBytesMax: context.mqtt.maxInflightBytes,
        }),
    });
    // What was there was an MQTT session, what is new is one.
    const session = opened.session as MqttSession;
    session.keepIn(opened.stored);
    const properties = connackProperties(connect, { clientId, assigned: identified.assigned, expirySeconds }, context);
    return { session, sessionPresent: opened.is === "resumed", access, properties };
  } catch (error) {
    if (isMessagingError(error) && error.code === "ERR_CONNECT_REJECTED") return { refused: ReasonCode.QuotaExceeded };
    throw error;
  }
}

/** "For ever" on the wire (MQTT 5.0 §3.1.2.11.2). */
const EXPIRY_NEVER = 0xffff_ffff;

/** How long the client wants its session kept: without a clean session, a 3.1.1 client means as long as possible. */
function askedExpiry(connect: Connect): number {
  if (connect.level === 5) return connect.properties?.sessionExpirySeconds ?? 0;
  return connect.cleanStart ? 0 : EXPIRY_NEVER;
}

function checkWill(connect: Connect, context: MqttContext): number | null {
  const will = connect.will;
  if (will === null) return null;
  if (will.qos > context.mqtt.maximumQoS) return ReasonCode.QoSNotSupported; // [MQTT-3.2.2-12]
  if (will.retain && !context.mqtt.retainAvailable) return ReasonCode.RetainNotSupported; // [MQTT-3.2.2-13]
  const refusal = topicRefusal(will.topic, context.mqtt.topicLevelsMax);
  return refusal === 0 ? null : refusal;
}

interface Given {
  readonly clientId: string;
  readonly assigned: boolean;
  readonly expirySeconds: number;
}

function connackProperties(connect: Connect, given: Given, context: MqttContext): ConnackProperties {
  const { mqtt } = context;
  const limit = mqtt.serverKeepAliveSeconds;
  const tooLong = limit > 0 && (connect.keepAliveSeconds === 0 || connect.keepAliveSeconds > limit);
  const wantsResponse = connect.properties?.requestResponseInformation === true && mqtt.responseInformation !== "";
  return {
    receiveMaximum: mqtt.receiveMaximum,
    maximumPacketSize: mqtt.maximumPacketSize,
    topicAliasMaximum: mqtt.topicAliasMaximum,
    ...(mqtt.maximumQoS === 2 ? {} : { maximumQoS: mqtt.maximumQoS }),
    ...(mqtt.retainAvailable ? {} : { retainAvailable: false }),
    ...(mqtt.wildcardSubscriptionAvailable ? {} : { wildcardSubscriptionAvailable: false }),
    ...(mqtt.subscriptionIdentifiersAvailable ? {} : { subscriptionIdentifiersAvailable: false }),
    ...(mqtt.sharedSubscriptionAvailable ? {} : { sharedSubscriptionAvailable: false }),
    ...(given.assigned || given.clientId !== connect.clientId ? { assignedClientId: given.clientId } : {}),
    ...(tooLong ? { serverKeepAliveSeconds: limit } : {}),
    ...(given.expirySeconds === askedExpiry(connect) ? {} : { sessionExpirySeconds: given.expirySeconds }),
    ...(wantsResponse ? { responseInformation: mqtt.responseInformation.replaceAll("%c", given.clientId) } : {}),
    userProperties: [["server", context.serverName]],
  };
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
