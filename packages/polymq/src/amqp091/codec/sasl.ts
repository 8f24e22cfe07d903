/** The SASL mechanisms of AMQP 0-9-1: responses of a client, and what a server reads out of them. */
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { ByteReader } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { invalid, syntaxError } from "./failures.ts";
import { decodeTable } from "./field-table-decoder.ts";
import { encodeTable } from "./field-table-encoder.ts";

/** A mechanism as a client uses it. */
export interface SaslMechanism {
  /** As in `connection.start`. */
  readonly name: string;
  /** The initial response, for `connection.start-ok`. */
  readonly response: Uint8Array;
  /** Answers `connection.secure`; null where the mechanism knows no challenge. */
  readonly answer: ((challenge: Uint8Array) => Uint8Array) | null;
}

/** What PLAIN and AMQPLAIN carry. */
export interface SaslCredentials {
  readonly username: string;
  readonly password: string;
}

/** PLAIN (RFC 4616): NUL, user, NUL, password. @throws {MessagingError} ERR_INVALID_ARGUMENT for U+0000 in either */
export function saslPlain(text: TextCodec, credentials: SaslCredentials): SaslMechanism {
  const { username, password } = credentials;
  if (username.includes("\0") || password.includes("\0")) throw invalid("user and password may not hold U+0000");
  const w = new ByteWriter(text, 2 + (username.length + password.length) * 3);
  w.u8(0);
  w.utf8(username);
  w.u8(0);
  w.utf8(password);
  return { name: "PLAIN", response: w.copyFrom(0), answer: null };
}

/** AMQPLAIN: a field table with LOGIN and PASSWORD, without its length. */
export function saslAmqplain(text: TextCodec, credentials: SaslCredentials): SaslMechanism {
  const w = new ByteWriter(text, 128);
  encodeTable(w, { LOGIN: credentials.username, PASSWORD: credentials.password });
  return { name: "AMQPLAIN", response: w.copyFrom(4), answer: null };
}

/** EXTERNAL (RFC 4422, appendix A): the server knows who we are, by TLS as a rule. */
export function saslExternal(): SaslMechanism {
  return { name: "EXTERNAL", response: NO_BYTES, answer: null };
}

/** ANONYMOUS (RFC 4505), without trace information. */
export function saslAnonymous(): SaslMechanism {
  return { name: "ANONYMOUS", response: NO_BYTES, answer: null };
}

/** Reads a PLAIN response, whose authorization identity is not looked at. `ERR_MALFORMED_PACKET` (502) when it has another form. */
export function readSaslPlain(text: TextCodec, response: Uint8Array): SaslCredentials {
  const first = response.indexOf(0);
  const second = response.indexOf(0, first + 1);
  if (first < 0 || second < 0 || response.indexOf(0, second + 1) >= 0)
    throw syntaxError("a PLAIN response without two NULs");
  return {
    username: utf8(text, response, first + 1, second),
    password: utf8(text, response, second + 1, response.length),
  };
}

/** Reads an AMQPLAIN response. `ERR_MALFORMED_PACKET` (502) when it has another form. */
export function readSaslAmqplain(text: TextCodec, response: Uint8Array): SaslCredentials {
  const w = new ByteWriter(text, 4 + response.length);
  w.u32(response.length);
  w.bytes(response);
  const table = decodeTable(new ByteReader(text, w.buffer));
  const { LOGIN: username, PASSWORD: password } = table as { LOGIN?: unknown; PASSWORD?: unknown };
  if (typeof username === "string" && typeof password === "string") return { username, password };
  throw syntaxError("an AMQPLAIN response without LOGIN and PASSWORD");
}

function utf8(text: TextCodec, bytes: Uint8Array, start: number, end: number): string {
  return new ByteReader(text, bytes.subarray(start, end)).utf8(end - start);
}
