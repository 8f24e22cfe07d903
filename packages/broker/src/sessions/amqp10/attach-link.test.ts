import { describe, expect, test } from "vitest";
import { HeldStore, turns } from "./held-store.test-support.ts";
import { Amqp10Scene, takeTexts } from "./scene.test-support.ts";

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
