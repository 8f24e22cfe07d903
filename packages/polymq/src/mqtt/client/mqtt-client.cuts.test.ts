/**
 * The link is cut at every byte of a recorded exchange, in both directions, and a ledger compares what each promise said with
 * what each side saw: nothing is lost, and with a session that lasts nothing of QoS 2 arrives twice.
 */
import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../store/memory-store.ts";
import { randomInteger, seededRandom } from "../../testing/seeded-random.ts";
import type { VirtualClock } from "../../testing/virtual-clock.ts";
import { memoryPair } from "../../transport/memory.ts";
import type { Transport, TransportHandler } from "../../transport/transport.ts";
import type { ProtocolLevel, QoS } from "../codec/packets.ts";
import { type Setup, type Stage, setup } from "./client-setup.test-support.ts";

type Direction = "toServer" | "toClient";

/** Where one connection breaks. */
interface Cut {
  readonly direction: Direction;
  readonly bytes: number;
}

/** A link whose first connections each pass bytes on until those of their cut went through, and then break. */
class CuttingLink {
  /** Bytes that have passed on the first connection. */
  readonly passed: Record<Direction, number> = { toServer: 0, toClient: 0 };
  readonly #clock: VirtualClock;
  readonly #cuts: readonly Cut[];
  #connections = 0;

  constructor(clock: VirtualClock, cuts: readonly Cut[]) {
    this.#clock = clock;
    this.#cuts = cuts;
  }

  /** Puts itself between a client's handler and a server. */
  connect(stage: Stage, handler: TransportHandler): Transport {
    const number = this.#connections++;
    const pair = memoryPair({ clock: this.#clock });
    const near = pair.server;
    const far: { transport?: Transport } = {};
    const pass = this.#passer(number, () => {
      pair.cut();
      far.transport?.destroy();
    });
    far.transport = stage.server.connect({
      onBytes: (chunk) => pass("toClient", chunk, near),
      onDrain: () => undefined,
      onClosed: () => near.close(),
    });
    near.attach({
      onBytes: (chunk) => {
        if (far.transport !== undefined) pass("toServer", chunk, far.transport);
      },
      onDrain: () => undefined,
      onClosed: () => far.transport?.close(),
    });
    return pair.client.attach(handler);
  }

  #passer(number: number, cut: () => void): (direction: Direction, chunk: Uint8Array, to: Transport) => void {
    const rule = this.#cuts[number];
    const passed: Record<Direction, number> = number === 0 ? this.passed : { toServer: 0, toClient: 0 };
    return (direction, chunk, to) => {
      const left = rule?.direction === direction ? rule.bytes - passed[direction] : Number.POSITIVE_INFINITY;
      passed[direction] += chunk.length;
      if (left > 0) to.write(left < chunk.length ? chunk.subarray(0, left) : chunk);
      // What was passed on still arrives, as on a real link.
      if (left <= chunk.length) this.#clock.nextTurn(() => this.#clock.nextTurn(cut));
    };
  }
}

/** What a run ended with. */
interface Outcome {
  readonly stage: Stage;
  readonly link: CuttingLink;
  /** Messages that the client's handler got. */
  readonly got: string[];
  readonly results: PromiseSettledResult<unknown>[];
}

const COUNT = 4;
const texts = (prefix: string): string[] => Array.from({ length: COUNT }, (_, i) => `${prefix}${i}`);

/** Connects, subscribes, publishes `COUNT` messages and receives as many, while the link is cut. */
async function run(qos: QoS, options: Setup, cuts: readonly Cut[]): Promise<Outcome> {
  const got: string[] = [];
  let link: CuttingLink | null = null;
  const stage: Stage = setup({
    ...options,
    reconnect: { retryFirstConnect: true, delay: () => 10 },
    dial: (_, __, handler) => {
      if (link === null) throw new Error("not ready");
      return Promise.resolve(link.connect(stage, handler));
    },
  });
  link = new CuttingLink(stage.clock, cuts);
  const { client, clock, promises, server } = stage;
  const connecting = promises.track(client.connect(), "connect");
  const handler = (message: { text(): string }): Promise<void> => {
    got.push(message.text());
    return new Promise((resolve) => clock.nextTurn(resolve));
  };
  const work: Promise<unknown>[] = [connecting, promises.track(client.subscribe("in", { qos, handler }), "subscribe")];
  for (const text of texts("out")) work.push(promises.track(client.publish("out", text, { qos }), text));
  work.map((promise) => promise.catch(() => undefined));
  await clock.advance(50);
  for (const text of texts("in")) server.route("in", new TextEncoder().encode(text), { qos });
  await clock.advance(200);
  return { stage, link, got, results: await Promise.allSettled(work) };
}

const VERSIONS: readonly (readonly [string, ProtocolLevel, Setup])[] = [
  ["3.1.1", 4, { protocolVersion: 4, cleanStart: false }],
  ["5.0", 5, { protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 600 }],
  [
    "5.0 with a store",
    5,
    { protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 600, store: new MemoryStore() },
  ],
];

/** A fresh store for each run, where one is asked for. */
function fresh(options: Setup): Setup {
  return options.store === undefined ? options : { ...options, store: new MemoryStore() };
}

describe.each(VERSIONS)("with MQTT %s", (_, __, options) => {
  test.each([
    [1, "toServer"],
    [1, "toClient"],
    [2, "toServer"],
    [2, "toClient"],
  ] as const)(
    "at QoS %i a cut at any byte %s loses nothing, and at QoS 2 nothing comes twice [MQTT-4.4.0-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-5] [MQTT-4.3.3-10] [MQTT3-4.4.0-1] [MQTT3-4.3.2-1] [MQTT3-4.3.3-1] [MQTT3-4.3.3-2]",
    async (qos, direction) => {
      const recorded = await run(qos, fresh(options), []);
      expect(recorded.got).toEqual(texts("in"));
      expect(recorded.stage.server.payloads).toEqual(texts("out"));
      await recorded.stage.finish();
      const total = recorded.link.passed[direction];
      expect(total).toBeGreaterThan(40);
      for (let bytes = 0; bytes <= total; bytes++) await check(qos, options, [{ direction, bytes }]);
    },
  );

  test("at QoS 2 a link that breaks four times, at random bytes, is no different", async () => {
    const random = seededRandom(2_024);
    for (let round = 0; round < 150; round++) {
      const cuts = Array.from({ length: 4 }, (): Cut => {
        const direction = random() < 0.5 ? "toServer" : "toClient";
        return { direction, bytes: randomInteger(random, 0, 150) };
      });
      await check(2, options, cuts);
    }
  });
});

/** Runs with these cuts and compares what was promised with what was seen. */
async function check(qos: QoS, options: Setup, cuts: readonly Cut[]): Promise<void> {
  const { stage, got, results } = await run(qos, fresh(options), cuts);
  const where = JSON.stringify(cuts);
  expect(
    results.map((result) => result.status),
    where,
  ).toEqual(results.map(() => "fulfilled"));
  const sent = stage.server.payloads;
  expect([...new Set(sent)], where).toEqual(texts("out"));
  expect([...new Set(got)], where).toEqual(texts("in"));
  if (qos === 2) {
    expect(sent, where).toEqual(texts("out"));
    expect(got, where).toEqual(texts("in"));
  }
  expect(stage.client.state, where).toBe("connected");
  await stage.finish();
}
