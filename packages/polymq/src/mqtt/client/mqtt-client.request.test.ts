import { describe, expect, test } from "vitest";
import { connected, type Setup, type Stage } from "./client-setup.test-support.ts";
import type { MqttMessage } from "./message.ts";

function routing(options: Setup = {}): Promise<Stage> {
  return connected({ protocolVersion: 5, ...options, server: { routes: true, ...options.server } });
}

describe("request() and respond()", () => {
  test("carry a question and its answer (MQTT 5.0 §4.10)", async () => {
    const stage = await routing();
    await stage.now(stage.client.respond("double/+", (request) => String(2 * Number(request.text()))));
    const answer = await stage.now(stage.client.request("double/it", "21"));
    expect(answer.text()).toBe("42");
    const [question] = stage.server.received;
    expect(question).toMatchObject({ topic: "double/it", qos: 1 });
    expect(question?.properties?.responseTopic).toMatch(/^polymq\/response\/[0-9a-f]{16}$/);
    expect(question?.properties?.correlationData).toHaveLength(16);
    await stage.finish();
  });

  test("many at a time each get their own answer", async () => {
    const stage = await routing();
    await stage.now(stage.client.respond("echo", (request) => request.payload, { concurrency: 8 }));
    const all = Array.from({ length: 50 }, (_, i) => stage.client.request("echo", String(i)));
    const answers = await stage.now(Promise.all(all));
    expect(answers.map((answer) => answer.text())).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
    expect(stage.link.take("subscribe")).toHaveLength(2);
    await stage.finish();
  });

  test("keep the request's own options and properties", async () => {
    const stage = await routing();
    const got: MqttMessage[] = [];
    const responder = (request: MqttMessage): string => {
      got.push(request);
      return "ok";
    };
    await stage.now(stage.client.respond("q", responder, { qos: 2 }));
    const properties = { contentType: "text/plain", userProperties: { a: "1" } };
    await stage.now(stage.client.request("q", "x", { qos: 2, properties }));
    expect(got[0]).toMatchObject({ qos: 2, contentType: "text/plain", userProperties: [["a", "1"]] });
    await stage.finish();
  });

  test("an answer may have properties of its own, but not another request's correlation data", async () => {
    const stage = await routing();
    const properties = { contentType: "text/plain", userProperties: [["unit", "C"]] as const };
    await stage.now(stage.client.respond("q", () => ({ payload: "22", properties })));
    const answer = await stage.now(stage.client.request("q", "x"));
    expect([answer.text(), answer.contentType, answer.userProperties]).toEqual(["22", "text/plain", [["unit", "C"]]]);
    await stage.finish();
  });

  test("use the response information that the server offered (§3.2.2.3.15)", async () => {
    const properties = { responseInformation: "answers/for/you/" };
    const stage = await routing({ requestResponseInformation: true, server: { onConnect: () => ({ properties }) } });
    await stage.now(stage.client.respond("q", () => "ok"));
    await stage.now(stage.client.request("q", "x"));
    expect(stage.server.received[0]?.properties?.responseTopic).toMatch(/^answers\/for\/you\/[0-9a-f]{16}$/);
    await stage.finish();
  });

  test("a request without a response topic is handled and not answered", async () => {
    const stage = await routing();
    const got: string[] = [];
    const responder = (request: MqttMessage): string => {
      got.push(request.text());
      return "ok";
    };
    await stage.now(stage.client.respond("q", responder));
    await stage.now(stage.client.publish("q", "x", { qos: 1 }));
    await stage.clock.settle();
    expect(got).toEqual(["x"]);
    expect(stage.server.received).toHaveLength(1);
    await stage.finish();
  });

  test("a responder that fails leaves the request unanswered and is told", async () => {
    const stage = await routing();
    await stage.now(stage.client.respond("q", () => Promise.reject(new Error("no"))));
    const asking = stage.promises.track(stage.client.request("q", "x", { timeoutMs: 500 }));
    await stage.clock.advance(500);
    await stage.refused(asking, "ERR_TIMEOUT");
    expect(stage.of("handlerError")).toHaveLength(1);
    await stage.finish();
  });

  test("an answer that is too late, or was never asked for, is ignored", async () => {
    const stage = await routing();
    const asking = stage.promises.track(stage.client.request("nobody", "x", { timeoutMs: 200 }));
    await stage.clock.advance(200);
    await stage.refused(asking, "ERR_TIMEOUT");
    const { responseTopic = "", correlationData = new Uint8Array() } = stage.server.received[0]?.properties ?? {};
    stage.link.publish(responseTopic, "late", { qos: 1, properties: { correlationData } });
    stage.link.publish(responseTopic, "stray", { qos: 1, properties: { correlationData: Uint8Array.of(9) } });
    stage.link.publish(responseTopic, "bare", { qos: 1 });
    await stage.clock.settle();
    expect(stage.of("handlerError")).toEqual([]);
    await stage.finish();
  });
});

describe("request() ends", () => {
  test("in ERR_TIMEOUT at its deadline, by default 10 s", async () => {
    const stage = await routing();
    const asking = stage.promises.track(stage.client.request("nobody", "x"));
    await stage.clock.advance(9_999);
    expect(stage.promises.pending).toHaveLength(1);
    await stage.clock.advance(1);
    await stage.refused(asking, "ERR_TIMEOUT");
    await stage.finish();
  });

  test("in ERR_TIMEOUT also while there is no connection to subscribe over", async () => {
    const stage = await routing({ answer: (_, count) => (count === 1 ? "server" : new Error("down")) });
    stage.link.cut();
    await stage.clock.settle();
    const asking = stage.promises.track(stage.client.request("q", "x", { timeoutMs: 300 }));
    await stage.clock.advance(300);
    await stage.refused(asking, "ERR_TIMEOUT");
    await stage.finish();
  });

  test("in ERR_ABORTED when its signal fires", async () => {
    const stage = await routing();
    const abort = new AbortController();
    const asking = stage.promises.track(stage.client.request("nobody", "x", { signal: abort.signal }));
    await stage.clock.settle();
    abort.abort();
    await stage.refused(asking, "ERR_ABORTED");
    await stage.refused(stage.client.request("q", "x", { signal: AbortSignal.abort() }), "ERR_ABORTED");
    await stage.finish();
  });

  test("with the publish's own error", async () => {
    const stage = await routing({ server: { onMessage: () => 0x87 } });
    await stage.refused(stage.client.request("forbidden", "x"), "ERR_PUBLISH_REJECTED");
    await stage.refused(stage.client.request("bad/#", "x"), "ERR_INVALID_TOPIC");
    await stage.finish();
  });

  test("with the subscription's own error", async () => {
    const stage = await routing({ server: { onSubscribe: () => [0x87] } });
    await stage.refused(stage.client.request("q", "x"), "ERR_SUBSCRIBE_FAILED");
    stage.server.options = { routes: true };
    await stage.now(stage.client.respond("q", () => "ok"));
    await stage.now(stage.client.request("q", "x"));
    await stage.finish();
  });

  test("in ERR_UNSUPPORTED with MQTT 3.1.1", async () => {
    const stage = await connected();
    await stage.refused(stage.client.request("q", "x"), "ERR_UNSUPPORTED");
    await stage.refused(
      stage.client.respond("q", () => "ok"),
      "ERR_UNSUPPORTED",
    );
    expect(stage.link.take("subscribe")).toHaveLength(0);
    await stage.finish();
  });

  test("in ERR_INVALID_ARGUMENT for a deadline that is none", async () => {
    const stage = await routing();
    for (const timeoutMs of [0, -1, Number.NaN, 2 ** 31]) {
      await stage.refused(stage.client.request("q", "x", { timeoutMs }), "ERR_INVALID_ARGUMENT");
    }
    await stage.finish();
  });

  test.each([
    ["disconnect", "ERR_NOT_CONNECTED"],
    ["close", "ERR_CLIENT_CLOSED"],
    ["destroy", "ERR_CLIENT_CLOSED"],
  ] as const)("when the client does: %s()", async (how, code) => {
    const stage = await routing();
    const asking = stage.promises.track(stage.client.request("nobody", "x", { timeoutMs: 60_000 }));
    await stage.clock.settle();
    await stage.now(stage.client[how]());
    await stage.refused(asking, code);
    await stage.finish();
  });
});

describe("the response topic's subscription", () => {
  test("is made once, also over disconnect() and connect()", async () => {
    const stage = await routing();
    await stage.now(stage.client.respond("q", () => "ok"));
    for (let i = 0; i < 3; i++) {
      await stage.now(stage.client.request("q", "x"));
      await stage.now(stage.client.disconnect());
      await stage.now(stage.client.connect());
    }
    expect(stage.link.take("subscribe")).toHaveLength(2);
    await stage.finish();
  });

  test("is restored after a reconnect, so that an answer still arrives", async () => {
    const stage = await routing();
    const asking = stage.promises.track(stage.client.request("q", "x"));
    await stage.clock.settle();
    const { responseTopic = "", correlationData = new Uint8Array() } = stage.server.received[0]?.properties ?? {};
    stage.link.cut();
    await stage.clock.settle();
    stage.link.publish(responseTopic, "answer", { properties: { correlationData } });
    expect((await stage.now(asking)).text()).toBe("answer");
    await stage.finish();
  });

  test("is made anew when the server took it away", async () => {
    const stage = await routing();
    await stage.now(stage.client.respond("q", () => "ok"));
    await stage.now(stage.client.request("q", "x"));
    stage.server.options = {
      routes: true,
      onSubscribe: (packet) => packet.filters.map(({ filter, qos }) => (filter === "q" ? qos : 0x87)),
    };
    stage.link.cut();
    await stage.clock.settle();
    expect(stage.of("subscriptionLost")).toHaveLength(1);
    stage.server.options = { routes: true };
    expect((await stage.now(stage.client.request("q", "x"))).text()).toBe("ok");
    await stage.finish();
  });
});
