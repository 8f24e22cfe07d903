import { scryptSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { UserSettings } from "./auth-settings.ts";
import { UserTable } from "./user-table.ts";

function user(username: string, secret: Partial<UserSettings>): UserSettings {
  return { username, password: null, passwordHash: null, publish: null, subscribe: null, ...secret };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Cheap enough for tests that make many checks. */
function cheapHash(password: string): string {
  const salt = Buffer.from("0123456789abcdef");
  const key = scryptSync(password, salt, 32, { N: 2, r: 1, p: 1 });
  const text = (data: Buffer): string => data.toString("base64").replaceAll("=", "");
  return `$scrypt$ln=1,r=1,p=1$${text(salt)}$${text(key)}`;
}

const ann = user("ann", { password: "sesame" });
const bob = user("bob", { passwordHash: cheapHash("mellon") });

describe("UserTable", () => {
  test("a plain password is checked at once", () => {
    const table = new UserTable([ann]);
    expect(table.check("ann", bytes("sesame"))).toEqual({ is: "user", user: ann });
    expect(table.check("ann", bytes("Sesame"))).toEqual({ is: "wrong" });
    expect(table.check("ann", bytes(""))).toEqual({ is: "wrong" });
  });

  test("a hashed password is checked", async () => {
    const table = new UserTable([ann, bob]);
    expect(await table.check("bob", bytes("mellon"))).toEqual({ is: "user", user: bob });
    expect(await table.check("bob", bytes("melon"))).toEqual({ is: "wrong" });
  });

  test("a password that was right once is known without hashing", async () => {
    const table = new UserTable([bob]);
    await table.check("bob", bytes("mellon"));
    expect(table.check("bob", bytes("mellon"))).toEqual({ is: "user", user: bob });
  });

  test("a user that does not exist costs as much as one that does", async () => {
    const hashed = new UserTable([bob]).check("nobody", bytes("mellon"));
    expect(hashed).toBeInstanceOf(Promise);
    expect(await hashed).toEqual({ is: "wrong" });
    expect(new UserTable([ann]).check("nobody", bytes("sesame"))).toEqual({ is: "wrong" });
  });

  test.each(["__proto__", "constructor", "toString"])("the name %s is nobody's", (name) => {
    expect(new UserTable([ann]).check(name, bytes("sesame"))).toEqual({ is: "wrong" });
  });

  test("too many checks at a time are refused as busy, the others are all answered", async () => {
    const table = new UserTable([bob]);
    const checks = Array.from({ length: 300 }, (_, i) => table.check("bob", bytes(`guess ${i}`)));
    const results = await Promise.all(checks);
    expect(results.filter(({ is }) => is === "busy")).toHaveLength(300 - 2 - 256);
    expect(results.filter(({ is }) => is === "wrong")).toHaveLength(2 + 256);
    expect(await table.check("bob", bytes("mellon"))).toEqual({ is: "user", user: bob });
  });

  test("a hash in a wrong form is ERR_INVALID_OPTIONS", () => {
    const table = (): UserTable => new UserTable([user("eve", { passwordHash: "secret" })]);
    expect(table).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTIONS" }));
  });
});
