import { describe, expect, test } from "vitest";
import { oauthBearerResponse, plainResponse, ScramClient, xoauth2Response } from "./scram.ts";
import { hashes } from "./scram-hashes.test-support.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("SCRAM", () => {
  const rows = [
    [
      "SHA-1",
      "fyko+d2lbbFgONRv9qkxdawL",
      "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
      "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ],
    [
      "SHA-256",
      "rOprNGfwEbeRWgbNEkqO",
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ],
  ] as const;

  test.each(rows)(
    "with %s does as the published exchange (RFC 5802 §5, RFC 7677 §3)",
    async (hash, nonce, challenge, final, signature) => {
      const client = new ScramClient({ hash, nonce, username: "user", password: "pencil", hashes });
      expect(text(client.first())).toBe(`n,,n=user,r=${nonce}`);
      expect(text(await client.final(bytes(challenge)))).toBe(final);
      client.verify(bytes(signature));
      const wrong = expect.objectContaining({ code: "ERR_AUTH_FAILED" });
      expect(() => client.verify(bytes("v=AAAA"))).toThrow(wrong);
      expect(() => client.verify(bytes(signature.replace(/=(.)/, "=A$1").slice(0, signature.length)))).toThrow(wrong);
      expect(() => client.verify(bytes("e=other-error"))).toThrow(wrong);
    },
  );

  test.each([
    ["another nonce", "r=evil,s=QSXCR+Q6sek8bf92,i=4096"],
    ["our nonce alone", "r=abc,s=QSXCR+Q6sek8bf92,i=4096"],
    ["too few rounds", "r=abcd,s=QSXCR+Q6sek8bf92,i=1"],
    ["too many rounds", "r=abcd,s=QSXCR+Q6sek8bf92,i=99999999"],
    ["no salt", "r=abcd,i=4096"],
    ["an extension", "m=x,r=abcd,s=QSXCR+Q6sek8bf92,i=4096"],
  ])("refuses a challenge with %s", async (_, challenge) => {
    const client = new ScramClient({ hash: "SHA-256", nonce: "abc", username: "u", password: "p", hashes });
    await expect(client.final(bytes(challenge))).rejects.toMatchObject({ code: "ERR_AUTH_FAILED" });
  });

  test("escapes names", () => {
    const client = new ScramClient({ hash: "SHA-1", nonce: "n", username: "a=b,c", password: "p", hashes });
    expect(text(client.first())).toBe("n,,n=a=3Db=2Cc,r=n");
  });
});

describe("other mechanisms", () => {
  test("say what they should, in UTF-8 (S20)", () => {
    expect([...plainResponse("ü", "p")]).toEqual([0, 0xc3, 0xbc, 0, 0x70]);
    expect(text(xoauth2Response("u", "t"))).toBe("user=u\x01auth=Bearer t\x01\x01");
    expect(text(oauthBearerResponse("u,", "t"))).toBe("n,a=u=2C,\x01auth=Bearer t\x01\x01");
    expect(() => plainResponse("a\0b", "p")).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
  });
});
