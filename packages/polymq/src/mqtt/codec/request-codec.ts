import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import type { LevelRules } from "./level-rules.ts";
import type { Suback, Subscribe, Unsuback, Unsubscribe } from "./packets.ts";
import { decodeSuback } from "./suback.ts";
import { encodeSubscribe } from "./subscribe.ts";
import { decodeUnsuback } from "./unsuback.ts";
import { encodeUnsubscribe } from "./unsubscribe.ts";

/** A client's half of SUBSCRIBE, UNSUBSCRIBE and their answers. It is handed in, so that a client that only publishes does not need it. */
export interface RequestCodec {
  /** SUBSCRIBE or UNSUBSCRIBE as the level has it. */
  encode(w: ByteWriter, packet: Subscribe | Unsubscribe, rules: LevelRules): void;
  /** SUBACK as the level has it. */
  decodeSuback(r: ByteReader, rules: LevelRules): Suback;
  /** UNSUBACK as the level has it. */
  decodeUnsuback(r: ByteReader, rules: LevelRules): Unsuback;
}

/** All of it. */
export const REQUEST_CODEC: RequestCodec = {
  encode(w, packet, rules) {
    if (packet.type === "subscribe") encodeSubscribe(w, packet, rules);
    else encodeUnsubscribe(w, packet, rules);
  },
  decodeSuback,
  decodeUnsuback,
};
