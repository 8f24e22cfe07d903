import { MessagingError } from "../../base/errors.ts";
import { malformed } from "../../bytes/reader.ts";
import { checkNoProperties } from "./arguments.ts";
import type { LevelRules } from "./level-rules.ts";
import { SUBACK_FAILURE } from "./reason-codes.ts";

const NONE: readonly number[] = [0];

/** MQTT 3.1.1: no properties, no AUTH, and return codes in CONNACK and SUBACK alone (§3.2.2.3, §3.9.3). */
export const LEVEL_4: LevelRules = {
  level: 4,
  reasonCodes: {
    connack: [0, 1, 2, 3, 4, 5],
    puback: NONE,
    pubrec: NONE,
    pubrel: NONE,
    pubcomp: NONE,
    suback: [0, 1, 2, SUBACK_FAILURE],
    unsuback: NONE,
    disconnect: NONE,
    auth: NONE,
  },
  putProperties(_w, carrier, properties) {
    checkNoProperties(properties, carrier.toUpperCase());
    return 0;
  },
  readProperties: () => null,
  decodeAuth() {
    throw malformed("packet type 15 is reserved in MQTT 3.1.1");
  },
  encodeAuth() {
    throw new MessagingError("ERR_AUTH_NOT_V5", "AUTH exists in MQTT 5.0 only");
  },
};
