import { MessagingError } from "polymq/internal";
import { describe, expect, test } from "vitest";
import { describeFailure } from "./failure.ts";

describe("describeFailure", () => {
  test("says in one line the code, what happened, and what the system said", () => {
    const cause = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
    const error = new MessagingError("ERR_CONNECT_FAILED", "could not\n  connect", { cause });
    expect(describeFailure(error)).toBe("ERR_CONNECT_FAILED: could not connect (ECONNREFUSED)");
  });

  test("does not say the same code twice", () => {
    const cause = new MessagingError("ERR_CONNECTION_LOST", "read ECONNRESET");
    const error = new MessagingError("ERR_CONNECTION_LOST", "the connection broke: read ECONNRESET", { cause });
    expect(describeFailure(error)).toBe("ERR_CONNECTION_LOST: the connection broke: read ECONNRESET");
  });

  test("of the system keeps the system's code", () => {
    const error = Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), { code: "ENOENT" });
    expect(describeFailure(error)).toBe("ENOENT: no such file or directory, open 'x'");
  });
});
