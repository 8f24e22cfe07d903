import { decodeAuth, encodeAuth } from "./auth.ts";
import { LEVEL_4 } from "./level-4.ts";
import type { LevelRules } from "./level-rules.ts";
import type { ProtocolLevel } from "./packets.ts";
import { decodeProperties, putProperties } from "./properties.ts";
import { REASON_CODES } from "./reason-rules.ts";

/** MQTT 5.0. */
export const LEVEL_5: LevelRules = {
  level: 5,
  putProperties,
  readProperties: decodeProperties,
  reasonCodes: REASON_CODES,
  decodeAuth: (r) => decodeAuth(r, LEVEL_5),
  encodeAuth: (w, packet) => encodeAuth(w, packet, LEVEL_5),
};

/** The rules of a level, for who needs both. */
export function rulesOf(level: ProtocolLevel): LevelRules {
  return level === 5 ? LEVEL_5 : LEVEL_4;
}
