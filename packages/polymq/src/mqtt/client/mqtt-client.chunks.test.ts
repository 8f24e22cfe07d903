import { expect, test } from "vitest";
import { connected } from "./client-setup.test-support.ts";
import type { MqttMessage } from "./message.ts";

/** Two PUBLISH of QoS 0 on "t" in one chunk, with payloads of three and of no bytes. */
function chunkOf(byte: number): Uint8Array {
  return Uint8Array.of(0x30, 6, 0, 1, 0x74, byte, byte, byte, 0x30, 3, 0, 1, 0x74);
}

test("a payload is a view of the chunk that it came in, also beside those of other chunks", async () => {
  const stage = await connected();
  const messages: MqttMessage[] = [];
  await stage.now(stage.client.subscribe("t", { handler: (message) => void messages.push(message) }));
  for (const byte of [1, 2, 3]) stage.link.sendBytes(chunkOf(byte));
  await stage.clock.settle();
  expect(messages.map(({ payload }) => [[...payload], payload.buffer.byteLength])).toEqual([
    [[1, 1, 1], 13],
    [[], 13],
    [[2, 2, 2], 13],
    [[], 13],
    [[3, 3, 3], 13],
    [[], 13],
  ]);
  await stage.finish();
});
