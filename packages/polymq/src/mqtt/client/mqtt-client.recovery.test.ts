import { expect, test } from "vitest";
import { connected } from "./client-setup.test-support.ts";

test("a QoS 2 publish whose PUBCOMP was lost resolves when the server has forgotten its packet id (MQTT 5.0 §3.7.2.1)", async () => {
  const stage = await connected({ protocolVersion: 5, sessionExpirySeconds: 60 });
  stage.server.options = { mode: "raw" };
  const published = stage.promises.track(stage.client.publish("t", "x", { qos: 2 }));
  await stage.clock.settle();
  const [sent] = stage.link.take("publish");
  const packetId = sent?.packetId ?? 0;
  stage.link.send({ type: "pubrec", packetId, reasonCode: 0, properties: null });
  await stage.clock.settle();
  stage.link.cut();
  await stage.clock.settle();
  stage.link.send({ type: "connack", sessionPresent: true, reasonCode: 0, properties: null });
  await stage.clock.settle();
  expect(stage.link.take("pubrel").map((packet) => packet.packetId)).toEqual([packetId]);
  stage.link.send({ type: "pubcomp", packetId, reasonCode: 0x92, properties: null });
  expect(await stage.now(published)).toMatchObject({ reasonCode: 0 });
  await stage.finish();
});

test("a keep-alive shorter than the ping timeout is kept, ping after ping [MQTT-3.1.2-20]", async () => {
  const stage = await connected({ keepAliveSeconds: 2, pingTimeoutMs: 5_000 });
  stage.server.options = { mode: "raw" };
  const gapsMs: number[] = [];
  for (let pings = 0, lastMs = stage.clock.nowMs(); pings < 10; ) {
    await stage.clock.advance(100);
    if (stage.link.take("pingreq").length > 0) {
      gapsMs.push(stage.clock.nowMs() - lastMs);
      lastMs = stage.clock.nowMs();
      pings++;
      await stage.clock.advance(10);
      stage.link.send({ type: "pingresp" });
    }
  }
  expect(Math.max(...gapsMs)).toBeLessThanOrEqual(2_000);
  await stage.finish();
});
