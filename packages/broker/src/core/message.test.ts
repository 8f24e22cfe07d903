import { describe, expect, test } from "vitest";
import { Message, TransientMessage } from "./message.ts";
import { bytesOf, countingStamp, messageOf, textOf } from "./session.test-support.ts";

describe("a transient message", () => {
  test("what is kept does not change when the input is overwritten", () => {
    const view = new TransientMessage(countingStamp());
    const input = bytesOf("payloadprops");
    view.begin("a/b", input.subarray(0, 7));
    view.properties = input.subarray(7);
    const kept = view.keep();
    input.fill(0);
    expect([textOf(kept.payload), textOf(kept.properties ?? bytesOf(""))]).toEqual(["payload", "props"]);
  });

  test("a view of a platform buffer, whose slice shares memory, is copied as well", () => {
    const view = new TransientMessage(countingStamp());
    const input = Buffer.from("payload");
    view.begin("a", input);
    const kept = view.keep();
    input.fill(0);
    expect(textOf(kept.payload)).toBe("payload");
  });

  test("what its connection owns is kept as it is, and only of that message", () => {
    const view = new TransientMessage(countingStamp());
    const [payload, properties] = [bytesOf("payload"), bytesOf("props")];
    view.begin("a", payload);
    view.properties = properties;
    view.isOwned = true;
    const kept = view.keep();
    expect([kept.payload === payload, kept.properties === properties]).toEqual([true, true]);
    view.begin("a", payload);
    expect(view.keep().payload).not.toBe(payload);
  });

  test("everybody who keeps it gets the same copy", () => {
    const view = new TransientMessage(countingStamp());
    view.begin("a", bytesOf("1"));
    expect(view.keep()).toBe(view.keep());
  });

  test("the next message is another copy with the next sequence and default fields", () => {
    const view = new TransientMessage(countingStamp(77));
    view.publisherId = "p";
    view.begin("a", bytesOf("1"));
    view.retain = true;
    view.guarantee = 2;
    view.properties = bytesOf("x");
    view.expiresAtMs = 5;
    const first = view.keep();
    view.begin("b", bytesOf("2"));
    const second = view.keep();
    expect(first).toMatchObject({ topic: "a", retain: true, guarantee: 2, expiresAtMs: 5, sequence: 1 });
    expect(second).toMatchObject({
      topic: "b",
      retain: false,
      guarantee: 0,
      properties: null,
      expiresAtMs: Number.POSITIVE_INFINITY,
      publisherId: "p",
      sequence: 2,
      createdAtMs: 77,
    });
  });

  test("what is lent lies in the input until somebody keeps it", () => {
    const view = new TransientMessage(countingStamp());
    const input = bytesOf("payloadprops");
    view.begin("a/b", input.subarray(0, 7), input);
    view.properties = input.subarray(7);
    const lent = view.lend();
    expect([lent.payload.buffer, lent.properties?.buffer]).toEqual([input.buffer, input.buffer]);
    expect(view.lend()).toBe(lent);
    expect(lent.payload.buffer).toBe(input.buffer);
    expect(view.keep()).toBe(lent);
    input.fill(0);
    expect([textOf(lent.payload), textOf(lent.properties ?? bytesOf(""))]).toEqual(["payload", "props"]);
  });

  test("a lent message that is lent or kept once more, after its publication, is copied", () => {
    const view = new TransientMessage(countingStamp());
    const input = bytesOf("12");
    const lent = [0, 1].map((at) => {
      view.begin("a", input.subarray(at, at + 1), input);
      return view.lend();
    });
    view.end();
    lent[0]?.keep();
    lent[1]?.lend();
    input.fill(0);
    expect(lent.map((message) => textOf(message.payload))).toEqual(["1", "2"]);
  });

  test("what was kept is lent as it is, and input that may be written into is not lent", () => {
    const view = new TransientMessage(countingStamp());
    const input = bytesOf("1");
    view.begin("a", input, input);
    const kept = view.keep();
    expect(view.lend()).toBe(kept);
    view.begin("a", input);
    const lent = view.lend();
    input.fill(0);
    expect([textOf(kept.payload), textOf(lent.payload)]).toEqual(["1", "1"]);
  });

  test("an ended view holds no bytes of the input any more", () => {
    const view = new TransientMessage(countingStamp());
    view.begin("a", bytesOf("1"));
    view.end();
    expect(view.payload).toHaveLength(0);
  });
});

test("an owned message is its own copy", () => {
  const message = messageOf("a");
  expect(message).toBeInstanceOf(Message);
  expect(message.keep()).toBe(message);
});

test("the size of a message counts topic, payload and properties", () => {
  const bare = messageOf("a", "");
  const full = messageOf("abc", "12345", { properties: new Uint8Array(7) });
  expect(full.bytes - bare.bytes).toBe(2 + 5 + 7);
});
