import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hostedName, hostedNameFault, hostOfQueue, nameInHost } from "./hosted-name.ts";
import { parseQueueAddress } from "./queue-address.ts";
import { queueSettings } from "./queue-settings.ts";

const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter((name) => !name.startsWith("$"));
const hosts = fc.oneof(fc.constant("/"), names);

describe("the name of a queue in a virtual host", () => {
  test("is its own in the host /, when an address can have it", () => {
    expect([hostedName("/", "orders"), hostedName("/", "$dlq/orders")]).toEqual(["orders", "$dlq/orders"]);
  });

  test("is told apart from every other, and read back", () => {
    fc.assert(
      fc.property(hosts, names, hosts, names, (host, name, otherHost, otherName) => {
        const queue = hostedName(host, name);
        expect([hostOfQueue(queue), nameInHost(queue)]).toEqual([host, name]);
        expect(queue === hostedName(otherHost, otherName)).toBe(host === otherHost && name === otherName);
        expect(queueSettings({ name: queue }).name).toBe(queue);
      }),
    );
  });

  test("is no address that a client could write, in other hosts", () => {
    expect(parseQueueAddress(`$queue/${hostedName("dev", "orders")}`)).toMatchObject({ is: "malformed" });
    expect(hostedName("dev", "a/b")).toBe("$host/dev/a%2fb");
  });

  test.each(["$host/dev", "$host/dev/a/b", "$host/%2f/orders"])("has one form: %s is none", (name) => {
    expect(hostedNameFault(name)).not.toBeNull();
    expect(() => queueSettings({ name })).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
  });

  test("keeps dead letters in the virtual host", () => {
    const { deadLetter } = queueSettings({ name: hostedName("dev", "orders") });
    expect(deadLetter).toEqual({ enabled: true, queue: hostedName("dev", "$dlq/orders") });
    expect(queueSettings({ name: deadLetter.queue }).deadLetter.enabled).toBe(false);
  });
});
