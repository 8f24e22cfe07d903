import { noop } from "../../base/noop.ts";
import { LEVEL_4 } from "../codec/level-4.ts";
import type { ClientLevel } from "./client-level.ts";

/** A client that speaks MQTT 3.1.1. */
export const CLIENT_LEVEL_4: ClientLevel = {
  ...LEVEL_4,
  readPublishProperties: noop,
  aliases: () => null,
  lighten: () => null,
  goodbye: () => null,
  disconnect: () => ({ type: "disconnect", reasonCode: 0, properties: null }),
  // The encoder refuses AUTH, and the decoder knows none.
  checkAuth: noop,
  expectAuth: noop,
};
