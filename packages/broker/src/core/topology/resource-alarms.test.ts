import { describe, expect, test } from "vitest";
import type { AlarmReason, ResourceMeasure } from "./topology-port.ts";
import { TopologyScene } from "./topology-scene.test-support.ts";

function sceneWith(measure: ResourceMeasure): {
  scene: TopologyScene;
  now: { measure: ResourceMeasure; asked: number };
} {
  const now = { measure, asked: 0 };
  const resources = {
    memoryBytesMax: 1000,
    diskFreeBytesMin: 100,
    intervalMs: 50,
    measure: () => {
      now.asked++;
      return now.measure;
    },
  };
  return { scene: new TopologyScene({ resources }), now };
}

describe("alarms", () => {
  test("tell when memory or disk become short, and when they are not any more", () => {
    const { scene, now } = sceneWith({ memoryBytes: 10, diskFreeBytes: 5000 });
    const heard: (readonly AlarmReason[])[] = [];
    const stop = scene.hub.topology.alarms.listen({ onAlarm: (reasons) => heard.push(reasons) });
    for (const [memoryBytes, diskFreeBytes] of [
      [1000, 5000],
      [1001, 99],
      [960, 104],
      [949, 104],
      [940, 105],
    ] as const) {
      now.measure = { memoryBytes, diskFreeBytes };
      scene.clock.advanceSync(50);
    }
    expect(heard).toEqual([["memory"], ["memory", "disk"], ["disk"], []]);
    expect(scene.hub.topology.alarms.reasons).toEqual([]);
    stop();
  });

  test("are there for who comes later, and nobody looks when nobody listens", () => {
    const { scene, now } = sceneWith({ memoryBytes: 2000, diskFreeBytes: 5000 });
    const { alarms } = scene.hub.topology;
    scene.clock.advanceSync(500);
    expect([now.asked, alarms.reasons]).toEqual([0, []]);
    const stop = alarms.listen({ onAlarm: () => undefined });
    expect(alarms.reasons).toEqual(["memory"]);
    stop();
    const { asked } = now;
    scene.clock.advanceSync(500);
    expect(now.asked).toBe(asked);
  });

  test("are never raised without a measure", () => {
    const scene = new TopologyScene({ resources: { memoryBytesMax: 0 } });
    const stop = scene.hub.topology.alarms.listen({ onAlarm: () => expect.unreachable() });
    scene.clock.advanceSync(5000);
    expect(scene.hub.topology.alarms.reasons).toEqual([]);
    stop();
  });
});
