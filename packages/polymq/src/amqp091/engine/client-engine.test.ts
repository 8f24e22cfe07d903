import { describe, expect, test } from "vitest";
import { saslAmqplain, saslPlain } from "../codec/sasl.ts";
import { refusalError } from "./client-engine.ts";
import {
  clientWithChannel,
  contentFrames,
  DrivenClient,
  deliver,
  frameOf,
  hex,
  joined,
  methodFrame,
  openedClient,
  START,
  TEXT,
  TUNE,
} from "./engine-pair.test-support.ts";

const CREDENTIALS = { username: "u", password: "p" };
const ASYNC = { passive: false, durable: false, exclusive: false, autoDelete: false, arguments: {} } as const;

describe("the handshake of a client", () => {
  test("goes from the protocol header to an open connection (§2.2.4)", () => {
    const client = new DrivenClient();
    client.engine.start();
    expect(client.sent()).toEqual(["protocol header"]);
    client.method(0, START);
    expect(client.sent()).toEqual([
      expect.stringMatching(/^0 connection.start-ok .*"mechanism":"PLAIN","response":"4 bytes","locale":"en_US"/),
    ]);
    client.method(0, TUNE);
    expect(client.sent()).toEqual([
      '0 connection.tune-ok {"channelMax":10,"frameMax":4096,"heartbeat":10}',
      '0 connection.open {"virtualHost":"/"}',
    ]);
    expect([client.engine.open, client.told()]).toEqual([false, []]);
    client.method(0, { method: "connection.open-ok" });
    expect(client.engine.open).toBe(true);
    expect(client.told()).toEqual([
      'open {"serverProperties":{"product":"test"},"mechanism":"PLAIN","tuning":{"channelMax":10,"frameMax":4096,"heartbeatSeconds":10}}',
    ]);
  });

  test("uses the first mechanism of ours that the server offers", () => {
    const mechanisms = [
      { name: "EXTERNAL", response: hex(""), answer: null },
      saslAmqplain(TEXT, CREDENTIALS),
      saslPlain(TEXT, CREDENTIALS),
    ];
    const client = new DrivenClient({ mechanisms });
    client.engine.start();
    client.method(0, START);
    expect(client.sent()[1]).toContain('"mechanism":"AMQPLAIN"');
  });

  test("answers a challenge", () => {
    const answer = (challenge: Uint8Array): Uint8Array => joined(challenge, challenge);
    const client = new DrivenClient({ mechanisms: [{ name: "PLAIN", response: hex(""), answer }] });
    client.engine.start();
    client.method(0, START);
    client.sent();
    client.method(0, { method: "connection.secure", challenge: hex("0102") });
    expect(client.sent()).toEqual(['0 connection.secure-ok {"response":"4 bytes"}']);
  });

  test("ends with ERR_AUTH_FAILED when no mechanism suits, and says so", () => {
    const client = new DrivenClient();
    client.engine.start();
    client.method(0, { ...START, mechanisms: "EXTERNAL" });
    expect(client.told()).toEqual(["failed: ERR_AUTH_FAILED"]);
  });

  test("ends when the server answers with another protocol header (§4.2.2)", () => {
    for (const notation of ["'AMQP' 03 01 00 00", "'AMQP' 00 01 00 00"]) {
      const client = new DrivenClient();
      client.engine.start();
      client.sent();
      client.feed(hex(notation));
      expect([client.told(), client.sent()]).toEqual([["failed: ERR_NOT_SUPPORTED_BY_SERVER"], []]);
    }
  });

  test("tells a refusal in the server's words, with what it concerned", () => {
    const client = new DrivenClient();
    client.engine.start();
    client.method(0, START);
    client.sent();
    client.method(0, {
      method: "connection.close",
      replyCode: 403,
      replyText: "ACCESS_REFUSED - no",
      classId: 0,
      methodId: 0,
    });
    expect(client.told()).toEqual(["refused in authentication: 403 ACCESS_REFUSED - no"]);
    expect(client.sent()).toEqual(["0 connection.close-ok {}"]);
    const error = refusalError({ replyCode: 403, replyText: "no", classId: 0, methodId: 0 }, "authentication");
    expect([error.code, error.peer]).toEqual(["ERR_AUTH_FAILED", { protocol: "amqp091", code: 403, text: "no" }]);
    expect(refusalError({ replyCode: 530, replyText: "", classId: 0, methodId: 0 }, "opening").code).toBe(
      "ERR_CONNECT_REJECTED",
    );
  });

  test("tells a refused virtual host apart", () => {
    const client = new DrivenClient();
    client.engine.start();
    client.method(0, START);
    client.method(0, TUNE);
    client.method(0, {
      method: "connection.close",
      replyCode: 530,
      replyText: "NOT_ALLOWED",
      classId: 10,
      methodId: 40,
    });
    expect(client.told()).toEqual(["refused in opening: 530 NOT_ALLOWED"]);
  });

  test("ends when it takes too long", () => {
    const client = new DrivenClient();
    client.engine.start();
    expect(client.engine.deadlineMs).toBe(10_000);
    client.engine.onTime(9_999);
    expect(client.told()).toEqual([]);
    client.engine.onTime(10_000);
    expect(client.told()).toEqual(["failed: ERR_CONNECT_TIMEOUT"]);
  });

  test.each([
    ["tune before start", 0, TUNE],
    ["a method of a client", 0, { method: "connection.open", virtualHost: "/" } as const],
    ["a method on a channel", 1, { method: "channel.open-ok" } as const],
  ])("ends at %s", (_, channel, method) => {
    const client = new DrivenClient();
    client.engine.start();
    client.method(channel, method);
    expect(client.told()).toEqual([expect.stringMatching(/^failed: ERR_(?:COMMAND_INVALID|CHANNEL_ERROR)$/)]);
  });
});

describe("channels of a client", () => {
  test("are numbered from 1, and a number is used again only when both sides have closed it", () => {
    const client = openedClient();
    const first = client.engine.openChannel("a");
    expect([first.id, client.engine.openChannel("b").id]).toEqual([1, 2]);
    client.method(1, { method: "channel.open-ok" });
    client.engine.closeChannel(first);
    expect(client.engine.openChannel("c").id).toBe(3);
    client.method(1, { method: "channel.close-ok" });
    expect(client.told()).toEqual(["channel a open", "channel a closed: asked"]);
    expect(client.engine.openChannel("d").id).toBe(1);
  });

  test("beyond channel-max are refused with ERR_CHANNEL_MAX", () => {
    const client = openedClient();
    for (let i = 0; i < 10; i++) client.engine.openChannel("a");
    expect(() => client.engine.openChannel("b")).toThrow(expect.objectContaining({ code: "ERR_CHANNEL_MAX" }));
  });

  test("closed by the server are answered, told, and free again", () => {
    const [client, channel] = clientWithChannel();
    client.engine.request(channel, { method: "queue.declare", queue: "q", noWait: false, ...ASYNC }, "declare");
    client.publish(channel, "m");
    client.sent();
    client.method(1, { method: "channel.close", replyCode: 404, replyText: "NOT_FOUND", classId: 50, methodId: 10 });
    expect([client.told(), client.sent()]).toEqual([["channel a closed: 404 NOT_FOUND"], ["1 channel.close-ok {}"]]);
    expect(channel.takeRequest()).toMatchObject({ method: "queue.declare", request: "declare" });
    expect(() => client.publish(channel, "m")).toThrow(expect.objectContaining({ code: "ERR_CHANNEL_CLOSED" }));
    expect(client.engine.openChannel("b").id).toBe(1);
  });

  test("drop all but close and close-ok while they close (§1.5.2.5)", () => {
    const [client, channel] = clientWithChannel();
    client.engine.closeChannel(channel);
    client.sent();
    client.feed(deliver(1), contentFrames(1, [hex("01")]));
    client.method(1, { method: "channel.close", replyCode: 404, replyText: "", classId: 0, methodId: 0 });
    expect([client.told(), client.sent()]).toEqual([[], ["1 channel.close-ok {}"]]);
    client.method(1, { method: "channel.close-ok" });
    expect(client.told()).toEqual(["channel a closed: asked"]);
  });

  test("answer the server's flow (§1.5.2.3)", () => {
    const [client, channel] = clientWithChannel();
    client.method(1, { method: "channel.flow", active: false });
    expect([client.sent(), client.told()]).toEqual([['1 channel.flow-ok {"active":false}'], ["flow a false"]]);
    expect(channel.flowActive).toBe(false);
  });
});

describe("requests of a client", () => {
  test("are answered in the order of sending; with noWait by nothing (§2.2.2)", () => {
    const [client, channel] = clientWithChannel();
    const declare = { method: "queue.declare", queue: "q", ...ASYNC } as const;
    client.engine.request(channel, { ...declare, noWait: false }, "one");
    client.engine.request(channel, { ...declare, noWait: true }, "two");
    client.engine.request(channel, { method: "basic.qos", prefetchSize: 0, prefetchCount: 1, global: false }, "three");
    client.method(1, { method: "queue.declare-ok", queue: "q", messageCount: 0, consumerCount: 0 });
    client.method(1, { method: "basic.qos-ok" });
    expect(client.told()).toEqual(["a one: queue.declare-ok", "a three: basic.qos-ok"]);
  });

  test.each([
    ["another request", { method: "basic.qos-ok" } as const],
    ["nothing", { method: "queue.purge-ok", messageCount: 0 } as const],
  ])("an answer to %s ends the connection with 503", (_, reply) => {
    const [client, channel] = clientWithChannel();
    if (reply.method === "basic.qos-ok")
      client.engine.request(channel, { method: "queue.purge", queue: "q", noWait: false }, "r");
    client.sent();
    client.method(1, reply);
    expect(client.told()).toEqual(["failed: ERR_COMMAND_INVALID"]);
    expect(client.sent()).toEqual([
      expect.stringMatching(/^0 connection.close \{"replyCode":503,"replyText":"COMMAND_INVALID - /),
    ]);
  });

  test("basic.get is answered with a message or with none", () => {
    const [client, channel] = clientWithChannel();
    client.engine.request(channel, { method: "basic.get", queue: "q", noAck: false }, "one");
    client.engine.request(channel, { method: "basic.get", queue: "q", noAck: false }, "two");
    const got = {
      method: "basic.get-ok",
      deliveryTag: 5,
      redelivered: true,
      exchange: "x",
      routingKey: "k",
      messageCount: 2,
    } as const;
    client.feed(methodFrame(got, 1), contentFrames(1, [hex("0102")]));
    client.method(1, { method: "basic.get-empty" });
    expect(client.told()).toEqual(["one: got 5, 2 left, x/k {} [1 2]", "a two: basic.get-empty"]);
  });

  test("that cannot be encoded, or are not a client's, send nothing and expect nothing", () => {
    const [client, channel] = clientWithChannel();
    expect(() =>
      client.engine.request(channel, { method: "queue.purge", queue: "q".repeat(256), noWait: false }, "r"),
    ).toThrow();
    const foreign = START as never;
    expect(() => client.engine.request(channel, foreign, "r")).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect(() => client.engine.request(channel, { method: "channel.open" }, "r")).toThrow();
    expect([client.sent(), channel.takeRequest()]).toEqual([[], undefined]);
  });

  test("a new secret is answered on the connection", () => {
    const client = openedClient();
    client.engine.updateSecret(hex("0102"), "expires", "s");
    expect(client.sent()).toEqual(['0 connection.update-secret {"newSecret":"2 bytes","reason":"expires"}']);
    client.method(0, { method: "connection.update-secret-ok" });
    expect(client.told()).toEqual(["secret s"]);
  });
});

describe("what a server says of its own accord", () => {
  test("a cancelled consumer is told, and answered unless noWait", () => {
    const [client] = clientWithChannel();
    client.method(1, { method: "basic.cancel", consumerTag: "ct", noWait: true });
    client.method(1, { method: "basic.cancel", consumerTag: "cu", noWait: false });
    expect([client.told(), client.sent()]).toEqual([
      ["cancelled ct", "cancelled cu"],
      ['1 basic.cancel-ok {"consumerTag":"cu"}'],
    ]);
  });

  test("blocked and unblocked are told", () => {
    const client = openedClient();
    client.method(0, { method: "connection.blocked", reason: "low on memory" });
    client.method(0, { method: "connection.unblocked" });
    expect(client.told()).toEqual(["blocked low on memory", "blocked null"]);
  });

  test("connection.close is answered and ends everything", () => {
    const [client, channel] = clientWithChannel();
    client.method(0, {
      method: "connection.close",
      replyCode: 320,
      replyText: "CONNECTION_FORCED",
      classId: 0,
      methodId: 0,
    });
    expect([client.told(), client.sent(), client.engine.over]).toEqual([
      ["closed: 320 CONNECTION_FORCED"],
      ["0 connection.close-ok {}"],
      true,
    ]);
    expect(() => client.publish(channel, "m")).toThrow(expect.objectContaining({ code: "ERR_NOT_CONNECTED" }));
    client.feed(frameOf(8, 0, hex("")));
    expect(client.told()).toEqual([]);
  });
});

describe("closing by a client", () => {
  test("waits for close-ok, drops what comes before it, and sends what was owed first (§1.4.2.9)", () => {
    const [client, channel] = clientWithChannel();
    client.feed(deliver(1), contentFrames(1, []));
    client.told();
    client.engine.ack(channel, 1, false);
    client.engine.close(200, "bye");
    expect(client.sent()).toEqual([
      '1 basic.ack {"deliveryTag":1,"multiple":false}',
      '0 connection.close {"replyCode":200,"replyText":"bye","classId":0,"methodId":0}',
    ]);
    client.feed(deliver(2), contentFrames(1, []), frameOf(8, 0, hex("")));
    expect([client.told(), client.engine.over]).toEqual([[], false]);
    client.method(0, { method: "connection.close-ok" });
    expect([client.told(), client.engine.over]).toEqual([["closed: asked"], true]);
  });

  test("sends no acknowledgement after connection.close", () => {
    const [client, channel] = clientWithChannel();
    client.feed(deliver(1), contentFrames(1, []));
    client.engine.close();
    client.sent();
    expect(client.engine.ack(channel, 1, false)).toBe(false);
    client.feed(deliver(2), contentFrames(1, []));
    expect(client.sent()).toEqual([]);
  });

  test("ends after its timeout when nobody answers", () => {
    const client = openedClient();
    client.engine.onTurn(1_000);
    client.engine.close();
    expect(client.engine.deadlineMs).toBe(6_000);
    client.engine.onTime(6_000);
    expect([client.told(), client.engine.over]).toEqual([["closed: asked"], true]);
  });

  test("answers a close of the server that crossed with ours", () => {
    const client = openedClient();
    client.engine.close();
    client.sent();
    client.method(0, { method: "connection.close", replyCode: 320, replyText: "", classId: 0, methodId: 0 });
    expect(client.sent()).toEqual(["0 connection.close-ok {}"]);
  });
});

describe("heartbeats (§4.2.7)", () => {
  test("are sent after half an interval of silence of ours", () => {
    const client = openedClient();
    expect(client.engine.deadlineMs).toBe(5_000);
    client.engine.onTime(5_000);
    expect(client.sent()).toEqual(["heartbeat"]);
    client.engine.sent(7_000);
    expect(client.engine.deadlineMs).toBe(12_000);
  });

  test("two intervals without a byte end the connection", () => {
    const client = openedClient();
    client.nowMs = 3_000;
    client.feed(frameOf(8, 0, hex("")));
    client.engine.sent(22_000);
    client.engine.onTime(22_999);
    expect(client.told()).toEqual([]);
    client.engine.onTime(23_000);
    expect(client.told()).toEqual(["failed: ERR_PING_TIMEOUT"]);
  });

  test("the server's silence says nothing while nobody reads", () => {
    const client = openedClient();
    client.engine.onTimeWhilePaused(60_000);
    expect([client.told(), client.sent()]).toEqual([[], ["heartbeat"]]);
  });

  test("are off when we ask for none", () => {
    const client = openedClient({ tuning: { channelMax: 10, frameMax: 4096, heartbeatSeconds: 0 } });
    expect(client.engine.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });
});
