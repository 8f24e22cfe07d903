import { MessagingError } from "../base/errors.ts";

/** The prefixes that name a protocol in the keys of properties. */
const MQTT = "mqtt.";
const AMQP = "amqp.";

/** Properties taken apart: what the protocol sends under bare names, and what its own keys say. */
export interface SplitProperties {
  /** User properties, headers or application properties. */
  readonly own: Record<string, string>;
  /** What follows the protocol's prefix, such as `qos`. */
  readonly words: Record<string, string>;
}

/**
 * Takes properties apart for one protocol: bare names and those of its own kind are sent, its other keys are words, those of another protocol are left out.
 * @throws {MessagingError} ERR_INVALID_MESSAGE for a value that is no text
 */
export function splitProperties(
  properties: Readonly<Record<string, string>> | undefined,
  protocol: "mqtt" | "amqp",
): SplitProperties {
  const own: Record<string, string> = {};
  const words: Record<string, string> = {};
  const [mine, others, kind] = protocol === "mqtt" ? [MQTT, AMQP, "user."] : [AMQP, MQTT, "headers."];
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (typeof value !== "string") throw new MessagingError("ERR_INVALID_MESSAGE", `the property ${key} is no text`);
    if (key.startsWith(others)) continue;
    if (!key.startsWith(mine)) own[key] = value;
    else if (key.startsWith(kind, mine.length)) own[key.slice(mine.length + kind.length)] = value;
    else words[key.slice(mine.length)] = value;
  }
  return { own, words };
}

/** A word that is `true` or `false`. @throws {MessagingError} ERR_INVALID_MESSAGE */
export function flagOf(words: Readonly<Record<string, string>>, name: string): boolean | undefined {
  const word = words[name];
  if (word === undefined) return undefined;
  if (word === "true" || word === "false") return word === "true";
  throw new MessagingError("ERR_INVALID_MESSAGE", `${name} is true or false, not ${word}`);
}
