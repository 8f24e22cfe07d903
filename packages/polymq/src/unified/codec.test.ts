import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { bytes, InvalidMessageError, json, text } from "./codec.ts";

const encoder = new TextEncoder();

describe("codecs", () => {
  test("bytes takes payloads as they are", () => {
    const payload = new Uint8Array([0, 255]);
    expect([bytes.encode(payload), bytes.decode(payload), bytes.contentType]).toEqual([payload, payload, undefined]);
  });

  test("text is UTF-8, and what is ill-formed is invalid", () => {
    expect([text.encode("é"), text.decode(encoder.encode("é"))]).toEqual(["é", "é"]);
    expect(() => text.decode(new Uint8Array([0xff]))).toThrow(InvalidMessageError);
  });

  test("json without a schema takes what JSON can say, both ways", () => {
    const codec = json<{ n: number }>();
    expect([codec.encode({ n: 1 }), codec.decode(encoder.encode('{"n":1}'))]).toEqual(['{"n":1}', { n: 1 }]);
    expect(() => codec.decode(encoder.encode("{"))).toThrow("not JSON");
    expect(() => json().encode(undefined)).toThrow(InvalidMessageError);
  });

  test("what is no Standard Schema is refused at once", () => {
    expect(() => json({} as never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTIONS" }));
  });
});

const VALIDATORS = [
  ["zod", json(z.object({ id: z.string(), n: z.number() }))],
  ["valibot", json(v.object({ id: v.string(), n: v.number() }))],
  ["arktype", json(type({ id: "string", n: "number" }))],
] as const;

describe.each(VALIDATORS)("json with a schema of %s", (_, codec) => {
  test("takes what passes, published and received", async () => {
    const order = { id: "a", n: 1 };
    const payload = await codec.encode(order);
    expect(await codec.decode(encoder.encode(payload as string))).toEqual(order);
  });

  test("refuses to publish what does not pass", async () => {
    const publish = async (): Promise<unknown> => await codec.encode({ id: "a", n: "1" } as never);
    await expect(publish()).rejects.toMatchObject({ code: "ERR_INVALID_MESSAGE" });
  });

  test("refuses a payload with the list of issues, each with its place", async () => {
    const receive = async (): Promise<unknown> => await codec.decode(encoder.encode('{"id":"a","n":"1"}'));
    const error = await receive().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidMessageError);
    const { issues, message } = error as InvalidMessageError;
    expect(issues.length).toBeGreaterThan(0);
    expect(message).toContain("n");
  });
});

describe("a schema that transforms", () => {
  const codec = json(z.object({ at: z.iso.datetime().transform((at) => new Date(at)) }));

  test("publishes what goes in, and gives what comes out on receipt", async () => {
    const payload = await codec.encode({ at: "2026-01-02T03:04:05Z" });
    expect(payload).toBe('{"at":"2026-01-02T03:04:05Z"}');
    expect(await codec.decode(encoder.encode(payload as string))).toEqual({ at: new Date("2026-01-02T03:04:05Z") });
  });
});

test("a schema that takes its time is waited for", async () => {
  const codec = json(z.string().refine(async (word) => (await Promise.resolve(word)) !== "no"));
  expect(await codec.encode("yes")).toBe('"yes"');
  await expect(codec.decode(encoder.encode('"no"'))).rejects.toBeInstanceOf(InvalidMessageError);
});
