import type { Clock } from "polymq/internal";
import type { AuthDecision, AuthenticateRequest, DenyReason, Principal } from "./auth-hooks.ts";
import type { AuthSettings, Permissions, UserSettings } from "./auth-settings.ts";
import { ConnectionAccess } from "./connection-access.ts";
import { isPromiseLike, withinDeadline } from "./deadline.ts";
import type { Decision } from "./decision-cache.ts";
import { ScramUsers } from "./scram-users.ts";
import { TopicRules } from "./topic-rules.ts";
import { type UserCheck, UserTable } from "./user-table.ts";

/** A client that was let in, and what it may do; or the reason why not. */
export type Entry =
  | {
      readonly allow: true;
      /** The one it asked for, unless the application decided for another. */
      readonly clientId: string;
      readonly access: ConnectionAccess;
    }
  | { readonly allow: false; readonly reason: DenyReason };

/** What {@link AccessControl} works with. */
export interface AccessControlOptions {
  readonly settings: AuthSettings;
  readonly clock: Clock;
  /** Told of hooks that threw, rejected, were too slow or answered in another form; each counted as a refusal. */
  readonly onHookFailed: (hook: string, error: unknown) => void;
}

const EVERYTHING: Permissions = { publish: null, subscribe: null };

/** Lets clients in and says what they may do: by the application's hooks, the user table, or both. Without either everybody may do everything. */
export class AccessControl {
  readonly #options: AccessControlOptions;
  readonly #settings: AuthSettings;
  readonly #users: UserTable | null;
  /** The users by what SCRAM needs of them; null where passwords cannot be checked so. */
  readonly scramUsers: ScramUsers | null;

  /** @throws {MessagingError} ERR_INVALID_OPTIONS for a password hash in a wrong form */
  constructor(options: AccessControlOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#users = options.settings.users.length === 0 ? null : new UserTable(options.settings.users);
    this.scramUsers = options.settings.authenticate === null ? ScramUsers.of(options.settings.users) : null;
  }

  /** Lets a user of {@link scramUsers} in who has proven to know the password. */
  admit(user: UserSettings, request: AuthenticateRequest): Entry {
    return this.#enterUser({ is: "user", user }, request);
  }

  /** True when the application decides who comes in; else names and passwords are fixed. */
  get asksApplication(): boolean {
    return this.#settings.authenticate !== null;
  }

  /** Decides about a new client. A promise, which never rejects, only where somebody asynchronous has to be asked. */
  authenticate(request: AuthenticateRequest): Entry | Promise<Entry> {
    if (this.#settings.authenticate !== null) return this.#askApplication(this.#settings.authenticate, request);
    if (request.username === null) return this.#enterAnonymous(request);
    if (this.#users === null) {
      // Nobody is known: a name proves nothing, and grants what any other does.
      return this.#enterAnonymous(request);
    }
    const check = this.#users.check(request.username, request.password ?? NO_PASSWORD);
    if (!isPromiseLike(check)) return this.#enterUser(check, request);
    return this.#failClosed("password check", check, (value) => this.#enterUser(value, request));
  }

  #enterAnonymous(request: AuthenticateRequest): Entry {
    const { anonymous } = this.#settings;
    return anonymous === "refuse"
      ? deny("notAuthorized")
      : this.#enter(request, { allow: true, principal: "" }, anonymous);
  }

  #enterUser(check: UserCheck, request: AuthenticateRequest): Entry {
    if (check.is === "wrong") return deny("badCredentials");
    if (check.is === "busy") return deny("serverBusy");
    return this.#enter(request, { allow: true, principal: check.user.username }, check.user);
  }

  #askApplication(
    authenticate: (request: AuthenticateRequest) => unknown,
    request: AuthenticateRequest,
  ): Entry | Promise<Entry> {
    try {
      const decision = authenticate(request);
      if (!isPromiseLike(decision)) return this.#enterDecided(decision, request);
      return this.#failClosed("authenticate", decision, (value) => this.#enterDecided(value, request));
    } catch (error) {
      this.#failed("authenticate", error);
      return deny("serverBusy");
    }
  }

  async #failClosed<T>(hook: string, pending: PromiseLike<T>, enter: (value: T) => Entry): Promise<Entry> {
    try {
      return enter(await withinDeadline(pending, { clock: this.#options.clock, timeoutMs: this.#settings.timeoutMs }));
    } catch (error) {
      this.#failed(hook, error);
      return deny("serverBusy");
    }
  }

  #enterDecided(decision: unknown, request: AuthenticateRequest): Entry {
    if (!isDecision(decision))
      throw new TypeError("authenticate has to answer { allow: true } or { allow: false, reason }");
    return decision.allow ? this.#enter(request, decision, EVERYTHING) : deny(decision.reason);
  }

  #enter(request: AuthenticateRequest, decision: Allowed, permissions: Permissions): Entry {
    const clientId = decision.clientId ?? request.clientId;
    const { protocol, username } = request;
    const name = decision.principal ?? username ?? "";
    const principal: Principal = Object.freeze({ name, clientId, protocol, attributes: decision.attributes });
    const { publish, subscribe } = permissions;
    const values = { username: name === "" ? null : name, clientId };
    const access = new ConnectionAccess({
      principal,
      publish: publish === null ? null : new TopicRules(publish, values),
      subscribe: subscribe === null ? null : new TopicRules(subscribe, values),
      askPublish: this.#publishHook(principal),
      askSubscribe: this.#subscribeHook(principal),
      cacheMs: this.#settings.cacheMs,
      cachedDecisionsMax: this.#settings.cachedDecisionsMax,
    });
    return { allow: true, clientId, access };
  }

  #publishHook(principal: Principal): ((topic: string, retain: boolean) => Decision) | null {
    const hook = this.#settings.authorizePublish;
    if (hook === null) return null;
    return (topic, retain) => this.#ask("authorizePublish", () => hook(principal, topic, { retain }));
  }

  #subscribeHook(principal: Principal): ((filter: string, group: string | null) => Decision) | null {
    const hook = this.#settings.authorizeSubscribe;
    if (hook === null) return null;
    return (filter, group) => this.#ask("authorizeSubscribe", () => hook(principal, filter, { group }));
  }

  #ask(name: string, call: () => unknown): Decision {
    try {
      const answer = call();
      if (!isPromiseLike(answer)) return this.#answerOf(name, answer);
      return this.#awaitAnswer(name, answer);
    } catch (error) {
      this.#failed(name, error);
      return false;
    }
  }

  async #awaitAnswer(name: string, pending: PromiseLike<unknown>): Promise<boolean> {
    try {
      const { clock } = this.#options;
      return this.#answerOf(name, await withinDeadline(pending, { clock, timeoutMs: this.#settings.timeoutMs }));
    } catch (error) {
      this.#failed(name, error);
      return false;
    }
  }

  #answerOf(name: string, answer: unknown): boolean {
    if (typeof answer === "boolean") return answer;
    throw new TypeError(`${name} has to answer true or false`);
  }

  #failed(hook: string, error: unknown): void {
    this.#options.onHookFailed(hook, error);
  }
}

type Allowed = Extract<AuthDecision, { readonly allow: true }>;

const NO_PASSWORD: Uint8Array = new Uint8Array(0);

const REASONS: ReadonlySet<unknown> = new Set<DenyReason>(["badCredentials", "notAuthorized", "banned", "serverBusy"]);

function deny(reason: DenyReason): Entry {
  return { allow: false, reason };
}

/** Applications need not be written in TypeScript: nothing but the two forms lets anybody in. */
function isDecision(value: unknown): value is AuthDecision {
  if (typeof value !== "object" || value === null || !("allow" in value)) return false;
  if (value.allow === false) return "reason" in value && REASONS.has(value.reason);
  if (value.allow !== true) return false;
  const { principal, clientId } = value as { principal?: unknown; clientId?: unknown };
  return isTextOrMissing(principal) && isTextOrMissing(clientId) && clientId !== "";
}

function isTextOrMissing(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}
