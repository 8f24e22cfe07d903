import { type MemoryBroker, memoryBroker } from "@polymq/broker/testing";
import { connect } from "polymq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askPrice } from "./price.ts";

let broker: MemoryBroker;
beforeEach(async () => {
  broker = await memoryBroker();
});
afterEach(() => broker.close());

// The same test over every protocol: the application does not know which one it is.
describe.each(["mqtt", "amqp10"])("a price over %s", (scheme) => {
  test("is what the responder says", async () => {
    await using shop = await connect(`${scheme}://memory`, { dial: broker.dial });
    await using client = await connect(`${scheme}://memory`, { dial: broker.dial });
    await shop.respond("prices", (request) => (request.text() === "widget" ? "12.5" : "0"));
    expect(await askPrice(client, "widget")).toBe(12.5);
  });

  test("is null when nobody answers", async () => {
    await using client = await connect(`${scheme}://memory`, { dial: broker.dial });
    expect(await askPrice(client, "widget", 1)).toBe(null);
  });
});
