import { describe, expect, test } from "vitest";
import { RelayAddresses } from "./relay-addresses.ts";

/** Addresses in a virtual host, and all queues by their names. */
function lab(host: string, ...names: string[]): { addresses: RelayAddresses; queues: Set<string> } {
  const queues = new Set(names);
  return { addresses: new RelayAddresses(host, queues), queues };
}

describe("the addresses of a relay", () => {
  test("are found once and stay the same object", () => {
    const { addresses } = lab("/");
    const first = addresses.at("a/b");
    expect(first).toEqual({ is: "topic", topic: "a/b", acl: "a/b" });
    expect(addresses.at("c")).toEqual({ is: "topic", topic: "c", acl: "c" });
    expect(addresses.at("a/b")).toBe(first);
    expect(addresses.at(["a", "b"].join("/"))).toBe(first);
  });

  test("follow a queue of that name, which comes and goes", () => {
    const { addresses, queues } = lab("/");
    expect(addresses.at("orders").is).toBe("topic");
    queues.add("orders");
    expect(addresses.at("orders")).toEqual({ is: "queue", name: "orders", acl: "$queue/orders" });
    expect(addresses.at("orders").is).toBe("queue");
    queues.delete("orders");
    expect(addresses.at("orders").is).toBe("topic");
  });

  test("that start with a prefix do not depend on queues", () => {
    const { addresses, queues } = lab("/");
    const address = addresses.at("$queue/orders");
    queues.add("orders");
    expect(addresses.at("$queue/orders")).toBe(address);
    expect(addresses.at("/queues/a%2Fb")).toEqual({ is: "queue", name: "a/b", acl: "$queue/a/b" });
  });

  test("look for queues of their own virtual host", () => {
    const { addresses, queues } = lab("other", "orders");
    expect(() => addresses.at("orders")).toThrow("there is no queue orders");
    queues.add("$host/other/orders");
    expect(addresses.at("orders").is).toBe("queue");
    queues.delete("$host/other/orders");
    expect(() => addresses.at("orders")).toThrow("there is no queue orders");
  });

  test("that are none are refused each time", () => {
    const { addresses } = lab("/");
    for (let i = 0; i < 2; i++) expect(() => addresses.at("$nothing")).toThrow("there is no node");
  });

  test("are remembered within a bound, and right beyond it", () => {
    const { addresses } = lab("/");
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1_500; i++) expect(addresses.at(`t/${i}`)).toMatchObject({ is: "topic", topic: `t/${i}` });
    }
  });
});
