import { expect, test } from "vitest";
import { hex, TEXT } from "./amqp091-arbitraries.test-support.ts";
import { readSaslAmqplain, readSaslPlain, saslAmqplain, saslAnonymous, saslExternal, saslPlain } from "./sasl.ts";

const CREDENTIALS = { username: "gäst", password: "p:w" };

test("PLAIN is NUL, user, NUL, password (RFC 4616)", () => {
  const plain = saslPlain(TEXT, { username: "a", password: "b" });
  expect([plain.name, plain.response]).toEqual(["PLAIN", hex("00 'a' 00 'b'")]);
  expect(readSaslPlain(TEXT, saslPlain(TEXT, CREDENTIALS).response)).toEqual(CREDENTIALS);
  expect(readSaslPlain(TEXT, hex("'id' 00 'a' 00 'b'"))).toEqual({ username: "a", password: "b" });
});

test("AMQPLAIN is a table without its length", () => {
  const amqplain = saslAmqplain(TEXT, { username: "a", password: "b" });
  expect(amqplain.response).toEqual(hex("05 'LOGIN' 'S' 00000001 'a' 08 'PASSWORD' 'S' 00000001 'b'"));
  expect(readSaslAmqplain(TEXT, saslAmqplain(TEXT, CREDENTIALS).response)).toEqual(CREDENTIALS);
});

test("EXTERNAL and ANONYMOUS say nothing", () => {
  expect([saslExternal().name, saslExternal().response.length]).toEqual(["EXTERNAL", 0]);
  expect([saslAnonymous().name, saslAnonymous().response.length]).toEqual(["ANONYMOUS", 0]);
});

test("a password with U+0000 is refused", () => {
  expect(() => saslPlain(TEXT, { username: "a", password: "\0" })).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
  );
});

test.each(["", "'guest'", "00 'a'", "00 'a' 00 'b' 00"])("a PLAIN response of %s is a syntax error", (notation) => {
  expect(() => readSaslPlain(TEXT, hex(notation))).toThrow(expect.objectContaining({ code: "ERR_MALFORMED_PACKET" }));
});

test.each(["", "05 'LOGIN' 'S' 00000001 'a'", "05 'LOGIN' 't' 01", "05"])(
  "an AMQPLAIN response of %s is a syntax error",
  (notation) => {
    expect(() => readSaslAmqplain(TEXT, hex(notation))).toThrow(
      expect.objectContaining({ code: "ERR_MALFORMED_PACKET" }),
    );
  },
);
