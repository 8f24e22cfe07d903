/** SASL as steps, both roles (S20). */
import { describe, expect, test } from "vitest";
import { Pair, Scripted, seenIn } from "./engine.test-support.ts";

function pair(): Pair {
  return new Pair({ sasl: "required" }, { sasl: "required", saslMechanisms: ["PLAIN", "SCRAM-SHA-256"] });
}

describe("SASL between client and server", () => {
  test.each([1, 1_000])("goes through challenge and response to the open, in chunks of %i bytes", (cut) => {
    const two = pair();
    const { client, server } = two;
    client.onSasl = (what, data) => {
      if (what === "mechanisms") client.engine.saslInit("SCRAM-SHA-256", Uint8Array.of(1));
      if (what === "challenge") client.engine.saslRespond(Uint8Array.of((data?.[0] ?? 0) + 1));
    };
    server.onSasl = (what, data) => {
      if (what === "init") server.engine.saslChallenge(Uint8Array.of((data?.[0] ?? 0) + 1));
      if (what === "response") server.engine.saslOutcome(data?.[0] === 3 ? 0 : 1);
    };
    client.engine.start();
    server.engine.start();
    two.run(cut);
    expect(client.told).toEqual(["mechanisms PLAIN SCRAM-SHA-256", "outcome 0", "open server"]);
    expect(server.told).toEqual(["init SCRAM-SHA-256", "open client"]);
  });

  test("that fails ends both, with the code", () => {
    const two = pair();
    two.client.onSasl = (what) => {
      if (what === "mechanisms") two.client.engine.saslInit("PLAIN", null);
    };
    two.server.onSasl = () => two.server.engine.saslOutcome(1);
    two.client.engine.start();
    two.server.engine.start();
    two.run();
    expect(two.client.told.slice(-2)).toEqual(["outcome 1", "close by connection violation amqp:unauthorized-access"]);
    expect(two.server.engine.over).toBe(true);
  });
});

describe("a server whose owner decides later", () => {
  test("holds back what the client pipelined behind its init, and goes on with it", () => {
    const side = new Scripted({ role: "server", sasl: "required", saslMechanisms: ["PLAIN"] });
    side.engine.start();
    side.header(3);
    side.sasl({ type: "saslInit", mechanism: "PLAIN" });
    side.header(0);
    side.feed({ type: "open", containerId: "early" });
    side.take();
    expect(side.told).toEqual(["init PLAIN"]);
    side.engine.saslOutcome(0);
    expect(side.told.at(-1)).toBe("open early");
    expect(seenIn(side.take())).toHaveLength(3);
  });

  test("ends a client that sends too much meanwhile", () => {
    const side = new Scripted({ role: "server", sasl: "required", saslMechanisms: ["PLAIN"] });
    side.engine.start();
    side.header(3);
    side.sasl({ type: "saslInit", mechanism: "PLAIN" });
    side.raw(new Uint8Array(65_537));
    expect(side.told.at(-1)).toBe("close by connection violation amqp:resource-limit-exceeded");
  });

  test("takes no response before an init", () => {
    const side = new Scripted({ role: "server", sasl: "required", saslMechanisms: ["PLAIN"] });
    side.engine.start();
    side.header(3);
    side.sasl({ type: "saslResponse", response: new Uint8Array(1) });
    expect(side.told.at(-1)).toBe("close by connection violation amqp:not-allowed");
  });
});
