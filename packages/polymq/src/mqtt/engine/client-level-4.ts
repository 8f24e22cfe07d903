import { noop } from "../../base/noop.ts";
import { malformed } from "../../bytes/reader.ts";
import { invalid } from "../codec/arguments.ts";
import { expectEnd, firstByte, PacketType, readHeader, writeHeader } from "../codec/header.ts";
import { LEVEL_4 } from "../codec/level-4.ts";
import type { Disconnect } from "../codec/packets.ts";
import type { ClientLevel } from "./client-level.ts";

const GOODBYE: Disconnect = { type: "disconnect", reasonCode: 0, properties: null };

/** A client that speaks MQTT 3.1.1. */
export const CLIENT_LEVEL_4: ClientLevel = {
  ...LEVEL_4,
  readPublishProperties: noop,
  aliases: () => null,
  lighten: () => null,
  goodbye: () => null,
  disconnect: () => GOODBYE,
  checkConnack: noop,
  decodeAck(r) {
    throw malformed(`an acknowledgement of ${r.left} bytes`);
  },
  encodeAck() {
    throw invalid("acknowledgements have no reason code in MQTT 3.1.1");
  },
  decodeDisconnect(r) {
    readHeader(r, PacketType.DISCONNECT);
    expectEnd(r, PacketType.DISCONNECT);
    return GOODBYE;
  },
  encodeDisconnect: (w) => writeHeader(w, firstByte(PacketType.DISCONNECT), 0),
  // The encoder refuses AUTH, and the decoder knows none.
  checkAuth: noop,
  expectAuth: noop,
};
