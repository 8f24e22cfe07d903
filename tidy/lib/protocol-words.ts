import { isNeutral } from "./layering.ts";
import { matches, type RepoFile } from "./repo.ts";

/** Words of one protocol. The broker's core serves all of them, so it uses none: code, strings and comments alike. */
const WORDS = new RegExp(
  [
    "mqtt|amqp|rabbit|fluxmq|stomp|websocket",
    "connack|puback|pubrec|pubrel|pubcomp|suback|unsuback|pingreq|pingresp",
    "packet[ _-]?id|clean[ _-]?(?:start|session)|topic[ _-]?alias|receive[ _-]?maximum",
    "basic[._-]?(?:publish|deliver|consume|get|ack|nack|reject)|delivery[ _-]?tag|consumer[ _-]?tag",
    "performative|disposition|link[ _-]?credit|\\bsasl\\b",
  ].join("|"),
  "gi",
);

/** Protocol words in the broker's base, storage and core. */
export function protocolWordViolations(files: readonly RepoFile[]): string[] {
  return files
    .filter((file) => isNeutral(file.path))
    .flatMap((file) => matches(file, WORDS, (word) => `"${word}" is a protocol's word; the core is neutral`));
}
