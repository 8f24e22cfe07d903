import type { Authenticate, AuthorizePublish, AuthorizeSubscribe } from "./auth-hooks.ts";

/** What somebody may do; null is everything. In filters `%u` stands for the user name and `%c` for the client id. */
export interface Permissions {
  /** Topics that may be published to. */
  readonly publish: readonly string[] | null;
  /** Filters that may be subscribed to, and all narrower ones. */
  readonly subscribe: readonly string[] | null;
}

/** One user, checked and complete; one of `password` and `passwordHash` is there. */
export interface UserSettings extends Permissions {
  readonly username: string;
  readonly password: string | null;
  /** In the form that `hashPassword` makes. */
  readonly passwordHash: string | null;
}

/** Access control, checked and complete. */
export interface AuthSettings {
  readonly authenticate: Authenticate | null;
  readonly authorizePublish: AuthorizePublish | null;
  readonly authorizeSubscribe: AuthorizeSubscribe | null;
  readonly users: readonly UserSettings[];
  /** What becomes of clients that name no user, unless `authenticate` decides. */
  readonly anonymous: "refuse" | Permissions;
  /** Time that a hook or a password check has. */
  readonly timeoutMs: number;
  /** How long a hook's answer is reused for the same connection and topic; 0 asks every time. */
  readonly cacheMs: number;
  /** Answers kept per connection and kind. */
  readonly cachedDecisionsMax: number;
}
