import { describe, expect, test } from "vitest";
import { memoryPair } from "../transport/memory.ts";
import type { DialHook } from "../transport/platform.ts";
import { connect } from "./index.ts";
import { splitProperties } from "./properties.ts";
import { targetOf } from "./target.ts";

/** A server that answers the first bytes with these and closes. */
function answering(...header: number[]): DialHook {
  return (_endpoint, _options, handler) => {
    const pair = memoryPair();
    const server = pair.server.attach({
      onBytes: () => {
        server.write(new Uint8Array([0x41, 0x4d, 0x51, 0x50, ...header]));
        server.close();
      },
      onDrain: () => undefined,
      onClosed: () => undefined,
    });
    return Promise.resolve(pair.client.attach(handler));
  };
}

describe("where to connect", () => {
  test.each([
    ["an address that is no URL", "localhost:1883", "ERR_INVALID_OPTIONS"],
    ["a scheme of no protocol", "http://h", "ERR_INVALID_PROTOCOL"],
    ["no address at all", [], "ERR_NO_SERVERS"],
    ["addresses of several protocols", ["mqtt://a", "amqp://b"], "ERR_INVALID_OPTIONS"],
  ])("%s is refused", async (_, url, code) => {
    await expect(connect(url as string)).rejects.toMatchObject({ code });
  });

  test("a protocol that there is none of is ERR_INVALID_PROTOCOL", async () => {
    await expect(connect("mqtt://h", { protocol: "stomp" as never })).rejects.toMatchObject({
      code: "ERR_INVALID_PROTOCOL",
    });
  });

  test("`protocol` wins over the scheme, and AMQP 1.0 is told apart by its scheme", () => {
    const id = (): string => "random";
    expect(targetOf("ws://h/amqp", { protocol: "amqp091" }, id).protocol).toBe("amqp091");
    expect(targetOf(["amqp10s://u:p@h"], {}, id)).toMatchObject({ protocol: "amqp10", urls: ["amqps://u:p@h"] });
  });

  test("a client without an id gets a random one", () => {
    expect(targetOf("mqtt://h", {}, () => "random").clientId).toBe("random");
    expect(targetOf("mqtt://h", { clientId: "" }, () => "random").clientId).toBe("");
  });
});

describe("a server that answers AMQP 0-9-1 with AMQP 1.0", () => {
  test.each([
    ["its header", [0, 1, 0, 0], "AMQP 0 1 0 0"],
    ["its SASL header", [3, 1, 0, 0], "AMQP 3 1 0 0"],
  ])("by %s is told in the error, with the address that works", async (_, header, code) => {
    const connecting = connect("amqp://user:secret@h:5672", { dial: answering(...header) });
    const error = await connecting.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "ERR_NOT_SUPPORTED_BY_SERVER", peer: { code } });
    expect((error as Error).message).toContain("amqp10://h:5672");
    expect((error as Error).message).not.toContain("secret");
  });

  test("another header is not taken for it", async () => {
    const error = await connect("amqp://h", { dial: answering(0, 0, 8, 0) }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "ERR_NOT_SUPPORTED_BY_SERVER", peer: { code: "AMQP 0 0 8 0" } });
    expect((error as Error).message).not.toContain("amqp10://");
  });
});

test("keys of properties that name the other protocol are left out, bare ones go along with both", () => {
  const properties = { unit: "C", "mqtt.qos": "1", "mqtt.user.a": "1", "amqp.headers.b": "2", "amqp.exchange": "e" };
  expect(splitProperties(properties, "mqtt")).toEqual({ own: { unit: "C", a: "1" }, words: { qos: "1" } });
  expect(splitProperties(properties, "amqp")).toEqual({ own: { unit: "C", b: "2" }, words: { exchange: "e" } });
  expect(() => splitProperties({ n: 1 as never }, "mqtt")).toThrow("no text");
});
