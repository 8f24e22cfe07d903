import { describe, expect, it } from "vitest";
import { type ErrorCode, isMessagingError, MessagingError } from "./errors.ts";

describe("MessagingError", () => {
  it.each<[ErrorCode, string, string]>([
    ["ERR_INVALID_ARGUMENT", "call", "never"],
    ["ERR_NOT_CONNECTED", "call", "later"],
    ["ERR_TIMEOUT", "call", "unknown"],
    ["ERR_PUBLISH_REJECTED", "message", "later"],
    ["ERR_CHANNEL_CLOSED", "channel", "later"],
    ["ERR_SESSION_LOST", "session", "unknown"],
    ["ERR_PING_TIMEOUT", "connection", "reconnect"],
    ["ERR_AUTH_METHOD_MISMATCH", "connection", "never"],
  ])("says of %s what it ends, the %s, and whether to try again: %s", (code, scope, retry) => {
    const error = new MessagingError(code, "it failed");
    expect([error.scope, error.retry]).toEqual([scope, retry]);
  });

  it("knows its own and nothing else", () => {
    expect(isMessagingError(new MessagingError("ERR_TIMEOUT", "too late"))).toBe(true);
    expect(isMessagingError(new Error("ERR_TIMEOUT"))).toBe(false);
    expect(isMessagingError(null)).toBe(false);
  });
});
