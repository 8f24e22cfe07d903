/** The tables' encoder and decoder: golden bytes, round trips, both kinds of descriptor, what is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyValue, bytes, codeFrom, hex, ofType, readerOf, written } from "./codec.test-support.ts";
import { compositeName, decodeComposite, writeComposite } from "./composite.ts";
import type { FieldDefinition } from "./composite-types.ts";
import { COMPOSITES, type Composite, type CompositeInput, type CompositeName } from "./tables.ts";
import { AmqpMap, type AmqpValue, Described, symbol, type Typed, typed } from "./values.ts";

const NAMES = Object.keys(COMPOSITES) as CompositeName[];

function encoded(value: CompositeInput): Uint8Array {
  return written((w) => writeComposite(w, value));
}

function decoded(data: Uint8Array): Composite {
  const reader = readerOf(data);
  const value = decodeComposite(reader, NAMES);
  expect(reader.left).toBe(0);
  return value;
}

describe("golden bytes", () => {
  const rows: [string, CompositeInput, string][] = [
    [
      "open",
      { type: "open", containerId: "c", hostname: "h", maxFrameSize: 512, channelMax: 0, idleTimeOut: 30_000 },
      "00 53 10 c0 14 05 a1 01 'c' a1 01 'h' 70 00000200 60 0000 70 00007530",
    ],
    ["open with defaults", { type: "open", containerId: "" }, "00 53 10 c0 03 01 a1 00"],
    [
      "begin",
      { type: "begin", nextOutgoingId: 0, incomingWindow: 2048, outgoingWindow: 255, remoteChannel: 1 },
      "00 53 11 c0 0c 04 60 0001 43 70 00000800 52 ff",
    ],
    [
      "attach of a sender",
      {
        type: "attach",
        name: "l",
        handle: 0,
        role: false,
        source: { type: "source" },
        target: { type: "target", address: "q" },
        initialDeliveryCount: 0,
      },
      "00 53 12 c0 18 0a a1 01 'l' 43 42 40 40 00 53 28 45 00 53 29 c0 04 01 a1 01 'q' 40 40 43",
    ],
    [
      "flow",
      {
        type: "flow",
        nextIncomingId: 0,
        incomingWindow: 1,
        nextOutgoingId: 0,
        outgoingWindow: 1,
        handle: 0,
        deliveryCount: 0,
        linkCredit: 10,
      },
      "00 53 13 c0 0b 07 43 52 01 43 52 01 43 43 52 0a",
    ],
    [
      "transfer",
      { type: "transfer", handle: 0, deliveryId: 0, deliveryTag: Uint8Array.of(1), messageFormat: 0, settled: true },
      "00 53 14 c0 08 05 43 43 a0 01 01 43 41",
    ],
    [
      "disposition",
      { type: "disposition", role: true, first: 1, settled: true, state: { type: "accepted" } },
      "00 53 15 c0 0a 05 41 52 01 40 41 00 53 24 45",
    ],
    ["detach", { type: "detach", handle: 3, closed: true }, "00 53 16 c0 04 02 52 03 41"],
    ["end", { type: "end" }, "00 53 17 45"],
    [
      "close with an error",
      { type: "close", error: { type: "error", condition: "amqp:not-found", description: "no" } },
      "00 53 18 c0 1b 01 00 53 1d c0 15 02 a3 0e 'amqp:not-found' a1 02 'no'",
    ],
    [
      "sasl-mechanisms of one",
      { type: "saslMechanisms", saslServerMechanisms: ["PLAIN"] },
      "00 53 40 c0 08 01 a3 05 'PLAIN'",
    ],
    [
      "sasl-mechanisms of two",
      { type: "saslMechanisms", saslServerMechanisms: ["A", "B"] },
      "00 53 40 c0 09 01 e0 06 02 a3 01 'A' 01 'B'",
    ],
    ["sasl-outcome", { type: "saslOutcome", code: 0 }, "00 53 44 c0 03 01 50 00"],
    [
      "modified",
      { type: "modified", deliveryFailed: true, messageAnnotations: { a: 1 } },
      "00 53 27 c0 0b 03 41 40 c1 06 02 a3 01 'a' 54 01",
    ],
    ["declared", { type: "declared", txnId: Uint8Array.of(9) }, "00 53 33 c0 04 01 a0 01 09"],
    [
      "transactional-state",
      { type: "transactionalState", txnId: Uint8Array.of(9), outcome: { type: "accepted" } },
      "00 53 34 c0 08 02 a0 01 09 00 53 24 45",
    ],
    [
      "coordinator",
      { type: "coordinator", capabilities: ["amqp:local-transactions"] },
      "00 53 30 c0 1a 01 a3 17 'amqp:local-transactions'",
    ],
    ["discharge", { type: "discharge", txnId: Uint8Array.of(9), fail: false }, "00 53 32 c0 05 02 a0 01 09 42"],
    ["header", { type: "header", durable: false, priority: 0 }, "00 53 70 c0 04 02 42 50 00"],
  ];
  test.each(rows)("%s", (_, value, wanted) => {
    expect(hex(encoded(value))).toBe(hex(bytes(wanted)));
    expect(decoded(bytes(wanted))).toMatchObject(decodedForm(value));
  });
});

/** What a composite to be sent looks like when it is decoded, without its absent fields. */
function decodedForm(value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      item !== null && typeof item === "object" && Object.getPrototypeOf(item) === Object.prototype
        ? "type" in item
          ? decodedForm(item)
          : new AmqpMap(Object.entries(item as Record<string, AmqpValue>).map(([name, each]) => [symbol(name), each]))
        : item,
    ]),
  );
}

function fieldValue(field: FieldDefinition): fc.Arbitrary<unknown> {
  if (field.multiple === true) {
    const one = { ...field } as { multiple?: true };
    delete one.multiple;
    return fc.array(fieldValue(one as FieldDefinition), { maxLength: 3 });
  }
  switch (field.type) {
    case "value":
      return anyValue.filter((value) => value !== null);
    case "map":
      return fc.array(fc.tuple(anyValue, anyValue), { maxLength: 3 }).map((entries) => new AmqpMap(entries));
    case "fields":
      return fc.array(fc.tuple(ofType.symbol, anyValue), { maxLength: 3 }).map((entries) => new AmqpMap(entries));
    case "error":
      return fc
        .string({ unit: "grapheme-ascii" })
        .map((condition) => ({ type: "error", condition, description: null, info: null }));
    case "deliveryState":
      return fc.constantFrom({ type: "accepted" }, { type: "rejected", error: null }, new Described(symbol("x"), []));
    case "source":
      return fc.constant(new Described(typed("ulong", 0x999), []));
    case "target":
      return fc.constant({ type: "coordinator", capabilities: ["a", "b"] });
    case "boolean":
    case "string":
    case "binary":
      return ofType[field.type];
    default:
      return ofType[field.type].map((value) => (value as Typed).value);
  }
}

/** Any composite of a name in its decoded form. */
function compositeOf(name: CompositeName): fc.Arbitrary<Composite> {
  const fields = Object.entries(COMPOSITES[name]?.fields ?? {});
  return fc
    .tuple(
      ...fields.map(([, field]) =>
        fc.option(fieldValue(field), { freq: field.mandatory ? Number.MAX_SAFE_INTEGER : 2 }),
      ),
    )
    .map((values) => {
      const entries = fields.map(([key, field], i) => [
        key,
        values[i] ?? (field.multiple ? [] : (field.default ?? null)),
      ]);
      return { type: name, ...Object.fromEntries(entries) } as Composite;
    });
}

describe("every composite", () => {
  test.each(NAMES)("%s is decoded as it was encoded, and knows itself as a described value", (name) => {
    fc.assert(
      fc.property(compositeOf(name), (value) => {
        const data = encoded(value as CompositeInput);
        expect(decoded(data)).toEqual(value);
        expect(compositeName(readerOf(data).value() as Described)).toBe(name);
      }),
      { numRuns: 100 },
    );
  });

  test.each(NAMES)(
    "%s is known by its symbolic descriptor and by an eight-byte one, in a list of any width",
    (name) => {
      const definition = COMPOSITES[name];
      const empty = Object.values(definition?.fields ?? {}).every((field) => field.mandatory !== true);
      for (const descriptor of [symbol(definition?.symbol ?? ""), wideUlong(definition?.code ?? 0)]) {
        for (const list of ["45", "c0 01 00", "d0 00000004 00000000"]) {
          const head =
            descriptor instanceof Uint8Array ? descriptor : written((w) => writeSymbolic(w, String(descriptor.value)));
          const data = Uint8Array.from([0, ...head, ...bytes(list)]);
          if (empty) expect(decoded(data).type).toBe(name);
          else expect(codeFrom(() => decoded(data))).toBe("ERR_MALFORMED_PACKET");
        }
      }
    },
  );
});

function wideUlong(code: number): Uint8Array {
  return Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0, code);
}

function writeSymbolic(w: { reserve(n: number): void; u8(n: number): void }, name: string): void {
  w.reserve(2 + name.length);
  w.u8(0xa3);
  w.u8(name.length);
  for (let i = 0; i < name.length; i++) w.u8(name.charCodeAt(i));
}

describe("what does not fit its table is refused", () => {
  test.each([
    ["a mandatory field that is null", "00 53 10 c0 02 01 40"],
    ["a mandatory field that is missing", "00 53 10 45"],
    ["more fields than there are", "00 53 17 c0 03 02 40 40"],
    ["a field of another type", "00 53 10 c0 03 01 54 01"],
    ["an uint where an ushort belongs", "00 53 11 c0 07 04 52 01 43 43 43"],
    ["a map where a list belongs", "00 53 17 c1 01 00"],
    ["an error that is no error", "00 53 18 c0 05 01 00 53 24 45"],
    ["a field behind its composite's end", "00 53 16 c0 02 02 52 03"],
    ["an array of another type", "00 53 40 c0 07 01 e0 04 02 50 01 02"],
    ["an unknown descriptor", "00 53 ff 45"],
    ["an unknown symbolic descriptor", "00 a3 03 'abc' 45"],
    ["no descriptor", "45"],
  ])("%s", (_, form) => {
    expect(codeFrom(() => decodeComposite(readerOf(bytes(form)), NAMES))).toBe("ERR_MALFORMED_PACKET");
  });

  test("errors in errors' places end at the limit of depth", () => {
    const inner = bytes("00 53 34 d0 00100000 00000002 40");
    const nested = Uint8Array.from({ length: 40 * inner.length }, (_, i) => inner[i % inner.length] ?? 0);
    expect(codeFrom(() => decodeComposite(readerOf(nested), NAMES))).toBe("ERR_MALFORMED_PACKET");
  });

  test("an unknown delivery state or terminus is kept as it came", () => {
    const data = bytes("00 53 15 c0 0a 05 41 43 40 42 00 a3 01 'x' 45");
    expect(decoded(data)).toMatchObject({ state: new Described(symbol("x"), []) });
  });

  test.each<[string, unknown]>([
    ["a missing mandatory field", { type: "open" }],
    ["a field of another type", { type: "open", containerId: 5 }],
    ["a boolean that is none", { type: "detach", handle: 1, closed: 1 }],
    ["an uint out of range", { type: "detach", handle: -1 }],
    ["another composite in an error's place", { type: "close", error: { type: "accepted" } }],
    ["an unknown name", { type: "nothing" }],
    ["a name of Object's", { type: "constructor" }],
    ["text where a list belongs", { type: "coordinator", capabilities: "x" }],
  ])("on encoding: %s", (_, value) => {
    expect(codeFrom(() => encoded(value as CompositeInput))).toBe("ERR_INVALID_ARGUMENT");
  });
});
