import { describe, expect, test } from "vitest";
import { brokerSettings } from "./settings.ts";

/** The message with which options are refused. */
function refusal(options: object): string {
  try {
    brokerSettings(options);
    return "accepted";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("queues in the options", () => {
  test("are none by default, and made when they are used: durable with a directory, else ephemeral", () => {
    expect(brokerSettings()).toMatchObject({ queues: [], autoCreateQueues: "ephemeral" });
    expect(brokerSettings({ dataDir: "/x" }).autoCreateQueues).toBe("durable");
    expect(brokerSettings({ dataDir: "/x", autoCreateQueues: "refuse" }).autoCreateQueues).toBe("refuse");
  });

  test("have defaults", () => {
    expect(brokerSettings({ queues: [{ name: "q" }] }).queues[0]).toEqual({
      name: "q",
      kind: "classic",
      lifetime: "durable",
      topics: [],
      maxMessageBytes: 10_485_760,
      maxDepth: 100_000,
      maxBytes: 0,
      overflow: "reject",
      ttlMs: 604_800_000,
      deliveryLimit: 5,
      visibilityTimeoutMs: 30_000,
      retry: { delayMs: 0, maxMs: 300_000, multiplier: 2 },
      deadLetter: { enabled: true, queue: "$dlq/q" },
      retention: { ageMs: 0, bytes: 0, messages: 0 },
      priorityMax: 0,
      primaryGroup: "",
      autoCommitIntervalMs: 5_000,
      pendingMax: 100_000,
      singleActiveConsumer: false,
      groupExpiresAfterMs: 0,
      passingGroupExpiresAfterMs: 300_000,
      expiresAfterMs: 300_000,
    });
  });

  test("of streams have neither depth nor time to live", () => {
    expect(brokerSettings({ queues: [{ name: "s", kind: "stream" }] }).queues[0]).toMatchObject({
      maxDepth: 0,
      ttlMs: 0,
    });
  });

  test("take what is said", () => {
    const definition = {
      name: "q",
      topics: ["a/#"],
      retry: { delayMs: 5, multiplier: 1.5 },
      deadLetter: { enabled: false },
      retention: { bytes: 9 },
      maxDepth: 0,
    };
    expect(brokerSettings({ queues: [definition] }).queues[0]).toMatchObject({
      ...definition,
      retry: { delayMs: 5, maxMs: 300_000, multiplier: 1.5 },
      retention: { ageMs: 0, bytes: 9, messages: 0 },
    });
  });

  test.each([
    [{ queues: {} }, "queues: must be a list"],
    [{ queues: [{}] }, "queues[0].name: is required"],
    [{ queues: [{ name: "a/b" }] }, "queues[0].name: a queue's name has no /, +, # or U+0000"],
    [{ queues: [{ name: "q" }, { name: "q" }] }, "queues: q is there twice"],
    [{ queues: [{ name: "q", depth: 1 }] }, "queues[0].depth: is no known option"],
    [{ queues: [{ name: "q", retry: { delay: 1 } }] }, "queues[0].retry.delay: is no known option"],
    [{ queues: [{ name: "q", deadLetter: { on: true } }] }, "queues[0].deadLetter.on: is no known option"],
    [{ queues: [{ name: "q", maxDepth: "1" }] }, "queues[0].maxDepth: must be a number"],
    [
      { queues: [{ name: "q", pendingMax: 0 }] },
      `queues[0].pendingMax: must be a whole number from 1 to ${2 ** 53 - 1}`,
    ],
    [{ queues: [{ name: "q", kind: "log" }] }, "queues[0].kind: must be one of classic, stream"],
    [{ autoCreateQueues: "yes" }, "autoCreateQueues: must be one of durable, ephemeral, refuse"],
    [{ queueLimits: { groupsMax: 0 } }, "queueLimits.groupsMax: must be a whole number from 1 to 4294967295"],
    [{ queueLimits: { depth: 0 } }, "queueLimits.depth: is no known option"],
  ])("%j is refused", (options, message) => {
    expect(refusal(options)).toBe(message);
  });
});
