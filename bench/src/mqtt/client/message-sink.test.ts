import { describe, expect, test } from "vitest";
import { makePayloads } from "../wire/payloads.ts";
import { RoundTrips, Tally } from "./message-sink.ts";

const PAYLOADS = makePayloads(64);

function payload(place: number): Uint8Array {
  return PAYLOADS[place] ?? new Uint8Array(0);
}

describe("Tally", () => {
  test("ends a phase with its last message", async () => {
    const tally = new Tally(PAYLOADS);
    const done = tally.begin(2, 2, "quick");
    tally.onPayload(payload(0));
    tally.onPayload(payload(1));
    expect(await done).toBeGreaterThan(0);
  });

  test("refuses a message out of the order of the cycle", () => {
    const tally = new Tally(PAYLOADS);
    void tally.begin(2, 2, "quick");
    expect(() => tally.onPayload(payload(1))).toThrow("message 0 has a wrong payload");
  });

  test("refuses any wrong byte in a thorough phase", () => {
    const tally = new Tally(PAYLOADS);
    void tally.begin(2, 2, "thorough");
    const wrong = Uint8Array.from(payload(0));
    wrong[30] = (wrong[30] ?? 0) ^ 1;
    expect(() => tally.onPayload(wrong)).toThrow("message 0 has a wrong payload");
  });
});

test("round trips go one after the other, through the payload cycle, and each is timed", async () => {
  let open = 0;
  const sent: number[] = [];
  const trips: RoundTrips = new RoundTrips(PAYLOADS, (bytes) => {
    open += 1;
    expect(open).toBe(1);
    sent.push(bytes[0] ?? -1);
    queueMicrotask(() => {
      open -= 1;
      trips.onPayload(bytes);
    });
  });
  const samples = await trips.run(10);
  expect(sent).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0, 1]);
  expect(samples.every((sample) => sample > 0)).toBe(true);
});
