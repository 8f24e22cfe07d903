import { VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { AccessControl, type Entry } from "./access-control.ts";
import type { AuthDecision, AuthenticateRequest } from "./auth-hooks.ts";
import type { AuthSettings, UserSettings } from "./auth-settings.ts";
import { hashPassword } from "./password-hash.ts";

const OPEN: AuthSettings = {
  authenticate: null,
  authorizePublish: null,
  authorizeSubscribe: null,
  users: [],
  anonymous: { publish: null, subscribe: null },
  timeoutMs: 1_000,
  cacheMs: 0,
  cachedDecisionsMax: 10,
};

const ann: UserSettings = {
  username: "ann",
  password: "sesame",
  passwordHash: null,
  publish: ["%u/#"],
  subscribe: ["%c/#"],
};

const REQUEST: AuthenticateRequest = {
  clientId: "c1",
  username: null,
  password: null,
  certificateCommonName: "",
  protocol: "mqtt",
  transport: { kind: "tcp", remoteAddress: "127.0.0.1", remotePort: 1, secure: false, peerCommonName: "" },
};

function credentials(username: string, password: string): AuthenticateRequest {
  return { ...REQUEST, username, password: new TextEncoder().encode(password) };
}

interface Bench {
  readonly control: AccessControl;
  readonly clock: VirtualClock;
  readonly failures: string[];
}

function bench(settings: Partial<AuthSettings>): Bench {
  const clock = new VirtualClock();
  const failures: string[] = [];
  const onHookFailed = (hook: string, error: unknown): void => {
    failures.push(`${hook}: ${error instanceof Error ? error.message : String(error)}`);
  };
  return {
    control: new AccessControl({ settings: { ...OPEN, ...settings }, clock, onHookFailed }),
    clock,
    failures,
  };
}

function allowed(entry: Entry | Promise<Entry>): Extract<Entry, { readonly allow: true }> {
  if (entry instanceof Promise || !entry.allow) throw new Error("expected to be let in at once");
  return entry;
}

describe("without users and hooks", () => {
  test("everybody is let in and may do everything", () => {
    const { clientId, access } = allowed(bench({}).control.authenticate(REQUEST));
    expect(clientId).toBe("c1");
    expect(access.principal).toEqual({ name: "", clientId: "c1", protocol: "mqtt", attributes: undefined });
    expect(access.mayPublishAll).toBe(true);
  });

  test("a user name proves nothing: its owner stays anonymous", () => {
    const { access } = allowed(bench({}).control.authenticate(credentials("ann", "x")));
    expect(access.principal.name).toBe("");
  });

  test("anonymous clients keep to the permissions that they were given", () => {
    const { control } = bench({ anonymous: { publish: [], subscribe: ["public/#", "%u/#"] } });
    const { access } = allowed(control.authenticate(credentials("ann", "x")));
    expect(access.mayPublish("public/x", false, 0)).toBe(false);
    expect([access.maySubscribe("public/+", null), access.maySubscribe("ann/x", null)]).toEqual([true, false]);
  });

  test("nobody is let in where anonymous clients are refused", () => {
    const { control } = bench({ anonymous: "refuse" });
    expect(control.authenticate(REQUEST)).toEqual({ allow: false, reason: "notAuthorized" });
  });
});

describe("with users", () => {
  const table = { users: [ann], anonymous: "refuse" } as const;

  test("the right password opens, with the user's permissions and placeholders filled in", () => {
    const { access } = allowed(bench(table).control.authenticate(credentials("ann", "sesame")));
    expect(access.principal.name).toBe("ann");
    expect([access.mayPublish("ann/x", false, 0), access.mayPublish("bob/x", false, 0)]).toEqual([true, false]);
    expect([access.maySubscribe("c1/#", null), access.maySubscribe("#", null)]).toEqual([true, false]);
  });

  test.each([
    ["a wrong password", credentials("ann", "wrong"), "badCredentials"],
    ["an unknown user", credentials("bob", "sesame"), "badCredentials"],
    ["a user without a password", { ...REQUEST, username: "ann" }, "badCredentials"],
    ["no user at all", REQUEST, "notAuthorized"],
  ] as const)("%s is refused", (_, request, reason) => {
    expect(bench(table).control.authenticate(request)).toEqual({ allow: false, reason });
  });

  test("a hashed password opens", async () => {
    const users = [{ ...ann, password: null, passwordHash: await hashPassword("sesame") }];
    const { control } = bench({ users, timeoutMs: 60_000 });
    expect(await control.authenticate(credentials("ann", "sesame"))).toMatchObject({ allow: true, clientId: "c1" });
    expect(await control.authenticate(credentials("ann", "wrong"))).toEqual({ allow: false, reason: "badCredentials" });
  });

  test("a hook for publishing narrows the user's permissions further", () => {
    const { control } = bench({ ...table, authorizePublish: (_, topic) => topic.endsWith("/ok") });
    const { access } = allowed(control.authenticate(credentials("ann", "sesame")));
    const answers = ["ann/ok", "ann/no", "bob/ok"].map((topic) => access.mayPublish(topic, false, 0));
    expect(answers).toEqual([true, false, false]);
  });
});

describe("the hook authenticate", () => {
  test("sees all that is known of the client", () => {
    const seen: AuthenticateRequest[] = [];
    const { control } = bench({
      authenticate: (request) => {
        seen.push(request);
        return { allow: true };
      },
    });
    const request = { ...credentials("ann", "x"), certificateCommonName: "device-7" };
    allowed(control.authenticate(request));
    expect(seen).toEqual([request]);
  });

  test("names the principal, another client id and attributes for later hooks", () => {
    const { control } = bench({
      authenticate: () => ({ allow: true, principal: "tenant-1", clientId: "t1-c1", attributes: { role: "admin" } }),
      authorizePublish: (principal) => JSON.stringify(principal.attributes) === '{"role":"admin"}',
    });
    const { clientId, access } = allowed(control.authenticate(REQUEST));
    expect(clientId).toBe("t1-c1");
    expect(access.principal).toMatchObject({ name: "tenant-1", clientId: "t1-c1" });
    expect(access.mayPublish("x", false, 0)).toBe(true);
  });

  test.each(["badCredentials", "notAuthorized", "banned", "serverBusy"] as const)("refuses because of %s", (reason) => {
    const { control } = bench({ authenticate: () => Promise.resolve({ allow: false, reason }) });
    return expect(control.authenticate(REQUEST)).resolves.toEqual({ allow: false, reason });
  });

  test("may take its time, but not more than the deadline", async () => {
    const { control, clock, failures } = bench({ authenticate: () => new Promise(() => {}) });
    const entry = control.authenticate(REQUEST);
    await clock.advance(1_000);
    expect(await entry).toEqual({ allow: false, reason: "serverBusy" });
    expect(failures).toEqual(["authenticate: no answer within 1000 ms"]);
  });

  test.each([
    ["throws", (): never => fail()],
    ["rejects", (): Promise<never> => Promise.reject(new Error("database gone"))],
  ])("that %s lets nobody in", async (_, authenticate) => {
    const { control, failures } = bench({ authenticate });
    expect(await control.authenticate(REQUEST)).toEqual({ allow: false, reason: "serverBusy" });
    expect(failures).toEqual(["authenticate: database gone"]);
  });

  test.each([
    undefined,
    null,
    true,
    "allow",
    {},
    { allow: 1 },
    { allow: "true" },
    { allow: false },
    { allow: false, reason: "because" },
    { allow: true, principal: 7 },
    { allow: true, clientId: "" },
  ])("that answers %j lets nobody in", async (answer) => {
    const late = bench({ authenticate: () => Promise.resolve(answer as unknown as AuthDecision) });
    expect(await late.control.authenticate(REQUEST)).toEqual({ allow: false, reason: "serverBusy" });
    const atOnce = bench({ authenticate: () => answer as unknown as AuthDecision });
    expect(atOnce.control.authenticate(REQUEST)).toEqual({ allow: false, reason: "serverBusy" });
  });
});

describe("the hooks authorizePublish and authorizeSubscribe", () => {
  test.each([
    ["throws", (): never => fail()],
    ["rejects", (): Promise<boolean> => Promise.reject(new Error("database gone"))],
    ["answers with something else than true or false", (): boolean => 1 as unknown as boolean],
  ])("one that %s allows nothing", async (_, hook) => {
    const { control, failures } = bench({ authorizePublish: hook, authorizeSubscribe: hook });
    const { access } = allowed(control.authenticate(REQUEST));
    expect(await access.mayPublish("t", false, 0)).toBe(false);
    expect(await access.maySubscribe("t", null)).toBe(false);
    expect(failures).toHaveLength(2);
  });

  test("one that is too slow allows nothing", async () => {
    const never = (): Promise<boolean> => new Promise(() => {});
    const { control, clock } = bench({ authorizePublish: never, authorizeSubscribe: never });
    const { access } = allowed(control.authenticate(REQUEST));
    const answers = Promise.all([access.mayPublish("t", false, 0), access.maySubscribe("t", null)]);
    await clock.advance(1_000);
    expect(await answers).toEqual([false, false]);
  });

  test("see whether a message is retained and which group shares a subscription", () => {
    const { control } = bench({
      authorizePublish: (_, __, { retain }) => retain,
      authorizeSubscribe: (_, __, { group }) => group === "workers",
    });
    const { access } = allowed(control.authenticate(REQUEST));
    expect([access.mayPublish("t", true, 0), access.mayPublish("t", false, 0)]).toEqual([true, false]);
    expect([access.maySubscribe("t", "workers"), access.maySubscribe("t", null)]).toEqual([true, false]);
  });
});

function fail(): never {
  throw new Error("database gone");
}
