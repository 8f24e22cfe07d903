import { expect, test } from "vitest";
import { MemoryStore } from "../../store/memory-store.ts";
import type { ClientParts } from "./client-parts.ts";
import { type Setup, setup } from "./client-setup.test-support.ts";
import { LateCode } from "./late-code.test-support.ts";
import { LOADED_PARTS } from "./loaded-parts.ts";

/** A client whose code to come back with is loaded when the test says so. */
class LateRecovery extends LateCode {
  readonly parts: ClientParts = { ...LOADED_PARTS, recovery: this.of(LOADED_PARTS.recovery) };
}

test.each<[string, Setup]>([
  ["a connection may be made again", {}],
  ["an earlier process may have left messages", { reconnect: false, store: new MemoryStore() }],
])(
  "it is loaded by `connect` before anything is dialled where %s, and never while a link is down",
  async (_, options) => {
    const late = new LateRecovery();
    const stage = setup({ ...options, parts: late.parts });
    const connecting = stage.client.connect();
    await stage.clock.settle();
    expect([late.loads, stage.dials.length, stage.client.state]).toEqual([1, 0, "connecting"]);
    late.arrive();
    await stage.now(connecting);
    stage.link.cut();
    await stage.clock.advance(2_000);
    expect(late.loads).toBe(1);
    await stage.finish();
  },
);

test("what was in flight is sent again with it, in order and before what waits", async () => {
  const late = new LateRecovery();
  const stage = setup({ parts: late.parts, cleanStart: false, server: { mode: "raw" } });
  const connecting = stage.client.connect();
  late.arrive();
  await stage.clock.settle();
  const connack = { type: "connack", sessionPresent: true, reasonCode: 0, properties: null } as const;
  stage.link.send(connack);
  await stage.now(connecting);
  const publish = (text: string): Promise<unknown> => stage.promises.track(stage.client.publish("t", text, { qos: 1 }));
  const all = [publish("1"), publish("2")];
  await stage.clock.settle();
  stage.link.cut();
  await stage.clock.settle();
  all.push(publish("3"));
  stage.link.take();
  stage.link.send(connack);
  await stage.clock.settle();
  const sent = stage.link.take("publish").map(({ payload, dup }) => [new TextDecoder().decode(payload), dup]);
  expect(sent).toEqual([
    ["1", true],
    ["2", true],
    ["3", false],
  ]);
  await stage.finish();
  for (const publishing of all) await stage.refused(publishing, "ERR_CLIENT_CLOSED");
});

test("when it cannot be loaded, `connect` rejects with ERR_LOAD_FAILED and may be called again", async () => {
  const late = new LateRecovery();
  const stage = setup({ parts: late.parts });
  const connecting = stage.client.connect();
  await stage.clock.settle();
  const publishing = stage.promises.track(stage.client.publish("t", "1", { qos: 1 }));
  late.fail(new Error("offline"));
  await stage.refused(connecting, "ERR_LOAD_FAILED");
  await stage.refused(publishing, "ERR_LOAD_FAILED");
  expect([stage.client.state, stage.dials.length]).toEqual(["disconnected", 0]);
  late.arrive();
  await stage.now(stage.client.connect());
  await stage.finish();
});

test("a client that stays away after a loss connects without it", async () => {
  const late = new LateRecovery();
  const stage = setup({ parts: late.parts, reconnect: false });
  await stage.now(stage.client.connect());
  stage.link.cut();
  await stage.clock.settle();
  expect([late.loads, stage.client.state]).toEqual([0, "disconnected"]);
  await stage.now(stage.client.connect());
  expect([late.loads, stage.client.state]).toEqual([0, "connected"]);
  await stage.finish();
});

test("a client that stays away after a loss loads it for a `connect` that has something to send again", async () => {
  const late = new LateRecovery();
  const stage = setup({ parts: late.parts, reconnect: false, cleanStart: false });
  await stage.now(stage.client.connect());
  stage.server.options = { onMessage: () => null };
  const publishing = stage.promises.track(stage.client.publish("t", "1", { qos: 1 }));
  await stage.clock.settle();
  stage.link.cut();
  await stage.refused(publishing, "ERR_CONNECTION_LOST");
  stage.server.options = {};
  const connecting = stage.client.connect();
  await stage.clock.settle();
  expect([late.loads, stage.dials.length]).toEqual([1, 1]);
  late.arrive();
  await stage.now(connecting);
  await stage.clock.settle();
  expect(stage.link.take("publish").map(({ dup }) => dup)).toEqual([true]);
  await stage.finish();
});
