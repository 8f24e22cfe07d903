import { describe, expect, test } from "vitest";
import { ScramClient, type ScramHash } from "./scram.ts";
import { hashes } from "./scram-hashes.test-support.ts";
import { type ScramKeys, ScramServer, scramKeys } from "./scram-server.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const base64 = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, "base64"));
const AUTH_FAILED: unknown = expect.objectContaining({ code: "ERR_AUTH_FAILED" });

function keysOf(password: string, hash: ScramHash = "SHA-256"): Promise<ScramKeys> {
  return scramKeys({ hash, password, salt: utf8("salty"), iterations: 4_096, hashes });
}

const server = (hash: ScramHash = "SHA-256", nonce = "theirs"): ScramServer => new ScramServer({ hash, nonce, hashes });

describe("the exchange of the standards", () => {
  test("RFC 5802 §5 with SHA-1", async () => {
    const keys = await scramKeys({
      hash: "SHA-1",
      password: "pencil",
      salt: base64("QSXCR+Q6sek8bf92"),
      iterations: 4_096,
      hashes,
    });
    const scram = server("SHA-1", "3rfcNHYJY1ZVvWVs7j");
    expect(scram.first(utf8("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"))).toBe("user");
    expect(text(scram.challenge(keys))).toBe("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
    const final = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    expect(text(await scram.final(utf8(final)))).toBe("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
  });

  test("RFC 7677 §3 with SHA-256", async () => {
    const keys = await scramKeys({
      hash: "SHA-256",
      password: "pencil",
      salt: base64("W22ZaJ0SNY7soEsUEjb6gQ=="),
      iterations: 4_096,
      hashes,
    });
    const scram = server("SHA-256", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    scram.first(utf8("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
    scram.challenge(keys);
    const final =
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    expect(text(await scram.final(utf8(final)))).toBe("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  });
});

describe("our client and our server", () => {
  test.each([
    ["SHA-1", "user", "pencil"],
    ["SHA-256", "a,b=c", "geheim, = "],
    ["SHA-512", "jürgen", "pa\u00a0ss\u00ad ﬁ"],
  ] as const)("agree with %s for %s", async (hash, username, password) => {
    const client = new ScramClient({ hash, username, password, nonce: "ours", hashes });
    const scram = server(hash);
    expect(scram.first(client.first())).toBe(username);
    const answer = await client.final(scram.challenge(await keysOf(password, hash)));
    const proof = await scram.final(answer);
    expect(() => client.verify(proof)).not.toThrow();
  });

  test("do not with another password", async () => {
    const client = new ScramClient({ hash: "SHA-256", username: "u", password: "wrong", nonce: "ours", hashes });
    const scram = server();
    scram.first(client.first());
    const answer = await client.final(scram.challenge(await keysOf("right")));
    await expect(scram.final(answer)).rejects.toThrowError(AUTH_FAILED);
  });
});

describe("what a client may not say", () => {
  test.each([
    ["channel binding", "p=tls-unique,,n=user,r=abc"],
    ["an extension that must be understood", "n,,m=x,n=user,r=abc"],
    ["another identity", "n,a=root,n=user,r=abc"],
    ["nobody's name", "n,,n=,r=abc"],
    ["a bare equals sign", "n,,n=a=b,r=abc"],
    ["no nonce", "n,,n=user,r="],
    ["a nonce with blanks", "n,,n=user,r=a b"],
    ["nothing", ""],
    ["too much", `n,,n=${"x".repeat(5_000)},r=abc`],
  ])("at first: %s", (_, message) => {
    expect(() => server().first(utf8(message))).toThrowError(AUTH_FAILED);
  });

  test("at first: bytes that are no text", () => {
    expect(() => server().first(Uint8Array.of(0x6e, 0x2c, 0x2c, 0xff))).toThrowError(AUTH_FAILED);
  });

  test.each([
    ["another header", (final: string) => final.replace("c=biws", "c=eSws")],
    ["another nonce", (final: string) => final.replace("r=ours", "r=oors")],
    ["no proof", (final: string) => final.replace(/,p=.*/, "")],
    ["a short proof", (final: string) => final.replace(/,p=.*/, ",p=AAAA")],
    ["a changed proof", (final: string) => final.replace(/,p=./, (found) => `,p=${found.endsWith("A") ? "B" : "A"}`)],
    ["a proof that is no base64", (final: string) => final.replace(/,p=.*/, ",p=!")],
  ])("at last: %s", async (_, change) => {
    const client = new ScramClient({ hash: "SHA-256", username: "u", password: "p", nonce: "ours", hashes });
    const scram = server();
    scram.first(client.first());
    const answer = text(await client.final(scram.challenge(await keysOf("p"))));
    await expect(scram.final(utf8(change(answer)))).rejects.toThrowError(AUTH_FAILED);
  });

  test("the same identity twice is fine", () => {
    expect(server().first(utf8("n,a=user,n=user,r=abc"))).toBe("user");
  });
});
