import { type ContractLink, Recorder, transportContract, VirtualClock } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { Chance } from "./chance.ts";
import { type CutKind, Link, type LinkShape } from "./link.ts";
import { Promises } from "./promises.ts";
import { Trace } from "./trace.ts";
import type { World } from "./world.ts";

const PLAIN: LinkShape = { chunkBytesMax: Number.POSITIVE_INFINITY, delayMsMax: 0, highWaterBytes: 65_536 };

function world(): World {
  const clock = new VirtualClock();
  return { clock, chance: new Chance(1), trace: new Trace(clock), promises: new Promises(clock), violations: [] };
}

function linked(shape: LinkShape): { link: Link; it: World; client: Recorder; server: Recorder } {
  const it = world();
  const link = new Link({ name: "link", wire: "mqtt" }, shape, it);
  const [client, server] = [new Recorder(), new Recorder()];
  link.client.attach(client);
  link.server.attach(server);
  return { link, it, client, server };
}

describe.each([
  ["plain", PLAIN],
  ["with split chunks and delays", { chunkBytesMax: 60_000, delayMsMax: 5, highWaterBytes: 65_536 }],
])("a simulated link, %s", (_, shape) => {
  for (const item of transportContract) {
    test(item.name, async () => {
      const { link, it, client, server } = linked(shape);
      const contract: ContractLink = {
        subject: { transport: link.client, heard: client },
        peer: { transport: link.server, heard: server },
        endPeer: () => link.server.close(),
        breakPeer: () => link.cut("both", 0),
      };
      let state: "running" | "over" = "running";
      const run = item.run(contract).finally(() => {
        state = "over";
      });
      while (state === "running") await it.clock.advance(10);
      await run;
    });
  }
});

describe("a link that breaks", () => {
  const bytes = new Uint8Array(100).fill(7);

  async function cutWhileUnderWay(kind: CutKind): Promise<{ client: string; server: string }> {
    const { link, it, client, server } = linked({ ...PLAIN, delayMsMax: 10 });
    link.client.write(bytes);
    link.server.write(bytes);
    link.cut(kind, 1_000);
    await it.clock.advance(500);
    const early = [client.ends.length, server.ends.length];
    await it.clock.advance(1_000);
    expect([client.ends.length, server.ends.length]).toEqual([1, 1]);
    expect(link.isOver).toBe(true);
    const tell = (heard: Recorder, before = 0): string =>
      `${heard.bytes} bytes, ${before === 1 ? "told at once" : "told late"}`;
    return { client: tell(client, early[0]), server: tell(server, early[1]) };
  }

  test.each<[CutKind, string, string]>([
    ["both", "0 bytes, told at once", "0 bytes, told at once"],
    ["client late", "0 bytes, told late", "0 bytes, told at once"],
    ["server late", "0 bytes, told at once", "0 bytes, told late"],
    ["client flushed", "0 bytes, told at once", "100 bytes, told at once"],
    ["server flushed", "100 bytes, told at once", "0 bytes, told at once"],
  ])("in the way %s", async (kind, client, server) => {
    expect(await cutWhileUnderWay(kind)).toEqual({ client, server });
  });

  test("tells a process that is gone nothing, and its peer soon, late or after what was written", async () => {
    for (const [how, got, ends] of [
      ["flushed", 100, [1, 1]],
      ["reset", 0, [1, 1]],
      ["silent", 0, [0, 1]],
    ] as const) {
      const { link, it, client, server } = linked(PLAIN);
      link.server.write(bytes);
      link.severServer(how, 1_000);
      await it.clock.advance(500);
      const early = client.ends.length;
      await it.clock.advance(1_000);
      expect([client.bytes, [early, client.ends.length], server.ends]).toEqual([got, ends, []]);
      expect(link.isOver).toBe(true);
    }
  });

  test("whose end is deaf takes bytes for a while, and ends when its owner ends it", async () => {
    const { link, it, client } = linked(PLAIN);
    link.cut("client late", 60_000);
    expect(link.client.write(new Uint8Array(65_536))).toBe(true);
    expect([link.client.write(bytes), link.client.bufferedBytes]).toEqual([false, 100]);
    link.client.destroy();
    await it.clock.advance(1);
    expect([client.ends, it.clock.pendingTimers]).toEqual([[null], 0]);
  });

  test("that stalls keeps its bytes until it goes on", async () => {
    const { link, it, server } = linked(PLAIN);
    link.server.stall(100);
    link.client.write(bytes);
    await it.clock.advance(99);
    expect(server.bytes).toBe(0);
    await it.clock.advance(1);
    expect(server.bytes).toBe(100);
  });
});
