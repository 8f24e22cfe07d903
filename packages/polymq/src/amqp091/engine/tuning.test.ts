import { describe, expect, test } from "vitest";
import { answerTune, checkTuneOk, checkTuning, TUNING_DEFAULT } from "./tuning.ts";

const OURS = { channelMax: 100, frameMax: 8192, heartbeatSeconds: 30 };

describe("a client's answer to tune (§1.4.2.6)", () => {
  test.each([
    ["lower limits of the server", { channelMax: 50, frameMax: 4096, heartbeat: 10 }, [50, 4096, 10]],
    ["higher limits of the server", { channelMax: 2047, frameMax: 131_072, heartbeat: 60 }, [100, 8192, 30]],
    ["0 for no limit and no wish", { channelMax: 0, frameMax: 0, heartbeat: 0 }, [100, 8192, 30]],
  ])("with %s", (_, theirs, [channelMax, frameMax, heartbeatSeconds]) => {
    expect(answerTune(theirs, OURS)).toEqual({ channelMax, frameMax, heartbeatSeconds });
  });

  test("turns heartbeats off where we want none", () => {
    const theirs = { channelMax: 1, frameMax: 4096, heartbeat: 60 };
    expect(answerTune(theirs, { ...OURS, heartbeatSeconds: 0 }).heartbeatSeconds).toBe(0);
  });

  test("is an error for a frame-max that no peer may have", () => {
    expect(() => answerTune({ channelMax: 0, frameMax: 4095, heartbeat: 0 }, OURS)).toThrow(
      expect.objectContaining({ code: "ERR_NEGOTIATION_FAILED" }),
    );
  });
});

test("a server takes lower limits and any heartbeat", () => {
  expect(checkTuneOk({ channelMax: 1, frameMax: 4096, heartbeat: 65_535 }, OURS)).toEqual({
    channelMax: 1,
    frameMax: 4096,
    heartbeatSeconds: 65_535,
  });
  expect(checkTuneOk({ channelMax: 0, frameMax: 8192, heartbeat: 0 }, { ...OURS, channelMax: 65_535 }).channelMax).toBe(
    65_535,
  );
});

test.each([
  { channelMax: 0 },
  { channelMax: 65_536 },
  { frameMax: 0 },
  { frameMax: 4095 },
  { heartbeatSeconds: -1 },
  { heartbeatSeconds: 0.5 },
])("%o cannot be proposed", (wrong) => {
  expect(() => checkTuning({ ...TUNING_DEFAULT, ...wrong })).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_OPTIONS" }),
  );
});
