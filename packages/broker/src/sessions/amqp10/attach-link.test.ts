import { describe, expect, test } from "vitest";
import type { StoreBatch } from "../../storage/batch.ts";
import { MemoryStore } from "../../storage/memory-store.ts";
import { Amqp10Scene, takeTexts } from "./scene.test-support.ts";

/** A store whose commits end when the test says so. */
class HeldStore extends MemoryStore {
  isHeld = false;
  readonly #held: (() => void)[] = [];

  get held(): number {
    return this.#held.length;
  }

  override commit(batch: StoreBatch): Promise<void> | null {
    if (!this.isHeld) return super.commit(batch);
    return new Promise((resolve) => {
      this.#held.push(() => {
        void super.commit(batch);
        resolve();
      });
    });
  }

  release(): void {
    this.isHeld = false;
    for (const go of this.#held.splice(0)) go();
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("an attach", () => {
  test("that joins a group is answered once the group is stored, so that a crash cannot take back what was promised", async () => {
    const store = new HeldStore();
    await using scene = await Amqp10Scene.open({ queues: [{ name: "q" }] }, { store });
    const session = await scene.session();
    await (await session.createSender("$queue/q")).send(new TextEncoder().encode("x"));
    store.isHeld = true;
    let isAnswered = false;
    const attaching = session.createReceiver("$queue/q", { properties: { "consumer-group": "g" } }).finally(() => {
      isAnswered = true;
    });
    await turns();
    expect([store.held, isAnswered]).toEqual([1, false]);
    store.release();
    expect(await takeTexts(await attaching, 1)).toEqual(["x"]);
  });

  test.each(["connection", "link"] as const)(
    "whose %s ends before the answer leaves the group, and the next one gets all",
    async (what) => {
      const store = new HeldStore();
      await using scene = await Amqp10Scene.open({ queues: [{ name: "q" }] }, { store });
      const session = await scene.session();
      await (await session.createSender("$queue/q")).send(new TextEncoder().encode("x"));
      const other = await scene.connection();
      const theirs = await other.createSession();
      store.isHeld = true;
      const abort = new AbortController();
      const asked = { properties: { "consumer-group": "g" }, signal: abort.signal };
      const attaching = theirs.createReceiver("$queue/q", asked).catch(() => undefined);
      await turns();
      expect(store.held).toBe(1);
      if (what === "link") abort.abort();
      else other.destroy();
      await attaching;
      store.release();
      await turns();
      const { broker } = scene;
      const group = broker.hub.queues.get("q")?.groups.find(({ id }) => id === "g");
      expect(group?.members.length).toBe(0);
      expect(what === "link" ? theirs.state : "open").toBe("open");
      const receiver = await session.createReceiver("$queue/q", { properties: { "consumer-group": "g" } });
      expect(await takeTexts(receiver, 1)).toEqual(["x"]);
    },
  );
});
