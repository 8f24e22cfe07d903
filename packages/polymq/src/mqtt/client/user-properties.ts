import { MessagingError } from "../../base/errors.ts";
import type { UserProperties } from "../codec/packets.ts";

/**
 * User properties as callers may give them: pairs in order (names may repeat), or a record whose values are one string or a
 * list of strings (MQTT 5.0 §1.5.7).
 */
export type UserPropertiesInput = UserProperties | Readonly<Record<string, string | readonly string[]>>;

/** Turns either form into pairs. @throws {MessagingError} ERR_INVALID_MESSAGE when a name or value is no string */
export function toUserProperties(input: UserPropertiesInput): UserProperties {
  if (Array.isArray(input)) return input.map(checkPair);
  if (typeof input !== "object" || input === null) checkPair(input);
  const pairs: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(input)) {
    if (Array.isArray(value)) for (const one of value) pairs.push(checkPair([name, one]));
    else pairs.push(checkPair([name, value]));
  }
  return pairs;
}

/** All values of the user property `name`, in order. */
export function userPropertyValues(properties: UserProperties | undefined, name: string): string[] {
  const values: string[] = [];
  for (const [key, value] of properties ?? []) if (key === name) values.push(value);
  return values;
}

function checkPair(pair: unknown): readonly [string, string] {
  if (Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string" && typeof pair[1] === "string") {
    return [pair[0], pair[1]];
  }
  throw new MessagingError("ERR_INVALID_MESSAGE", "user properties are pairs of strings");
}
