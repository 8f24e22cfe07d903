import { describe, expect, test } from "vitest";
import {
  clientWithChannel,
  contentFrames,
  deliver,
  encodeProperties,
  hex,
  joined,
  methodFrame,
  TEXT,
} from "./engine-pair.test-support.ts";

describe("messages to a client", () => {
  test("come whole, however the body is cut", () => {
    const [client] = clientWithChannel();
    const block = encodeProperties(TEXT, { messageId: "m" });
    client.feed(deliver(1), contentFrames(1, [hex("0102")], undefined, block));
    client.feed(deliver(2), contentFrames(1, [hex("01"), hex("0203"), hex("04")]));
    client.feed(deliver(3), contentFrames(1, []));
    expect(client.told()).toEqual([
      'deliver ct 1 false x/k {"messageId":"m"} [1 2]',
      "deliver ct 2 false x/k {} [1 2 3 4]",
      "deliver ct 3 false x/k {} []",
    ]);
  });

  test("are views of the chunk when in one frame, and copies of their own when in several", () => {
    const seen: Uint8Array[] = [];
    const [client] = clientWithChannel();
    const chunk = joined(
      deliver(1),
      contentFrames(1, [hex("0102")]),
      deliver(2),
      contentFrames(1, [hex("01"), hex("02")]),
    );
    const handler = client.engine as unknown as {
      handler: { onDeliver: (channel: unknown, content: { bodyView(): Uint8Array }) => void };
    };
    handler.handler.onDeliver = (_, content) => seen.push(content.bodyView());
    client.engine.onBytes(chunk, 0);
    expect(seen.map((each) => each.buffer === chunk.buffer)).toEqual([true, false]);
  });

  test("are acknowledged in one frame per turn where all up to a tag are", () => {
    const [client, channel] = clientWithChannel();
    for (let tag = 1; tag <= 6; tag++) client.feed(deliver(tag), contentFrames(1, []));
    for (const tag of [1, 2, 3, 5]) expect(client.engine.ack(channel, tag, false)).toBe(true);
    expect(client.sent()).toEqual([
      '1 basic.ack {"deliveryTag":3,"multiple":true}',
      '1 basic.ack {"deliveryTag":5,"multiple":false}',
    ]);
    expect(client.engine.ack(channel, 3, false)).toBe(false);
    expect(client.engine.ack(channel, 99, false)).toBe(false);
    client.engine.ack(channel, 4, false);
    expect(client.sent()).toEqual(['1 basic.ack {"deliveryTag":4,"multiple":false}']);
    expect(channel.unackedCount).toBe(1);
  });

  test("are refused at once, and never covered by a later acknowledgement of several", () => {
    const [client, channel] = clientWithChannel();
    for (let tag = 1; tag <= 5; tag++) client.feed(deliver(tag), contentFrames(1, []));
    client.engine.ack(channel, 1, false);
    client.engine.nack(channel, 2, false, true);
    client.engine.reject(channel, 3, false);
    client.engine.ack(channel, 4, false);
    expect(client.sent()).toEqual([
      '1 basic.nack {"deliveryTag":2,"multiple":false,"requeue":true}',
      '1 basic.reject {"deliveryTag":3,"requeue":false}',
      '1 basic.ack {"deliveryTag":4,"multiple":true}',
    ]);
    expect(client.engine.nack(channel, 9, true, false)).toBe(true);
    expect(client.sent()).toEqual(['1 basic.nack {"deliveryTag":5,"multiple":true,"requeue":false}']);
  });

  test("acknowledged with multiple name a tag that the server knows", () => {
    const [client, channel] = clientWithChannel();
    for (const tag of [2, 4, 7]) client.feed(deliver(tag), contentFrames(1, []));
    expect(client.engine.ack(channel, 5, true)).toBe(true);
    expect(client.sent()).toEqual(['1 basic.ack {"deliveryTag":4,"multiple":true}']);
    expect(client.engine.ack(channel, 5, true)).toBe(false);
  });

  test("of a channel that is over cannot be acknowledged", () => {
    const [client, channel] = clientWithChannel();
    client.feed(deliver(1), contentFrames(1, []));
    client.method(1, { method: "channel.close", replyCode: 320, replyText: "", classId: 0, methodId: 0 });
    expect([client.engine.ack(channel, 1, false), client.engine.nack(channel, 1, false, true)]).toEqual([false, false]);
  });

  test("acknowledged before a request are so on the wire, as tx.commit needs it", () => {
    const [client, channel] = clientWithChannel();
    client.feed(deliver(1), contentFrames(1, []));
    client.engine.ack(channel, 1, false);
    client.engine.request(channel, { method: "tx.commit" }, "commit");
    expect(client.sent()).toEqual(['1 basic.ack {"deliveryTag":1,"multiple":false}', "1 tx.commit {}"]);
  });

  test("cannot be settled once basic.recover has left: those of its turn leave before it, those that meet it on the way come again", () => {
    const [client, channel] = clientWithChannel();
    for (let tag = 1; tag <= 2; tag++) client.feed(deliver(tag), contentFrames(1, []));
    client.engine.ack(channel, 1, false);
    client.engine.request(channel, { method: "basic.recover", requeue: true }, "r");
    expect(client.sent()).toEqual([
      '1 basic.ack {"deliveryTag":1,"multiple":false}',
      '1 basic.recover {"requeue":true}',
    ]);
    client.feed(deliver(3), contentFrames(1, []));
    expect([1, 2, 3].map((tag) => client.engine.ack(channel, tag, false))).toEqual([false, false, false]);
    expect(client.engine.ack(channel, 3, true)).toBe(false);
    client.method(1, { method: "basic.recover-ok" });
    client.feed(deliver(4), contentFrames(1, []));
    expect(client.engine.nack(channel, 3, false, true)).toBe(false);
    expect(client.engine.ack(channel, 4, false)).toBe(true);
    client.engine.beforeFlush();
    expect(client.sent()).toEqual(['1 basic.ack {"deliveryTag":4,"multiple":false}']);
  });

  test("and can be settled that meet a basic.recover without requeue, which LavinMQ answers behind what it sends again", () => {
    const [client, channel] = clientWithChannel();
    client.feed(deliver(1), contentFrames(1, []));
    client.engine.request(channel, { method: "basic.recover", requeue: false }, "r");
    expect(client.engine.ack(channel, 1, false)).toBe(false);
    client.feed(deliver(2), contentFrames(1, []));
    client.method(1, { method: "basic.recover-ok" });
    expect(client.engine.ack(channel, 2, false)).toBe(true);
    client.engine.request(channel, { method: "basic.recover", requeue: true }, "r");
    client.feed(deliver(3), contentFrames(1, []));
    expect(client.engine.ack(channel, 3, false)).toBe(false);
  });

  test("and basic.recover-async leaves behind what was acknowledged before it", () => {
    const [client, channel] = clientWithChannel();
    for (let tag = 1; tag <= 2; tag++) client.feed(deliver(tag), contentFrames(1, []));
    client.engine.ack(channel, 2, false);
    client.engine.send(channel, { method: "basic.recover-async", requeue: true });
    expect(client.sent()).toEqual([
      '1 basic.ack {"deliveryTag":2,"multiple":false}',
      '1 basic.recover-async {"requeue":true}',
    ]);
    expect(client.engine.ack(channel, 1, false)).toBe(false);
  });

  test("with a delivery tag that does not rise end the connection with 503", () => {
    const [client] = clientWithChannel();
    client.feed(deliver(2), contentFrames(1, []), deliver(2), contentFrames(1, []));
    expect(client.lines).toContain("failed: ERR_COMMAND_INVALID");
    expect(client.sent().at(-1)).toContain('{"replyCode":503,');
  });

  test("returned ones are told with the reason", () => {
    const [client] = clientWithChannel();
    const returned = {
      method: "basic.return",
      replyCode: 312,
      replyText: "NO_ROUTE",
      exchange: "x",
      routingKey: "k",
    } as const;
    client.feed(methodFrame(returned, 1), contentFrames(1, [hex("01")]));
    expect(client.told()).toEqual(["returned 312 NO_ROUTE x/k {} [1]"]);
  });
});

describe("messages from a client", () => {
  test("leave as method, header and bodies no longer than frame-max", () => {
    const [client, channel] = clientWithChannel();
    const bytes = client.publish(channel, "m", new Uint8Array(10_000));
    const sent = client.sentBytes();
    expect([bytes, client.engine.frameBytesMax]).toEqual([sent.length, 4096]);
    client.publish(channel, "m", new Uint8Array(10_000));
    expect(client.sent()).toEqual([
      '1 basic.publish {"exchange":"x","routingKey":"k","mandatory":false,"immediate":false}',
      "1 header 14",
      "1 body 4088",
      "1 body 4088",
      "1 body 1824",
    ]);
  });

  test("are numbered from confirm.select on, and confirmed one by one and several at once", () => {
    const [client, channel] = clientWithChannel();
    client.publish(channel, "before");
    expect(channel.lastPublishTag).toBe(0);
    client.engine.request(channel, { method: "confirm.select", noWait: false }, "select");
    for (const name of ["a", "b", "c", "d", "e"]) client.publish(channel, name);
    expect([channel.lastPublishTag, channel.unconfirmedCount]).toEqual([5, 5]);
    client.method(1, { method: "confirm.select-ok" });
    client.method(1, { method: "basic.ack", deliveryTag: 2, multiple: false });
    client.method(1, { method: "basic.nack", deliveryTag: 3, multiple: true, requeue: false });
    client.method(1, { method: "basic.ack", deliveryTag: 2, multiple: false });
    client.method(1, { method: "basic.ack", deliveryTag: 5, multiple: true });
    expect(client.told()).toEqual([
      "a select: confirm.select-ok",
      "confirmed 2 b",
      "refused 1 a",
      "refused 3 c",
      "confirmed 4 d",
      "confirmed 5 e",
    ]);
  });

  test("that were never confirmed can be taken out, oldest first", () => {
    const [client, channel] = clientWithChannel();
    client.engine.request(channel, { method: "confirm.select", noWait: true }, "select");
    for (const name of ["a", "b", "c"]) client.publish(channel, name);
    client.method(1, { method: "basic.ack", deliveryTag: 2, multiple: false });
    client.engine.end();
    expect([channel.takeUnconfirmed(), channel.takeUnconfirmed(), channel.takeUnconfirmed()]).toEqual([
      "a",
      "c",
      undefined,
    ]);
  });

  test.each([
    ["a publish that was never made", 2],
    ["all of many", 4_294_967_296],
  ])("a confirm of %s ends the connection with 503", (_, deliveryTag) => {
    const [client, channel] = clientWithChannel();
    client.engine.request(channel, { method: "confirm.select", noWait: true }, "select");
    client.publish(channel, "a");
    client.method(1, { method: "basic.ack", deliveryTag, multiple: true });
    expect(client.told()).toEqual(["failed: ERR_COMMAND_INVALID"]);
  });

  test("with an error wrote nothing, and take no number", () => {
    const [client, channel] = clientWithChannel();
    client.engine.request(channel, { method: "confirm.select", noWait: true }, "select");
    client.sent();
    const block = encodeProperties(TEXT, { headers: { big: "x".repeat(4096) } });
    expect(() => client.engine.publish(channel, hex("0000"), 0, block, hex("01"), "m")).toThrow(
      expect.objectContaining({ code: "ERR_PACKET_TOO_LARGE" }),
    );
    expect([client.sent(), channel.lastPublishTag, channel.unconfirmedCount]).toEqual([[], 0, 0]);
  });
});
