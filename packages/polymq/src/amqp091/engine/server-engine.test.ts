import { describe, expect, test } from "vitest";
import { protocolHeader } from "../codec/frame.ts";
import {
  clientWithChannel,
  contentFrames,
  DrivenServer,
  encodeProperties,
  hex,
  methodFrame,
  NO_PROPERTIES,
  openedServer,
  publish,
  START_OK,
  serverWithChannel,
  TEXT,
  TUNE_OK,
} from "./engine-pair.test-support.ts";

const OPEN = { method: "connection.open", virtualHost: "/" } as const;
const TAG = hex("02 'ct'");
const ROUTE = hex("01 'x' 01 'k'");

function delivered(server: DrivenServer, ...messages: readonly string[]): void {
  for (const message of messages)
    server.engine.deliver(server.channel, TAG, false, ROUTE, NO_PROPERTIES, hex("01"), message);
  server.sent();
}

describe("the handshake of a server", () => {
  test("goes from the protocol header to an open connection (§2.2.4)", () => {
    const server = new DrivenServer({ answer: "by hand" });
    server.feed(protocolHeader());
    expect(server.sent()).toEqual([
      '0 connection.start {"versionMajor":0,"versionMinor":9,"serverProperties":{"product":"test"},"mechanisms":"PLAIN AMQPLAIN","locales":"en_US"}',
    ]);
    server.method(0, START_OK);
    expect([server.told(), server.sent()]).toEqual([["start-ok PLAIN 4 bytes"], []]);
    server.engine.challenge(hex("0102"));
    server.method(0, { method: "connection.secure-ok", response: hex("03") });
    expect([server.told(), server.sent()]).toEqual([
      ["secure-ok 1 bytes"],
      ['0 connection.secure {"challenge":"2 bytes"}'],
    ]);
    server.engine.accept();
    expect(server.sent()).toEqual(['0 connection.tune {"channelMax":10,"frameMax":4096,"heartbeat":10}']);
    server.feed(methodFrame(TUNE_OK), methodFrame(OPEN));
    expect(server.told()).toEqual(['open / {"channelMax":10,"frameMax":4096,"heartbeatSeconds":10}']);
    server.engine.acceptOpen();
    expect([server.sent(), server.engine.open]).toEqual([["0 connection.open-ok {}"], true]);
    expect([server.engine.clientCan("basic.nack"), server.engine.clientCan("toString")]).toEqual([true, false]);
  });

  test.each(["'AMQP' 00 01 00 00", "'AMQP' 01 01 08 00", "'AMQQ' 00 00 09 01"])(
    "answers the header %s with its own and ends (§4.2.2)",
    (notation) => {
      const server = new DrivenServer();
      server.feed(hex(notation));
      expect([server.sent(), server.told()]).toEqual([["protocol header"], ["failed: ERR_INVALID_PROTOCOL"]]);
    },
  );

  test("answers what is no AMQP at all with its own header and ends (§4.2.2)", () => {
    const server = new DrivenServer();
    server.feed(hex("'GET / HTTP/1.1'"));
    expect([server.sent(), server.told()]).toEqual([["protocol header"], ["failed: ERR_FRAME_ERROR"]]);
  });

  test("refuses a user with what the owner says", () => {
    const server = new DrivenServer({ answer: "by hand" });
    server.feed(protocolHeader(), methodFrame(START_OK));
    server.sent();
    server.engine.close(403, "ACCESS_REFUSED - no");
    expect(server.sent()).toEqual([
      '0 connection.close {"replyCode":403,"replyText":"ACCESS_REFUSED - no","classId":0,"methodId":0}',
    ]);
    server.method(0, { method: "connection.close-ok" });
    expect(server.told()).toEqual(["start-ok PLAIN 4 bytes", "closed: asked"]);
  });

  test.each([
    [{ channelMax: 11 }, "negotiated channel_max = 11 is higher than the maximum allowed value (10)"],
    [{ channelMax: 0 }, "negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (10)"],
    [{ frameMax: 4097 }, "negotiated frame_max = 4097 is higher than the maximum allowed value (4096)"],
    [{ frameMax: 0 }, "negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (4096)"],
    [{ frameMax: 100 }, "negotiated frame_max = 100 is lower than the minimum allowed value (4096)"],
  ])("a client that answers tune with %o is told 530", (fields, text) => {
    const server = new DrivenServer();
    server.feed(protocolHeader(), methodFrame(START_OK));
    server.sent();
    server.method(0, { ...TUNE_OK, ...fields });
    expect(server.sent()).toEqual([
      `0 connection.close {"replyCode":530,"replyText":"NOT_ALLOWED - ${text}","classId":10,"methodId":31}`,
    ]);
  });

  test("takes the client's heartbeat", () => {
    const server = new DrivenServer();
    server.feed(protocolHeader(), methodFrame(START_OK), methodFrame({ ...TUNE_OK, heartbeat: 0 }), methodFrame(OPEN));
    expect(server.engine.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("nothing may come while the owner decides", () => {
    const server = new DrivenServer({ answer: "by hand" });
    server.feed(protocolHeader(), methodFrame(START_OK), methodFrame(TUNE_OK));
    expect(server.told()).toEqual(["start-ok PLAIN 4 bytes", "failed: ERR_COMMAND_INVALID"]);
  });

  test("ends when it takes too long", () => {
    const server = new DrivenServer();
    server.feed(protocolHeader());
    server.engine.onTime(10_000);
    expect(server.told()).toEqual(["failed: ERR_CONNECT_TIMEOUT"]);
  });
});

describe("channels of a server", () => {
  test("are opened and closed by the client", () => {
    const server = openedServer();
    server.method(3, { method: "channel.open" });
    expect([server.sent(), server.told(), server.engine.channelCount]).toEqual([
      ["3 channel.open-ok {}"],
      ["channel c3 open"],
      1,
    ]);
    server.method(3, { method: "channel.close", replyCode: 200, replyText: "bye", classId: 0, methodId: 0 });
    expect([server.sent(), server.told(), server.engine.channelCount]).toEqual([
      ["3 channel.close-ok {}"],
      ["channel c3 closed: 200 bye"],
      0,
    ]);
    server.method(3, { method: "channel.open" });
    expect(server.told()).toEqual(["channel c3 open"]);
  });

  test("closed by the server are told at once, and their number is free after close-ok", () => {
    const server = serverWithChannel();
    server.engine.closeChannel(server.channel, 404, "NOT_FOUND - no queue", 50, 10);
    server.feed(publish(), contentFrames(1, [hex("01")]));
    server.method(1, { method: "basic.qos", prefetchSize: 0, prefetchCount: 1, global: false });
    expect(server.told()).toEqual(["channel c1 closed: 404 NOT_FOUND - no queue"]);
    expect(server.sent()).toEqual([
      '1 channel.close {"replyCode":404,"replyText":"NOT_FOUND - no queue","classId":50,"methodId":10}',
    ]);
    server.method(1, { method: "channel.close-ok" });
    server.method(1, { method: "channel.open" });
    expect([server.told(), server.sent()]).toEqual([["channel c1 open"], ["1 channel.open-ok {}"]]);
  });

  test("other methods reach the owner, who answers", () => {
    const server = serverWithChannel();
    server.method(1, { method: "basic.qos", prefetchSize: 0, prefetchCount: 1, global: false });
    server.engine.send(server.channel, { method: "basic.qos-ok" });
    expect([server.told(), server.sent()]).toEqual([["c1 basic.qos"], ["1 basic.qos-ok {}"]]);
  });

  test("the client's flow is answered and told", () => {
    const server = serverWithChannel();
    server.method(1, { method: "channel.flow", active: false });
    expect([server.told(), server.sent(), server.channel.flowActive]).toEqual([
      ["flow c1 false"],
      ['1 channel.flow-ok {"active":false}'],
      false,
    ]);
  });

  test.each([
    [{ method: "basic.ack", deliveryTag: 1, multiple: false }],
    [{ method: "connection.tune", channelMax: 1, frameMax: 4096, heartbeat: 0 }],
    [{ method: "channel.close-ok" }],
    [{ method: "queue.purge", queue: "q", noWait: false }],
  ] as const)("%o is not for an owner to send", (method) => {
    const server = serverWithChannel();
    expect(() => server.engine.send(server.channel, method)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
    expect(server.sent()).toEqual([]);
  });
});

describe("publishes to a server", () => {
  test("come whole with their flags and properties", () => {
    const server = serverWithChannel();
    const block = encodeProperties(TEXT, { deliveryMode: 2 });
    server.feed(publish(), contentFrames(1, [hex("01"), hex("02")], undefined, block));
    expect(server.told()).toEqual(['publish c1 0 true/false x/k {"deliveryMode":2} [1 2]']);
  });

  test("in confirm mode are numbered from 1 and confirmed together, once per turn", () => {
    const server = serverWithChannel();
    server.method(1, { method: "confirm.select", noWait: false });
    server.engine.send(server.channel, { method: "confirm.select-ok" });
    for (let i = 0; i < 5; i++) server.feed(publish(), contentFrames(1, []));
    expect(server.told().map((line) => line.slice(0, 13))).toEqual([
      "c1 confirm.se",
      ...[1, 2, 3, 4, 5].map((tag) => `publish c1 ${tag} `),
    ]);
    server.sent();
    for (const tag of [2, 1, 3, 5]) expect(server.engine.confirm(server.channel, tag)).toBe(true);
    expect(server.sent()).toEqual([
      '1 basic.ack {"deliveryTag":3,"multiple":true}',
      '1 basic.ack {"deliveryTag":5,"multiple":false}',
    ]);
    expect(server.engine.refuse(server.channel, 4)).toBe(true);
    expect(server.sent()).toEqual(['1 basic.nack {"deliveryTag":4,"multiple":false,"requeue":false}']);
    expect([server.engine.confirm(server.channel, 4), server.engine.refuse(server.channel, 9)]).toEqual([false, false]);
  });

  test("a confirm never covers a publish that was refused or is still open", () => {
    const server = serverWithChannel();
    server.engine.selectConfirms(server.channel);
    for (let i = 0; i < 4; i++) server.feed(publish(), contentFrames(1, []));
    server.engine.refuse(server.channel, 1);
    server.engine.confirm(server.channel, 2);
    server.engine.confirm(server.channel, 4);
    expect(server.sent()).toEqual([
      '1 basic.nack {"deliveryTag":1,"multiple":false,"requeue":false}',
      '1 basic.ack {"deliveryTag":2,"multiple":false}',
      '1 basic.ack {"deliveryTag":4,"multiple":false}',
    ]);
  });

  test("with a body above the limit close their channel with 311 before anything is kept", () => {
    const server = serverWithChannel();
    server.feed(publish(), contentFrames(1, [hex("01")], 100_001));
    expect(server.sent()).toEqual([
      '1 channel.close {"replyCode":311,"replyText":"CONTENT_TOO_LARGE - a body of 100001 bytes, the limit is 100000","classId":60,"methodId":40}',
    ]);
    expect(server.told()).toEqual([expect.stringContaining("channel c1 closed: 311")]);
    expect(server.engine.over).toBe(false);
  });

  test("that cannot be routed go back", () => {
    const server = serverWithChannel();
    const reply = { replyCode: 312, replyText: hex("08 'NO_ROUTE'") };
    server.engine.returnMessage(server.channel, reply, ROUTE, NO_PROPERTIES, hex("01"));
    expect(server.sent()).toEqual([
      '1 basic.return {"replyCode":312,"replyText":"NO_ROUTE","exchange":"x","routingKey":"k"}',
      "1 header 14",
      "1 body 1",
    ]);
  });
});

describe("deliveries of a server", () => {
  test("are numbered per channel and found again when they are settled", () => {
    const server = serverWithChannel();
    delivered(server, "a", "b", "c", "d");
    server.method(1, { method: "basic.ack", deliveryTag: 2, multiple: false });
    server.method(1, { method: "basic.nack", deliveryTag: 3, multiple: true, requeue: true });
    server.method(1, { method: "basic.reject", deliveryTag: 4, requeue: false });
    expect(server.told()).toEqual([
      "settled c1 b ack",
      "settled c1 a nack requeue",
      "settled c1 c nack requeue",
      "settled c1 d reject",
    ]);
    expect(server.channel.unsettledCount).toBe(0);
  });

  test("all of them are settled by tag 0 with multiple (§1.8.3.13)", () => {
    const server = serverWithChannel();
    delivered(server, "a", "b");
    server.method(1, { method: "basic.ack", deliveryTag: 0, multiple: true });
    server.method(1, { method: "basic.ack", deliveryTag: 0, multiple: true });
    expect(server.told()).toEqual(["settled c1 a ack", "settled c1 b ack"]);
  });

  test("of a consumer without acknowledgements take a number and nothing else", () => {
    const server = serverWithChannel();
    expect(server.engine.deliver(server.channel, TAG, true, ROUTE, NO_PROPERTIES, hex("01"), null)).toBe(1);
    expect(
      server.engine.getOk(server.channel, { redelivered: false, messageCount: 3 }, ROUTE, NO_PROPERTIES, hex(""), "m"),
    ).toBe(2);
    expect(server.sent()).toEqual([
      '1 basic.deliver {"consumerTag":"ct","deliveryTag":1,"redelivered":true,"exchange":"x","routingKey":"k"}',
      "1 header 14",
      "1 body 1",
      '1 basic.get-ok {"deliveryTag":2,"redelivered":false,"exchange":"x","routingKey":"k","messageCount":3}',
      "1 header 14",
    ]);
    expect(server.channel.unsettledCount).toBe(1);
  });

  test.each([
    ["settled before", 1, false],
    ["never sent", 9, false],
    ["never sent, with multiple", 9, true],
    ["0 without multiple", 0, false],
  ])("a tag that was %s closes the channel with 406", (_, deliveryTag, multiple) => {
    const server = serverWithChannel();
    delivered(server, "a", "b");
    server.method(1, { method: "basic.ack", deliveryTag: 1, multiple: false });
    server.told();
    server.method(1, { method: "basic.ack", deliveryTag, multiple });
    expect(server.sent()).toEqual([
      `1 channel.close {"replyCode":406,"replyText":"PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}","classId":60,"methodId":80}`,
    ]);
    expect([server.channel.takeUnsettled(), server.channel.takeUnsettled()]).toEqual(["b", undefined]);
  });
});

describe("what a server says of the connection", () => {
  test("blocked goes only to clients that know of it", () => {
    const server = openedServer();
    server.engine.sendBlocked("low on memory");
    server.engine.sendBlocked(null);
    expect(server.sent()).toEqual(['0 connection.blocked {"reason":"low on memory"}', "0 connection.unblocked {}"]);
    const old = new DrivenServer();
    old.feed(
      protocolHeader(),
      methodFrame({ ...START_OK, clientProperties: {} }),
      methodFrame(TUNE_OK),
      methodFrame(OPEN),
    );
    old.sent();
    old.engine.sendBlocked("low on memory");
    expect(old.sent()).toEqual([]);
  });

  test("a new secret is told and answered", () => {
    const server = openedServer();
    server.method(0, { method: "connection.update-secret", newSecret: hex("0102"), reason: "r" });
    expect([server.told(), server.sent()]).toEqual([["secret of 2 bytes: r"], ["0 connection.update-secret-ok {}"]]);
  });

  test("a close by the client is answered", () => {
    const server = openedServer();
    server.method(0, { method: "connection.close", replyCode: 200, replyText: "bye", classId: 0, methodId: 0 });
    expect([server.told(), server.sent()]).toEqual([["closed: 200 bye"], ["0 connection.close-ok {}"]]);
  });
});

test("client and server understand each other, byte by byte too", () => {
  for (const step of [1, 7, 100_000]) {
    const [client, channel] = clientWithChannel();
    const server = serverWithChannel();
    const carry = (bytes: Uint8Array, to: { feed(chunk: Uint8Array): void }): void => {
      for (let at = 0; at < bytes.length; at += step) to.feed(bytes.slice(at, at + step));
    };
    client.engine.request(channel, { method: "confirm.select", noWait: true }, "select");
    for (const name of ["a", "b", "c"]) client.publish(channel, name, new Uint8Array(9_000).fill(7));
    carry(client.sentBytes(), server);
    server.engine.selectConfirms(server.channel);
    expect(server.told()).toEqual([
      "c1 confirm.select",
      ...["a", "b", "c"].map(() => "publish c1 0 false/false x/k {} [9000 bytes]"),
    ]);
    server.engine.deliver(server.channel, TAG, false, ROUTE, NO_PROPERTIES, new Uint8Array(5_000), "m");
    carry(server.sentBytes(), client);
    expect(client.told()).toEqual(["deliver ct 1 false x/k {} [5000 bytes]"]);
    client.engine.ack(channel, 1, false);
    carry(client.sentBytes(), server);
    expect(server.told()).toEqual(["settled c1 m ack"]);
  }
});
