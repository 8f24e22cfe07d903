/** The hand-written transfer, disposition and flow do what the tables do. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteWriter } from "../../bytes/writer.ts";
import { bytes, codeFrom, hex, readerOf, text, written } from "./codec.test-support.ts";
import { decodeComposite } from "./composite.ts";
import {
  ACCEPTED,
  type DispositionFields,
  DispositionHead,
  RELEASED,
  readDisposition,
  writeDisposition,
} from "./disposition.ts";
import { FlowFields, readFlow, writeFlow } from "./flow.ts";
import { endFrame, writeFrame } from "./frame.ts";
import { DataMessage, dataSectionBytes, encodeMessage, messageBytesMax, writeMessage } from "./message.ts";
import type { DeliveryStateInput, PerformativeInput } from "./tables.ts";
import {
  ABSENT,
  beginContinuation,
  beginRareTransfer,
  beginTransfer,
  readTransfer,
  TRANSFER_BYTES_MAX,
  TransferFields,
  TransferHead,
  tagBytes,
  writeDataTransfer,
} from "./transfer.ts";
import { AmqpMap } from "./values.ts";

const uint = fc.oneof(fc.constantFrom(0, 1, 255, 256, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff }));
const absent = fc.option(uint, { nil: ABSENT });
const tag = fc.oneof(uint, fc.uint8Array({ minLength: 1, maxLength: 32 }));

function byTable(performative: PerformativeInput, channel = 3): string {
  return hex(written((w) => writeFrame(w, channel, performative)));
}

function orNull(value: number): number | null {
  return value === ABSENT ? null : value;
}

function body(frame: Uint8Array): Uint8Array {
  return frame.subarray(8);
}

const transferFields = fc
  .record({ handle: uint, deliveryId: uint, tag, messageFormat: uint, settled: fc.boolean(), more: fc.boolean() })
  .map((values) => Object.assign(new TransferFields(), values, { channel: 3 }));

describe("transfer", () => {
  test("with one data section is written in one go as transfer and message are one behind the other", () => {
    const length = fc.constantFrom(0, 1, 255, 256, 70_000);
    const to = fc.constantFrom("", "a", "b/".repeat(200));
    fc.assert(
      fc.property(
        uint,
        uint,
        uint,
        fc.boolean(),
        length,
        to,
        (handle, deliveryId, number, settled, bytesOfData, address) => {
          const values = { channel: 0x102, handle, deliveryId, tag: number, settled };
          const fields = Object.assign(new TransferFields(), values);
          const data = new Uint8Array(bytesOfData).fill(7);
          const front = address === "" ? {} : { header: { durable: true }, properties: { to: address } };
          const message = { ...front, body: { type: "data", data } } as const;
          const whole = encodeMessage(text, message);
          const prepared = new DataMessage();
          prepared.head = whole.slice(0, whole.length - dataSectionBytes(bytesOfData));
          prepared.body.data = data;
          const room = TRANSFER_BYTES_MAX + messageBytesMax(prepared);
          const slow = new ByteWriter(text, room);
          const frame = beginTransfer(slow, fields);
          const start = slow.at;
          writeMessage(slow, message);
          endFrame(slow, frame);
          const fast = new ByteWriter(text, room);
          expect(writeDataTransfer(fast, fields, prepared)).toBe(start);
          expect(fast.at - start).toBe(whole.length);
          expect(hex(encodeMessage(text, prepared))).toBe(hex(whole));
          expect(hex(fast.copyFrom(0))).toBe(hex(slow.copyFrom(0)));
        },
      ),
    );
  });

  test("is written as the table writes it", () => {
    fc.assert(
      fc.property(transferFields, (fields) => {
        const w = new ByteWriter(text, TRANSFER_BYTES_MAX);
        endFrame(w, beginTransfer(w, fields));
        const { handle, deliveryId, messageFormat, settled, more } = fields;
        const table = {
          type: "transfer",
          handle,
          deliveryId,
          deliveryTag: tagBytes(fields.tag),
          messageFormat,
        } as const;
        const wanted =
          more && !settled ? { ...table, settled, more } : { ...table, settled: settled ? true : null, more };
        expect(hex(w.copyFrom(0))).toBe(byTable(wanted));
      }),
    );
  });

  test("of a continuation is written as the table writes it", () => {
    for (const more of [true, false]) {
      const data = written((w) => {
        w.reserve(TRANSFER_BYTES_MAX);
        endFrame(w, beginContinuation(w, 3, 500, more));
      });
      expect(hex(data)).toBe(byTable({ type: "transfer", handle: 500, more }));
    }
  });

  test("with rare fields is written by the table", () => {
    const fields = Object.assign(new TransferFields(), { channel: 3, tag: 7 });
    const state = { type: "transactionalState", txnId: Uint8Array.of(1) } as const;
    const data = written((w) => endFrame(w, beginRareTransfer(w, fields, { state, resume: true, aborted: true })));
    const table = {
      type: "transfer",
      handle: 0,
      deliveryId: 0,
      deliveryTag: tagBytes(7),
      messageFormat: 0,
      state,
    } as const;
    expect(hex(data)).toBe(byTable({ ...table, resume: true, aborted: true }));
  });

  const any = fc.record({
    handle: uint,
    deliveryId: fc.option(uint),
    deliveryTag: fc.option(fc.uint8Array({ maxLength: 300 })),
    messageFormat: fc.option(uint),
    settled: fc.option(fc.boolean()),
    more: fc.boolean(),
    rcvSettleMode: fc.option(fc.constantFrom(0, 1), { freq: 1 }),
    state: fc.option(
      fc.constantFrom<DeliveryStateInput>(
        { type: "accepted" },
        { type: "received", sectionNumber: 1, sectionOffset: 2 },
      ),
      { freq: 1 },
    ),
    resume: fc.boolean(),
    aborted: fc.boolean(),
    batchable: fc.boolean(),
  });

  test("is read as the table reads it, with its payload behind", () => {
    fc.assert(
      fc.property(any, fc.uint8Array({ maxLength: 8 }), (value, payload) => {
        const data = Uint8Array.from([
          ...body(written((w) => writeFrame(w, 0, { type: "transfer", ...value }))),
          ...payload,
        ]);
        const head = new TransferHead();
        head.deliveryId = 99;
        head.state = ACCEPTED;
        head.tagEnd = 5;
        const reader = readerOf(data);
        readTransfer(reader, head);
        const table = decodeComposite(readerOf(data), ["transfer"]);
        expect(reader.left).toBe(payload.length);
        const { tagStart, tagEnd, ...rest } = head;
        expect({ ...rest }).toEqual({
          handle: table.handle,
          deliveryId: table.deliveryId ?? ABSENT,
          messageFormat: table.messageFormat ?? ABSENT,
          settled: table.settled === true,
          more: table.more,
          rcvSettleMode: table.rcvSettleMode ?? ABSENT,
          state: table.state,
          resume: table.resume,
          aborted: table.aborted,
          batchable: table.batchable,
        });
        if (table.deliveryTag === null) expect([tagStart, tagEnd]).toEqual([ABSENT, ABSENT]);
        else expect(hex(data.subarray(tagStart, tagEnd))).toBe(hex(table.deliveryTag));
      }),
    );
  });

  test.each([
    ["without a handle", "00 53 14 c0 02 01 40"],
    ["with a tag that ends behind its list", "00 53 14 c0 05 03 43 43 a0 05 01020304"],
    ["with a number for settled", "00 53 14 c0 07 05 43 43 40 40 52 01"],
    ["cut short", "00 53 14 c0 08 05 43 43 a0 01"],
    ["with values left over in its list", "00 53 14 c0 04 01 43 43 43"],
  ])("%s is refused", (_, form) => {
    expect(codeFrom(() => readTransfer(readerOf(bytes(form)), new TransferHead()))).toBe("ERR_MALFORMED_PACKET");
  });
});

describe("disposition", () => {
  const states: (DeliveryStateInput | null)[] = [
    null,
    ACCEPTED,
    RELEASED,
    { type: "rejected" },
    { type: "modified", deliveryFailed: true },
  ];
  const fields: fc.Arbitrary<DispositionFields> = fc.record({
    channel: fc.constant(3),
    receiver: fc.boolean(),
    first: uint,
    last: uint,
    settled: fc.boolean(),
    state: fc.constantFrom(...states),
  });

  test("is written as the table writes it, and read as the table reads it", () => {
    fc.assert(
      fc.property(fields, fc.boolean(), ({ receiver: role, first, last, settled, state, channel }, alone) => {
        const end = alone ? first : last;
        const data = written((w) => writeDisposition(w, { channel, receiver: role, first, last: end, settled, state }));
        expect(hex(data)).toBe(
          byTable({ type: "disposition", role, first, last: end === first ? null : end, settled, state }),
        );
        const head = Object.assign(new DispositionHead(), { last: 77, settled: true, state: RELEASED });
        const reader = readerOf(body(data));
        readDisposition(reader, head);
        expect(reader.left).toBe(0);
        expect(head).toMatchObject({
          receiver: role,
          first,
          last: end,
          settled,
          state: state === null ? null : { type: state.type },
        });
        if (state?.type === "accepted") expect(head.state).toBe(ACCEPTED);
        if (state?.type === "released") expect(head.state).toBe(RELEASED);
      }),
    );
  });

  test.each([
    ["a batchable one", "00 53 15 c0 0b 06 41 52 05 40 41 00 53 24 45 41"],
    ["an accepted with a list8", "00 53 15 c0 0c 05 41 52 05 40 41 00 53 24 c0 01 00"],
    ["a list32", "00 53 15 d0 0000000d 00000005 41 52 05 40 41 00 53 24 45"],
    ["a null settled", "00 53 15 c0 0a 05 41 52 05 40 40 00 53 24 45"],
  ])("%s is read as well", (_, form) => {
    const head = new DispositionHead();
    readDisposition(readerOf(bytes(form)), head);
    expect(head).toMatchObject({ receiver: true, first: 5, last: 5, state: ACCEPTED });
  });

  test.each(["00 53 15 c0 02 01 41", "00 53 15 c0 03 02 41 40", "00 53 15 c0 07 04 41 43 43 52 01", "00 53 15 c0 09"])(
    "%s is refused",
    (form) => {
      expect(codeFrom(() => readDisposition(readerOf(bytes(form)), new DispositionHead()))).toBe(
        "ERR_MALFORMED_PACKET",
      );
    },
  );
});

describe("flow", () => {
  const fields = fc
    .record({
      nextIncomingId: absent,
      incomingWindow: uint,
      nextOutgoingId: uint,
      outgoingWindow: uint,
      handle: absent,
      deliveryCount: absent,
      linkCredit: absent,
      available: absent,
      drain: fc.boolean(),
      echo: fc.boolean(),
    })
    .map((values) => Object.assign(new FlowFields(), values));

  test("is written as the table writes it, and read as the table reads it", () => {
    fc.assert(
      fc.property(fields, fc.boolean(), (flow, named) => {
        const properties = named ? { active: true } : null;
        const data = written((w) => writeFlow(w, 3, flow, properties));
        const { incomingWindow, nextOutgoingId, outgoingWindow, drain, echo } = flow;
        const wanted = byTable({
          type: "flow",
          nextIncomingId: orNull(flow.nextIncomingId),
          incomingWindow,
          nextOutgoingId,
          outgoingWindow,
          handle: orNull(flow.handle),
          deliveryCount: orNull(flow.deliveryCount),
          linkCredit: orNull(flow.linkCredit),
          available: orNull(flow.available),
          drain,
          echo,
          properties,
        });
        expect(hex(data)).toBe(wanted);
        const back = Object.assign(new FlowFields(), { handle: 1, drain: true, available: 4 });
        const found = readFlow(readerOf(body(data)), back);
        expect({ ...back }).toEqual({ ...flow });
        expect(found?.get("active")).toBe(named ? true : undefined);
      }),
    );
  });

  test("properties come out as a map", () => {
    const data = written((w) => writeFlow(w, 0, new FlowFields(), new AmqpMap([["k", 1]])));
    expect(readFlow(readerOf(body(data)), new FlowFields())?.get("k")).toBe(1);
  });

  test.each(["00 53 13 c0 04 03 40 43 43", "00 53 13 c0 06 04 40 40 43 43", "00 53 13 c0 05 04 40 43 43 41"])(
    "%s is refused",
    (form) => {
      expect(codeFrom(() => readFlow(readerOf(bytes(form)), new FlowFields()))).toBe("ERR_MALFORMED_PACKET");
    },
  );
});
