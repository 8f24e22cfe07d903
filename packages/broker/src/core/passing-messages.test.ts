import { describe, expect, test } from "vitest";
import { HeldMessages } from "./held-messages.ts";
import { type Message, TransientMessage } from "./message.ts";
import { PassingMessages } from "./passing-messages.ts";
import { bytesOf, countingStamp, textOf } from "./session.test-support.ts";

class Rig {
  readonly held = new HeldMessages();
  readonly passing: PassingMessages;
  readonly view: TransientMessage;

  constructor(bytesMax = 1_000, messagesMax = 100) {
    this.passing = new PassingMessages({ bytesMax, messagesMax });
    this.view = new TransientMessage(countingStamp(), this.passing);
  }

  /** A message that is all of its chunk, or that chunk's bytes from `start` on. */
  lend(chunk: Uint8Array, start = 0): Message {
    this.view.begin("a", chunk.subarray(start), chunk);
    const message = this.view.lend();
    this.held.hold(message);
    return message;
  }
}

/** True while the message lies in the chunk: what is written there is seen in it. */
function liesIn(chunk: Uint8Array, message: Message): boolean {
  return message.payload.buffer === chunk.buffer;
}

describe("messages that lie in the input that brought them", () => {
  test("get a copy of their own when more input is kept than may be, the oldest first", () => {
    const rig = new Rig(1_000);
    const chunks = Array.from({ length: 4 }, (_, i) => new Uint8Array(400).fill(i));
    const messages = chunks.map((chunk) => rig.lend(chunk));
    expect(messages.map((message, i) => liesIn(chunks[i] as Uint8Array, message))).toEqual([false, false, true, true]);
    expect(rig.passing.bytes).toBe(800);
    expect(messages.map((message) => message.payload)).toEqual(chunks);
  });

  test("get a copy of their own when there are more of them than may be", () => {
    const rig = new Rig(1_000_000, 3);
    const chunk = bytesOf("abcdefgh");
    const messages = Array.from({ length: 4 }, (_, i) => rig.lend(chunk, i));
    expect(messages.map((message) => liesIn(chunk, message))).toEqual([false, false, false, true]);
    expect(messages.map((message) => textOf(message.payload))).toEqual(["abcdefgh", "bcdefgh", "cdefgh", "defgh"]);
  });

  test("are forgotten with their input when nobody holds them any more", () => {
    const rig = new Rig();
    const chunk = new Uint8Array(300);
    const messages = [rig.lend(chunk), rig.lend(chunk, 1)];
    rig.held.release(messages[0] as Message);
    rig.lend(new Uint8Array(200));
    expect(rig.passing.bytes).toBe(500); // the second one is held
    rig.held.release(messages[1] as Message);
    rig.lend(new Uint8Array(100));
    expect(rig.passing.bytes).toBe(300);
  });

  test("count the input for as long as any of its messages is held, whatever the order in which they are let go", () => {
    const rig = new Rig();
    const first = rig.lend(new Uint8Array(300));
    const second = rig.lend(new Uint8Array(200));
    rig.held.release(second);
    rig.lend(new Uint8Array(100));
    expect(rig.passing.bytes).toBe(600);
    rig.held.release(first);
    rig.lend(new Uint8Array(50));
    expect(rig.passing.bytes).toBe(150);
  });

  test("count memory that several chunks share once, and all of it", () => {
    const rig = new Rig();
    const memory = new Uint8Array(600);
    for (const at of [0, 100, 200]) rig.lend(memory.subarray(at, at + 10));
    expect(rig.passing.bytes).toBe(600);
  });

  test("larger than the limit go on alone", () => {
    const rig = new Rig(1_000);
    const small = new Uint8Array(10);
    const large = new Uint8Array(5_000);
    const before = rig.lend(small);
    const message = rig.lend(large);
    expect([liesIn(small, before), liesIn(large, message)]).toEqual([false, true]);
    expect(rig.passing.bytes).toBe(5_000);
    rig.lend(new Uint8Array(10));
    expect([liesIn(large, message), rig.passing.bytes]).toEqual([false, 10]);
  });

  test("of which nobody took hold are not copied for anybody", () => {
    const rig = new Rig(1_000);
    const chunk = new Uint8Array(600);
    const message = rig.lend(chunk);
    rig.held.release(message);
    rig.lend(new Uint8Array(600));
    expect(liesIn(chunk, message)).toBe(true);
  });
});
