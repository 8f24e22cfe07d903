import { describe, expect, test } from "vitest";
import { hashPassword } from "./auth/password-hash.ts";
import type { BrokerOptions } from "./options.ts";
import { brokerSettings } from "./settings.ts";

const ann = { username: "ann", password: "sesame" };
const allow = (): { readonly allow: true } => ({ allow: true });

describe("the options for access control", () => {
  test("users close the door to everybody else", () => {
    const { auth } = brokerSettings({ users: [ann] });
    expect(auth.anonymous).toBe("refuse");
    expect(auth.users).toEqual([{ ...ann, passwordHash: null, publish: null, subscribe: null }]);
  });

  test("so does a list of users without anybody in it", () => {
    expect(brokerSettings({ users: [] }).auth.anonymous).toBe("refuse");
  });

  test("clients without a user can be let in beside users, with permissions of their own", () => {
    expect(brokerSettings({ users: [ann], anonymous: "allow" }).auth.anonymous).toEqual({
      publish: null,
      subscribe: null,
    });
    const { auth } = brokerSettings({ users: [ann], anonymous: { publish: [], subscribe: ["public/#"] } });
    expect(auth.anonymous).toEqual({ publish: [], subscribe: ["public/#"] });
  });

  test("permissions and a password hash are taken", async () => {
    const passwordHash = await hashPassword("x");
    const { auth } = brokerSettings({ users: [{ username: "bob", passwordHash, publish: ["%u/+", "$queue/#"] }] });
    expect(auth.users[0]).toMatchObject({
      passwordHash,
      password: null,
      publish: ["%u/+", "$queue/#"],
      subscribe: null,
    });
  });

  test("hooks and their limits are taken", () => {
    const authorizePublish = (): boolean => true;
    const { auth } = brokerSettings({ auth: { authenticate: allow, authorizePublish, timeoutMs: 7, cacheMs: 0 } });
    expect(auth).toMatchObject({
      authenticate: allow,
      authorizePublish,
      authorizeSubscribe: null,
      timeoutMs: 7,
      cacheMs: 0,
    });
  });

  test.each<[object, RegExp]>([
    [{ users: "ann" }, /^users: /],
    [{ users: [ann, ann] }, /^users: ann is there twice$/],
    [{ users: [{ password: "x" }] }, /^users\[0\]\.username: is required$/],
    [{ users: [ann, { username: "bob" }] }, /^users\[1\]\.password: /],
    [{ users: [{ ...ann, passwordHash: "x" }] }, /^users\[0\]\.password: /],
    [{ users: [{ username: "bob", passwordHash: "x" }] }, /^users\[0\]\.passwordHash: not of the form/],
    [{ users: [{ ...ann, publish: ["a/#/b"] }] }, /^users\[0\]\.publish: a\/#\/b: /],
    [{ users: [{ ...ann, subscribe: "#" }] }, /^users\[0\]\.subscribe: /],
    [{ users: [{ ...ann, admin: true }] }, /^users\[0\]\.admin: /],
    [{ anonymous: "maybe" }, /^anonymous: /],
    [{ anonymous: { publish: ["+x"] } }, /^anonymous\.publish: /],
    [{ anonymous: { read: [] } }, /^anonymous\.read: /],
    [{ auth: { authenticate: true } }, /^auth\.authenticate: must be a function$/],
    [{ auth: { authenticate: allow }, users: [ann] }, /^users: has no meaning beside auth\.authenticate/],
    [{ auth: { authenticate: allow }, anonymous: "refuse" }, /^anonymous: has no meaning/],
  ])("%j is refused by the name of its field", (options, message) => {
    expect(() => brokerSettings(options as BrokerOptions)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTIONS", message: expect.stringMatching(message) }),
    );
  });
});
