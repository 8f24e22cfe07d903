import type { OptionReader } from "./base/option-reader.ts";
import type { HttpSettings } from "./http/http-settings.ts";

/** Shorter ones can be guessed. */
const TOKEN_LENGTH_LEAST = 16;

/** Checks the option `http`; null when it is `false`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function httpSettings(outer: OptionReader): HttpSettings | null {
  if (outer.value("http") === false) return null;
  const reader = outer.nested("http");
  const settings: HttpSettings = {
    token: reader.text("token"),
    access: reader.oneOf("access", ["token", "open"], "token"),
    remote: reader.oneOf("remote", ["refuse", "allow"], "refuse"),
    bodyBytesMax: reader.integer("bodyBytesMax", { least: 1_024, most: 268_435_456, otherwise: 4_194_304 }),
  };
  reader.done();
  const { token, access } = settings;
  if (token !== null && access === "open") throw reader.invalid("token", "has no use with access: open");
  if (token !== null && !/^[\x21-\x7e]+$/.test(token)) throw reader.invalid("token", "must be ASCII without spaces");
  if (token !== null && token.length < TOKEN_LENGTH_LEAST) {
    throw reader.invalid("token", `must have ${TOKEN_LENGTH_LEAST} characters at least`);
  }
  return Object.freeze(settings);
}
