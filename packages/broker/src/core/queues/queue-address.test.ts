import { describe, expect, test } from "vitest";
import {
  checkGroupName,
  groupIdOf,
  keyStartIn,
  parseQueueAddress,
  parseQueueFilter,
  queueNameFault,
} from "./queue-address.ts";

/** `name|key` of a message's address, else what it is. */
function read(topic: string): string | null {
  const address = parseQueueAddress(topic);
  if (address === null) return null;
  return address.is === "publish" ? `${address.queue}|${topic.slice(address.keyStart)}` : address.is;
}

describe("a topic below $queue/", () => {
  test("names a queue in its first level, and a routing key in the others", () => {
    expect(read("$queue/tasks")).toBe("tasks|");
    expect(read("$queue/tasks/orders")).toBe("tasks|orders");
    expect(read("$queue/tasks/a/b//c")).toBe("tasks|a/b//c");
  });

  test("names a dead-letter queue in its first two levels", () => {
    expect(read("$queue/$dlq/tasks")).toBe("$dlq/tasks|");
    expect(read("$queue/$dlq/tasks/a/b")).toBe("$dlq/tasks|a/b");
  });

  test.each(["$ack", "$nack", "$reject"])("settles when its last level is %s, whatever the key", (verb) => {
    for (const key of ["", "/a/b"]) {
      expect(parseQueueAddress(`$queue/q${key}/${verb}`)).toEqual({ is: "settle", queue: "q", verb: verb.slice(1) });
    }
  });

  test("commits when its last level is $commit", () => {
    expect(parseQueueAddress("$queue/q/$commit")).toEqual({ is: "commit", queue: "q" });
    expect(parseQueueAddress("$queue/q/a/$commit")).toEqual({ is: "commit", queue: "q" });
  });

  test.each(["$queue/q/$ack/a", "$queue/q/$commit/$ack", "$queue/q/$nack/b/c"])(
    "%s has its verb in the wrong place",
    (topic) => {
      expect(read(topic)).toBe("malformed");
    },
  );

  test.each(["$queue/", "$queue//a", "$queue/$ack", "$queue/$other/a", "$queue/$dlq", "$queue/$dlq//a", "$queue/a+b"])(
    "%s names no queue",
    (topic) => {
      expect(read(topic)).toBe("malformed");
    },
  );

  test("a misspelled verb is a routing key", () => {
    expect(read("$queue/q/$acks")).toBe("q|$acks");
  });

  test("other topics are no addresses", () => {
    expect(["$queue", "queue/q", "$dlq/q", "a/$queue/q"].map(read)).toEqual([null, null, null, null]);
  });
});

test("a filter below $queue/ names a queue and a filter for keys", () => {
  const read = (filter: string) => {
    const found = parseQueueFilter(filter);
    return found?.is === "consume" ? [found.queue, found.filter] : (found?.is ?? null);
  };
  expect(read("$queue/q")).toEqual(["q", ""]);
  expect(read("$queue/q/#")).toEqual(["q", "#"]);
  expect(read("$queue/$dlq/q/a/+")).toEqual(["$dlq/q", "a/+"]);
  expect(read("$queue/+/a")).toBe("malformed");
  expect(read("a/#")).toBeNull();
});

test("a topic has a routing key only in the queue that it is addressed to", () => {
  const key = (topic: string, queue: string) => topic.slice(keyStartIn(topic, queue));
  expect(key("$queue/q/a/b", "q")).toBe("a/b");
  expect(key("$queue/q", "q")).toBe("");
  expect(key("$queue/qq/a", "q")).toBe("");
  expect(key("a/b", "q")).toBe("");
});

test("names of queues have 1 to 255 characters, no level separator, wildcard or leading $", () => {
  expect(["q", "$dlq/q", "a".repeat(255), "übung", "a.b-c"].map(queueNameFault)).toEqual([
    null,
    null,
    null,
    null,
    null,
  ]);
  for (const name of ["", "a".repeat(256), "a/b", "a+", "#", "$q", "$dlq/", "$dlq/$dlq/q", "$dlq/a/b", "a\0"]) {
    expect(queueNameFault(name), name).not.toBeNull();
  }
});

test("a group's name has 1 to 255 characters", () => {
  for (const name of ["", "a".repeat(256), "a\0"]) {
    expect(() => checkGroupName(name)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
  }
  checkGroupName("a".repeat(255));
});

test("a group with a filter has it in its id", () => {
  expect([groupIdOf("g", ""), groupIdOf("g", "#"), groupIdOf("g", "a/+")]).toEqual(["g", "g@#", "g@a/+"]);
});
