import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { type Deferred, deferred } from "../base/deferred.ts";
import { MessagingError } from "../base/errors.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Redial, type RedialRules } from "./redial.ts";
import { Supervisor, type SupervisorOptions } from "./supervisor.ts";

interface Dial extends Deferred<void> {
  readonly server: number;
  readonly signal: AbortSignal;
  readonly atMs: number;
}

interface Setup {
  readonly clock: VirtualClock;
  readonly supervisor: Supervisor;
  /** Every dial so far; what `answers` does not settle waits for the test. */
  readonly dials: Dial[];
  /** `attempt:server` for each dial, and what it gave up with. */
  readonly told: string[];
  /** Answers of the next dials: null connects, an error fails. */
  readonly answers: (Error | null)[];
  /** Milliseconds from the start of each dial. */
  times(): number[];
}

const DOWN = new MessagingError("ERR_CONNECT_FAILED", "down");

interface SetupOptions extends Partial<SupervisorOptions> {
  servers?: number;
  /** Null: it comes back under no rules at all. */
  rules?: RedialRules | null;
}

function setup(options: SetupOptions = {}): Setup {
  const clock = new VirtualClock();
  const startMs = clock.nowMs();
  const dials: Dial[] = [];
  const told: string[] = [];
  const answers: (Error | null)[] = [];
  const { rules } = options;
  const supervisor = new Supervisor({
    clock,
    serverCount: () => options.servers ?? 1,
    connect: (server, signal) => {
      const dial = { ...deferred<void>(), server, signal, atMs: clock.nowMs() };
      dials.push(dial);
      const answer = answers.shift();
      if (answer === null) dial.resolve();
      else if (answer !== undefined) dial.reject(answer);
      return dial.promise;
    },
    redial: () => (rules === null ? null : new Redial({ jitter: "none", ...rules }, clock, Math.random)),
    handler: {
      onAttempt: (attempt, server) => told.push(`${attempt}:${server}`),
      onGaveUp: (error) => told.push(`gave up: ${error.code}, ${error.message}`),
    },
    ...options,
  });
  return { clock, supervisor, dials, told, answers, times: () => dials.map((dial) => dial.atMs - startMs) };
}

describe("the first connect", () => {
  test("resolves at the first server that answers", async () => {
    const { supervisor, answers, told } = setup({ servers: 3 });
    answers.push(DOWN, null);
    await supervisor.start();
    expect(told).toEqual(["1:0", "1:1"]);
  });

  test("gets one round over all servers by default, and rejects with the last one's error", async () => {
    const { clock, supervisor, answers, told } = setup({ servers: 2 });
    const last = new MessagingError("ERR_CONNECT_FAILED", "last");
    answers.push(DOWN, last);
    await expect(supervisor.start()).rejects.toBe(last);
    expect(told).toEqual(["1:0", "1:1", "gave up: ERR_CONNECT_FAILED, last"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("follows the same rules as a reconnect when asked to: a round, then growing delays", async () => {
    const { clock, supervisor, answers, times } = setup({ rules: { retryFirstConnect: true }, servers: 2 });
    answers.push(DOWN, DOWN, DOWN, DOWN, DOWN, null);
    const started = supervisor.start();
    await clock.advance(60_000);
    await started;
    expect(times()).toEqual([0, 0, 1_000, 1_000, 3_000, 3_000]);
  });

  test("a second start while it runs is ERR_ALREADY_CONNECTED", async () => {
    const { supervisor } = setup();
    const first = supervisor.start();
    await expect(supervisor.start()).rejects.toMatchObject({ code: "ERR_ALREADY_CONNECTED" });
    supervisor.stop();
    await expect(first).rejects.toMatchObject({ code: "ERR_ABORTED" });
  });

  test("a rejection that is no Error counts as a failed dial all the same", async () => {
    const { supervisor, answers } = setup();
    answers.push("just text" as never);
    await expect(supervisor.start()).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", cause: "just text" });
  });
});

describe("a lost connection", () => {
  test("is dialled again at once, then after 1, 2, 4 ... seconds", async () => {
    const { clock, supervisor, answers, times } = setup();
    answers.push(null, DOWN, DOWN, DOWN, DOWN, null);
    await supervisor.start();
    await clock.advance(10_000);
    supervisor.lost(DOWN);
    await clock.advance(60_000);
    expect(times()).toEqual([0, 10_000, 11_000, 13_000, 17_000, 25_000]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("starts with the server that worked last, and goes round from there", async () => {
    const { clock, supervisor, answers, told } = setup({ servers: 3 });
    answers.push(DOWN, DOWN, null, DOWN, null);
    await supervisor.start();
    told.length = 0;
    supervisor.lost(DOWN);
    await clock.advance(1_000);
    expect(told).toEqual(["1:2", "1:0"]);
  });

  test("is not dialled inside lost()", async () => {
    const { clock, supervisor, dials, answers } = setup();
    answers.push(null);
    await supervisor.start();
    supervisor.lost(DOWN);
    expect(dials.length).toBe(1);
    await clock.settle();
    expect(dials.length).toBe(2);
    supervisor.stop();
  });

  test("counts attempts anew after each connection", async () => {
    const { clock, supervisor, answers, told } = setup();
    answers.push(null, DOWN, DOWN, null, null);
    await supervisor.start();
    for (let i = 0; i < 2; i++) {
      await clock.advance(10_000);
      supervisor.lost(DOWN);
      await clock.advance(10_000);
    }
    expect(told.filter((line) => line.includes(":"))).toEqual(["1:0", "1:0", "2:0", "3:0", "1:0"]);
  });

  test("again and again soon after connecting comes back ever more slowly", async () => {
    const { clock, supervisor, answers, times } = setup();
    answers.push(null, null, null, null, null);
    await supervisor.start();
    for (let i = 0; i < 4; i++) {
      supervisor.lost(DOWN);
      await clock.advance(4_000);
    }
    expect(times()).toEqual([0, 0, 5_000, 10_000, 16_000]);
    await clock.advance(5_000);
    answers.push(null);
    supervisor.lost(DOWN);
    await clock.settle();
    expect(times().at(-1)).toBe(21_000);
  });

  test("right inside the dial's success, before the supervisor knows of it, is still a loss", async () => {
    const { clock, supervisor, dials } = setup();
    const started = supervisor.start();
    dials[0]?.resolve();
    supervisor.lost(DOWN);
    await started;
    await clock.settle();
    expect(dials.length).toBe(2);
    supervisor.stop();
  });

  test("while a dial is under way that then fails, counts once", async () => {
    const { clock, supervisor, dials, answers } = setup({ servers: 2 });
    const started = supervisor.start();
    supervisor.lost(DOWN);
    answers.push(null);
    dials[0]?.reject(DOWN);
    await started;
    await clock.advance(60_000);
    expect(dials.length).toBe(2);
  });

  test("before start or after stop means nothing", async () => {
    const { clock, supervisor, dials, answers } = setup();
    supervisor.lost(DOWN);
    answers.push(null);
    await supervisor.start();
    supervisor.stop();
    supervisor.lost(DOWN);
    await clock.advance(60_000);
    expect(dials.length).toBe(1);
  });
});

describe("giving up", () => {
  test("after maxAttempts rounds it is ERR_RECONNECT_EXHAUSTED with the last error as cause", async () => {
    const { clock, supervisor, answers, told } = setup({ rules: { maxAttempts: 3 } });
    answers.push(null, DOWN, DOWN, DOWN);
    await supervisor.start();
    supervisor.lost(new MessagingError("ERR_CONNECTION_LOST", "cut"));
    await clock.advance(600_000);
    expect(told.filter((line) => line.startsWith("gave up"))).toEqual([
      "gave up: ERR_RECONNECT_EXHAUSTED, no connection after 3 attempts: down",
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("maxAttempts holds for a first connect that is retried", async () => {
    const { clock, supervisor, answers } = setup({ rules: { maxAttempts: 2, retryFirstConnect: true } });
    answers.push(DOWN, DOWN, null);
    const outcome = expect(supervisor.start()).rejects.toMatchObject({ code: "ERR_RECONNECT_EXHAUSTED" });
    await clock.advance(600_000);
    await outcome;
  });

  test("the predicate is asked after the loss and after each round, and may refuse", async () => {
    const asked: unknown[] = [];
    const { clock, supervisor, answers, told } = setup({
      rules: {
        shouldReconnect: (error, attempt) => {
          asked.push([error, attempt]);
          return attempt < 2;
        },
      },
    });
    const cut = new MessagingError("ERR_CONNECTION_LOST", "cut");
    answers.push(null, DOWN, DOWN);
    await supervisor.start();
    supervisor.lost(cut);
    await clock.advance(600_000);
    expect(asked).toEqual([
      [cut, 0],
      [DOWN, 1],
      [DOWN, 2],
    ]);
    expect(told.at(-1)).toBe("gave up: ERR_CONNECT_FAILED, down");
  });

  test("by default an error that can never get better is not tried again", async () => {
    const { clock, supervisor, answers, dials } = setup({ rules: { retryFirstConnect: true } });
    answers.push(new MessagingError("ERR_INVALID_OPTIONS", "a bad key"));
    const outcome = expect(supervisor.start()).rejects.toMatchObject({ code: "ERR_INVALID_OPTIONS" });
    await clock.advance(600_000);
    await outcome;
    expect(dials.length).toBe(1);
  });

  test.each<[string, RedialRules]>([
    [
      "predicate",
      {
        shouldReconnect: () => {
          throw DOWN;
        },
      },
    ],
    [
      "delay",
      {
        delay: () => {
          throw DOWN;
        },
      },
    ],
  ])("a %s that throws is ERR_HANDLER_FAILED with its error as cause, not a crash", async (_, rules) => {
    const { supervisor, answers } = setup({ rules: { retryFirstConnect: true, ...rules } });
    answers.push(new Error("other"));
    await expect(supervisor.start()).rejects.toMatchObject({ code: "ERR_HANDLER_FAILED", cause: DOWN });
  });

  test("it can be started again, and begins with the server that worked last", async () => {
    const { supervisor, answers, told } = setup({ servers: 2 });
    answers.push(DOWN, null);
    await supervisor.start();
    supervisor.stop();
    answers.push(null);
    await supervisor.start();
    expect(told).toEqual(["1:0", "1:1", "1:1"]);
  });

  test("servers may become fewer between two rounds", async () => {
    let servers = 3;
    const { clock, supervisor, answers, told } = setup({ serverCount: () => servers });
    answers.push(DOWN, DOWN, null, null);
    await supervisor.start();
    servers = 2;
    supervisor.lost(DOWN);
    await clock.settle();
    expect(told.at(-1)).toBe("1:0");
  });
});

describe("stop", () => {
  test("while dialling aborts the dial, rejects start and leaves no timer; a late success changes nothing", async () => {
    const { clock, supervisor, dials, told } = setup({ servers: 2 });
    const started = supervisor.start();
    supervisor.stop();
    expect(dials[0]?.signal.aborted).toBe(true);
    await expect(started).rejects.toMatchObject({ code: "ERR_ABORTED" });
    dials[0]?.resolve();
    await clock.advance(600_000);
    expect(told).toEqual(["1:0"]);
  });

  test("while waiting cancels the timer and tells nobody", async () => {
    const { clock, supervisor, answers, told } = setup({ rules: { retryFirstConnect: true } });
    answers.push(DOWN);
    const outcome = expect(supervisor.start()).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await clock.advance(500);
    expect(clock.pendingTimers).toBe(1);
    supervisor.stop();
    supervisor.stop();
    expect(clock.pendingTimers).toBe(0);
    await outcome;
    expect(told.some((line) => line.startsWith("gave up"))).toBe(false);
  });

  test("while connected only stops watching", async () => {
    const { clock, supervisor, answers, told } = setup();
    answers.push(null);
    await supervisor.start();
    supervisor.stop();
    expect(told).toEqual(["1:0"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("by signal rejects start with ERR_ABORTED and the signal's reason, and leaves no listener on it", async () => {
    const { supervisor, answers, dials } = setup();
    const abort = new AbortController();
    const started = supervisor.start(abort.signal);
    abort.abort(DOWN);
    await expect(started).rejects.toMatchObject({ code: "ERR_ABORTED", cause: DOWN });
    expect(dials[0]?.signal.aborted).toBe(true);
    const later = new AbortController();
    answers.push(null);
    await supervisor.start(later.signal);
    supervisor.stop();
    expect(getEventListeners(later.signal, "abort")).toEqual([]);
  });

  test("a signal that has fired already dials nobody", async () => {
    const { supervisor, dials } = setup();
    await expect(supervisor.start(AbortSignal.abort())).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(dials).toEqual([]);
  });

  test("inside onAttempt dials nobody", async () => {
    const made: Setup = setup({
      handler: { onAttempt: () => made.supervisor.stop(), onGaveUp: () => undefined },
    });
    await expect(made.supervisor.start()).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(made.dials).toEqual([]);
  });

  test.each(["goes on", "gives up"])(
    "inside the predicate, which then %s, leaves no timer and tells nobody",
    async (after) => {
      const made: Setup = setup({
        rules: {
          shouldReconnect: () => {
            made.supervisor.stop();
            return after === "goes on";
          },
        },
      });
      made.answers.push(null);
      await made.supervisor.start();
      made.supervisor.lost(DOWN);
      expect(made.clock.pendingTimers).toBe(0);
      expect(made.told).toEqual(["1:0"]);
    },
  );
});

describe("without rules to come back under", () => {
  test("the first connect gets one round", async () => {
    const { supervisor, answers, dials } = setup({ servers: 2, rules: null });
    answers.push(DOWN, DOWN);
    await expect(supervisor.start()).rejects.toBe(DOWN);
    expect(dials.length).toBe(2);
  });

  test("a lost connection is given up with what it was lost for", async () => {
    const { clock, supervisor, answers, told } = setup({ rules: null });
    answers.push(null);
    await supervisor.start();
    supervisor.lost(new MessagingError("ERR_CONNECTION_LOST", "cut"));
    expect(told.at(-1)).toBe("gave up: ERR_CONNECTION_LOST, cut");
    expect(clock.pendingTimers).toBe(0);
  });
});
