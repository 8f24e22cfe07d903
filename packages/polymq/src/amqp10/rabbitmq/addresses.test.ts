import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rabbitmqExchange, rabbitmqHostname, rabbitmqQueue } from "./addresses.ts";

describe("addresses of RabbitMQ 4 (S22)", () => {
  test("are made of encoded segments", () => {
    expect(rabbitmqQueue("orders")).toBe("/queues/orders");
    expect(rabbitmqQueue("a/b %:;,ü!")).toBe("/queues/a%2Fb%20%25%3A%3B%2C%C3%BC%21");
    expect(rabbitmqExchange("x")).toBe("/exchanges/x");
    expect(rabbitmqExchange("amq.topic", "a.#.b*")).toBe("/exchanges/amq.topic/a.%23.b%2A");
    expect(rabbitmqHostname("/")).toBe("vhost:/");
  });

  test("give any name back, and hold nothing but unreserved signs", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme", minLength: 1 }), (exchange, key) => {
        const [, , first, second] = rabbitmqExchange(exchange, key).split("/");
        expect([decodeURIComponent(first ?? ""), decodeURIComponent(second ?? "")]).toEqual([exchange, key]);
        expect(`${first}${second}`).toMatch(/^(?:[\w.~-]|%[0-9A-F]{2})*$/);
      }),
    );
  });
});
