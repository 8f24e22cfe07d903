import { join } from "node:path";
import {
  AmqpArray,
  type AmqpInput,
  AmqpMap,
  ByteWriter,
  Described,
  encodeMessage,
  type MessageInput,
  MessageView,
  symbol,
  type Typed,
  typed,
  uuid,
  ValueReader,
  webText,
  writeValue,
} from "polymq/amqp10/codec";
import { describe, expect, test } from "vitest";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { runTool } from "../harness/run-tool.ts";

const SCRIPT = join(import.meta.dirname, "..", "peers", "python", "proton_codec.py");
const tools = requireOrSkip("python:proton");
const text = webText();

/** Proton reads each and writes it again. */
async function throughProton(kind: "values" | "messages", inputs: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const stdin = inputs.map((each) => `${Buffer.from(each).toString("hex")}\n`).join("");
  const { stdout } = await runTool("python3", [SCRIPT, kind], { stdin, timeoutMs: 20_000 });
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => {
      if (line.startsWith("error")) throw new Error(line);
      return new Uint8Array(Buffer.from(line, "hex"));
    });
}

function encodedValue(value: AmqpInput): Uint8Array {
  const w = new ByteWriter(text);
  writeValue(w, value);
  return w.copyFrom(0);
}

function decodedValue(bytes: Uint8Array): unknown {
  const reader = new ValueReader(text);
  reader.reset(bytes, 0, bytes.length);
  const value = reader.value();
  expect(reader.left).toBe(0);
  return value;
}

const INTEGERS: readonly Typed[] = (
  [
    ["ubyte", [0, 255]],
    ["ushort", [0, 65_535]],
    ["uint", [0, 1, 255, 256, 4_294_967_295]],
    ["ulong", [0, 1, 255, 256, 2 ** 53 - 1, 2n ** 53n, 2n ** 64n - 1n]],
    ["byte", [-128, 127]],
    ["short", [-32_768, 32_767]],
    ["long", [0, -1, 127, -128, 128, -(2n ** 63n), 2n ** 63n - 1n]],
  ] as const
).flatMap(([type, values]) => values.map((value) => typed(type, value as never)));

const VALUES: readonly AmqpInput[] = [
  null,
  true,
  false,
  0,
  -1,
  127,
  128,
  -2_147_483_648,
  2_147_483_647,
  ...INTEGERS,
  0.5,
  -1e300,
  typed("float", 1.5),
  typed("char", 0x1f600),
  typed("timestamp", 1_700_000_000_000),
  typed("timestamp", -1n * 2n ** 62n),
  typed("decimal32", Uint8Array.of(1, 2, 3, 4)),
  typed("decimal64", Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
  typed("decimal128", new Uint8Array(16).fill(9)),
  uuid("123e4567-e89b-12d3-a456-426614174000"),
  "",
  "grüße 😀",
  "x".repeat(255),
  "x".repeat(256),
  symbol(""),
  symbol("s".repeat(300)),
  new Uint8Array(0),
  new Uint8Array(255),
  new Uint8Array(70_000),
  [],
  [1, "a", null, [true, []]],
  Array.from({ length: 300 }, (_, i) => i),
  new AmqpMap(),
  new AmqpMap([
    ["a", 1],
    [symbol("a"), typed("ulong", 2)],
    [3, [new AmqpMap([[typed("uint", 1), null]])]],
  ]),
  new AmqpArray("int", [1, 2, 300_000]),
  new AmqpArray("symbol", [symbol("a"), symbol("b")]),
  new Described(symbol("d"), "value"),
  new Described(typed("ulong", 0x0000_468c_0000_0004), [1, 2]),
];

const MESSAGES: readonly MessageInput[] = [
  { body: { type: "data", data: new TextEncoder().encode("bytes") } },
  { body: { type: "value", value: "text" } },
  { body: { type: "value", value: new AmqpMap([["k", typed("ubyte", 1)]]) } },
  { body: { type: "sequence", sequences: [[1, "two", null]] } },
  {
    header: { durable: true, priority: 9, ttl: 1_000, firstAcquirer: true, deliveryCount: 3 },
    deliveryAnnotations: { d: 1 },
    messageAnnotations: { m: "x", n: typed("ulong", 7) },
    properties: {
      messageId: "id",
      userId: Uint8Array.of(1),
      to: "to",
      subject: "subject",
      replyTo: "reply",
      correlationId: typed("ulong", 5),
      contentType: "text/plain",
      contentEncoding: "gzip",
      absoluteExpiryTime: 1_700_000_000_000,
      creationTime: 1_600_000_000_000,
      groupId: "group",
      groupSequence: 4,
      replyToGroupId: "other",
    },
    applicationProperties: { a: 1, b: true, c: "x", d: 2.5 },
    body: { type: "data", data: new Uint8Array(1_000).fill(5) },
  },
];

describe.skipIf(tools.skip)(tools.title("the AMQP 1.0 codec and Qpid Proton"), () => {
  test("values that Proton has read and written again are the same values of the same types", async () => {
    const inputs = VALUES.map(encodedValue);
    const outputs = await throughProton("values", inputs);
    expect(outputs.map(decodedValue)).toEqual(inputs.map(decodedValue));
  });

  test("messages that Proton has read and written again have the same sections", async () => {
    const inputs = MESSAGES.map((message) => encodeMessage(text, message));
    const outputs = await throughProton("messages", inputs);
    const sections = (bytes: Uint8Array): unknown => {
      const view = new MessageView(text, bytes);
      return [
        // Proton writes an empty section where there was none.
        Object.entries(view.properties ?? {}).filter(([name, value]) => name !== "type" && value !== null),
        view.applicationProperties,
        view.deliveryAnnotations,
        view.messageAnnotations,
        view.body,
        view.header?.durable ?? false,
        view.header?.priority ?? 4,
        view.header?.ttl ?? 0,
        view.header?.deliveryCount ?? 0,
      ];
    };
    expect(outputs.map(sections)).toEqual(inputs.map(sections));
  });
});
