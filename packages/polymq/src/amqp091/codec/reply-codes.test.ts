import { expect, test } from "vitest";
import { MessagingError } from "../../base/errors.ts";
import {
  channelError,
  commandInvalid,
  frameError,
  notImplemented,
  syntaxError,
  tooLarge,
  unexpectedFrame,
} from "./failures.ts";
import { REPLY_CODES, ReplyCode, replyCodeOf, replyName, replyScope } from "./reply-codes.ts";

test.each([
  [frameError(""), 501],
  [syntaxError(""), 502],
  [commandInvalid(""), 503],
  [channelError(""), 504],
  [unexpectedFrame(""), 505],
  [notImplemented(""), 540],
  [tooLarge(""), 311],
  [new MessagingError("ERR_LIMIT_EXCEEDED", ""), 506],
  [new MessagingError("ERR_NEGOTIATION_FAILED", ""), 530],
  [new MessagingError("ERR_AUTH_FAILED", ""), 403],
  [new MessagingError("ERR_PING_TIMEOUT", ""), 320],
  [new MessagingError("ERR_STORE_FAILED", ""), 541],
])("%s is told as %i", (error, code) => {
  expect(replyCodeOf(error)).toBe(code);
});

test("every reply code has a name and a scope, and the names give the same codes", () => {
  expect(Object.values(ReplyCode)).toEqual(Object.keys(REPLY_CODES).map(Number));
  expect([replyName(404), replyScope(404)]).toEqual(["NOT_FOUND", "channel"]);
  expect([replyName(501), replyScope(501)]).toEqual(["FRAME_ERROR", "connection"]);
  expect([replyName(200), replyScope(200)]).toEqual(["REPLY_SUCCESS", "none"]);
  expect([replyName(999), replyScope(999)]).toEqual(["UNKNOWN", "connection"]);
});
