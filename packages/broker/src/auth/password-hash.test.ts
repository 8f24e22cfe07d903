import { scryptSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { hashPassword, parsePasswordHash, verifyPassword } from "./password-hash.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

describe("hashPassword", () => {
  test("the right password passes, any other does not", async () => {
    const hash = parsePasswordHash(await hashPassword("correct horse"));
    expect(await verifyPassword(bytes("correct horse"), hash)).toBe(true);
    expect(await verifyPassword(bytes("correct horsf"), hash)).toBe(false);
    expect(await verifyPassword(bytes(""), hash)).toBe(false);
  });

  test("the same password gets another salt each time", async () => {
    expect(await hashPassword("x")).not.toBe(await hashPassword("x"));
  });

  test("a hash that another program made is checked with its own parameters", async () => {
    const salt = Buffer.from("0123456789abcdef");
    const key = scryptSync("secret", salt, 32, { N: 1024, r: 4, p: 2 });
    const text = `$scrypt$ln=10,r=4,p=2$${unpadded(salt)}$${unpadded(key)}`;
    expect(await verifyPassword(bytes("secret"), parsePasswordHash(text))).toBe(true);
  });
});

describe("parsePasswordHash", () => {
  const salt = "MDEyMzQ1Njc4OWFiY2RlZg";
  const hash = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";

  test.each([
    ["plain text", "secret"],
    ["another algorithm", `$argon2id$v=19$m=65536,t=2,p=1$${salt}$${hash}`],
    ["a missing hash", `$scrypt$ln=14,r=8,p=1$${salt}$`],
    ["a short salt", `$scrypt$ln=14,r=8,p=1$MDEy$${hash}`],
    ["more behind it", `$scrypt$ln=14,r=8,p=1$${salt}$${hash}\n`],
  ])("%s is ERR_INVALID_OPTIONS", (_, text) => {
    expect(() => parsePasswordHash(text)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTIONS" }));
  });

  test.each(["ln=30,r=8,p=1", "ln=14,r=0,p=1", "ln=14,r=8,p=0", "ln=0,r=8,p=1"])("the cost %s is refused", (cost) => {
    expect(() => parsePasswordHash(`$scrypt$${cost}$${salt}$${hash}`)).toThrow(/out of range/);
  });
});

function unpadded(data: Uint8Array): string {
  return Buffer.from(data).toString("base64").replaceAll("=", "");
}
