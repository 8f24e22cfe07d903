import { MessagingError } from "../../base/errors.ts";
import { invalid } from "../codec/arguments.ts";
import { decodeDisconnect, encodeDisconnect } from "../codec/disconnect.ts";
import { LEVEL_5 } from "../codec/level-5.ts";
import { decodePublishAck, encodePublishAck } from "../codec/publish-ack.ts";
import { buildPublishProperties } from "../codec/publish-properties.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import { reasonCodeOf, sayableCode } from "../codec/reason-rules.ts";
import { violation } from "../codec/violation.ts";
import type { ClientLevel } from "./client-level.ts";
import { lighten } from "./lighten.ts";
import { topicAliases } from "./topic-aliases.ts";

/** An acknowledgement with a reason code: a server that takes less cannot be talked to. */
const ACK_BYTES_MAX = 5;

/** A client that speaks MQTT 5.0. */
export const CLIENT_LEVEL_5: ClientLevel = {
  ...LEVEL_5,
  readPublishProperties: buildPublishProperties,
  decodeAck: (r) => decodePublishAck(r, LEVEL_5),
  encodeAck: (w, packet) => encodePublishAck(w, packet, LEVEL_5),
  decodeDisconnect: (r) => decodeDisconnect(r, LEVEL_5),
  encodeDisconnect: (w, packet) => encodeDisconnect(w, packet, LEVEL_5),
  aliases: topicAliases,
  checkConnack({ properties: ours }, { properties: theirs }) {
    // [MQTT-4.12.0-5] A server that leaves it out has let us in without what we asked it to do.
    if (theirs?.authenticationMethod !== ours?.authenticationMethod) {
      throw new MessagingError(
        "ERR_AUTH_METHOD_MISMATCH",
        "CONNACK does not name the authentication method of CONNECT",
      );
    }
    if ((theirs?.maximumPacketSize ?? ACK_BYTES_MAX) < ACK_BYTES_MAX) {
      throw new MessagingError("ERR_PACKET_TOO_LARGE", "the server takes no packets large enough for acknowledgements");
    }
  },
  lighten,
  goodbye(error, text) {
    const reasonCode = sayableCode("disconnect", reasonCodeOf(error), "client");
    return { type: "disconnect", reasonCode, properties: text === "" ? null : { reasonString: text } };
  },
  disconnect(connect, reasonCode, properties) {
    if (sayableCode("disconnect", reasonCode, "client") !== reasonCode) {
      throw invalid(`a client cannot send DISCONNECT ${reasonCode}`);
    }
    if ((properties?.sessionExpirySeconds ?? 0) > 0 && (connect.properties?.sessionExpirySeconds ?? 0) === 0) {
      throw invalid("DISCONNECT cannot raise a session expiry that was 0");
    }
    return { type: "disconnect", reasonCode, properties };
  },
  checkAuth(connect, packet, open) {
    const method = connect.properties?.authenticationMethod;
    if (method === undefined) {
      throw new MessagingError("ERR_AUTH_METHOD_MISSING", "AUTH without an authentication method in CONNECT");
    }
    if (packet.properties?.authenticationMethod !== method) {
      throw invalid("AUTH names another authentication method than CONNECT");
    }
    const begins = packet.reasonCode === ReasonCode.ReAuthenticate && open;
    if (packet.reasonCode !== ReasonCode.ContinueAuthentication && !begins) {
      throw invalid(`a client cannot send AUTH ${packet.reasonCode} now`);
    }
  },
  expectAuth(connect, packet) {
    const method = connect.properties?.authenticationMethod;
    if (method === undefined) throw violation("AUTH without an authentication method in CONNECT"); // [MQTT-4.12.0-6]
    if (packet.properties?.authenticationMethod !== method) {
      throw new MessagingError("ERR_AUTH_METHOD_MISMATCH", "AUTH names another authentication method"); // [MQTT-4.12.0-5]
    }
    if (packet.reasonCode === ReasonCode.ReAuthenticate) throw violation("AUTH re-authenticate from a server");
  },
};
