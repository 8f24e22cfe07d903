import { isMessagingError } from "polymq/internal";
import type { Authenticate, AuthorizePublish, AuthorizeSubscribe } from "./auth/auth-hooks.ts";
import type { AuthSettings, Permissions, UserSettings } from "./auth/auth-settings.ts";
import { parsePasswordHash } from "./auth/password-hash.ts";
import { OptionReader } from "./base/option-reader.ts";
import { checkFilter } from "./core/topic-trie.ts";

const TIMER_MS_MAX = 2_147_483_647;

/** Checks the options `users`, `anonymous` and `auth`. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function authSettings(reader: OptionReader): AuthSettings {
  const hooks = reader.nested("auth");
  const authenticate = hooks.function<Authenticate>("authenticate");
  for (const name of ["users", "anonymous"]) {
    if (authenticate !== null && reader.has(name)) {
      throw reader.invalid(name, "has no meaning beside auth.authenticate, which decides about every client");
    }
  }
  const settings: AuthSettings = {
    authenticate,
    authorizePublish: hooks.function<AuthorizePublish>("authorizePublish"),
    authorizeSubscribe: hooks.function<AuthorizeSubscribe>("authorizeSubscribe"),
    users: users(reader),
    anonymous: anonymous(reader),
    timeoutMs: hooks.integer("timeoutMs", { least: 1, most: TIMER_MS_MAX, otherwise: 5_000 }),
    cacheMs: hooks.integer("cacheMs", { least: 0, most: TIMER_MS_MAX, otherwise: 5_000 }),
    cachedDecisionsMax: hooks.integer("cachedDecisionsMax", { least: 0, most: 65_536, otherwise: 256 }),
  };
  hooks.done();
  return Object.freeze(settings);
}

function users(reader: OptionReader): readonly UserSettings[] {
  const list = (reader.list("users") ?? []).map((item, index) => user(item, `users[${index}]`));
  const names = new Set<string>();
  for (const { username } of list) {
    if (names.has(username)) throw reader.invalid("users", `${username} is there twice`);
    names.add(username);
  }
  return Object.freeze(list);
}

function user(value: unknown, path: string): UserSettings {
  const reader = new OptionReader(value, path);
  const username = reader.text("username");
  if (username === null || username === "") throw reader.invalid("username", "is required");
  const password = reader.text("password");
  const passwordHash = reader.text("passwordHash");
  if ((password === null) === (passwordHash === null)) {
    throw reader.invalid("password", "one of password and passwordHash is required");
  }
  if (passwordHash !== null) checkPasswordHash(reader, passwordHash);
  const settings: UserSettings = { username, password, passwordHash, ...permissions(reader) };
  reader.done();
  return Object.freeze(settings);
}

function checkPasswordHash(reader: OptionReader, passwordHash: string): void {
  try {
    parsePasswordHash(passwordHash);
  } catch (error) {
    throw reader.invalid("passwordHash", isMessagingError(error) ? error.message : "cannot be read");
  }
}

/** A table of users, even an empty one, closes the door to everybody else. */
function anonymous(reader: OptionReader): "refuse" | Permissions {
  const value = reader.value("anonymous") ?? (reader.has("users") ? "refuse" : "allow");
  if (value === "refuse") return "refuse";
  if (value === "allow") return Object.freeze({ publish: null, subscribe: null });
  if (typeof value !== "object") throw reader.invalid("anonymous", "must be allow, refuse, or permissions");
  const nested = reader.nested("anonymous");
  const settings = permissions(nested);
  nested.done();
  return Object.freeze(settings);
}

function permissions(reader: OptionReader): Permissions {
  return { publish: filters(reader, "publish"), subscribe: filters(reader, "subscribe") };
}

function filters(reader: OptionReader, name: string): readonly string[] | null {
  const list = reader.texts(name);
  for (const filter of list ?? []) {
    try {
      checkFilter(filter);
    } catch (error) {
      throw reader.invalid(name, `${filter}: ${isMessagingError(error) ? error.message : "no filter"}`);
    }
  }
  return list;
}
