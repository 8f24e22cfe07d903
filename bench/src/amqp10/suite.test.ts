import { describe, expect, test } from "vitest";
import { parseOptions } from "../harness/options.ts";
import { GoProgram } from "./go-program.ts";
import { amqp10ClientSuite } from "./suite.ts";

function skips(...args: string[]): readonly string[] {
  return amqp10ClientSuite(new GoProgram("a-go-that-there-is-not")).skips(parseOptions(["amqp10", ...args]));
}

describe("go-amqp as a contender", () => {
  test("is left out in plain sight where Go is missing", () => {
    expect(skips()).toEqual([expect.stringMatching(/^go-amqp is left out: /)]);
  });

  test("is not looked for when it is not asked for", () => {
    expect(skips("--only", "ours,rhea")).toEqual([]);
  });
});
