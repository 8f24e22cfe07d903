import { once } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { processInput } from "./process-input.ts";

test("opens the stream when it is first read, and closes it while a read waits", async () => {
  const stream = new PassThrough();
  let opens = 0;
  const input = processInput(() => {
    opens++;
    return stream;
  });
  input.close();
  expect(opens).toBe(0);
  stream.write("ab");
  const iterator = input.chunks[Symbol.asyncIterator]();
  expect((await iterator.next()).value).toEqual(Buffer.from("ab"));
  const waits = iterator.next().catch(() => null);
  const closed = once(stream, "close");
  input.close();
  await closed;
  await waits;
  expect(opens).toBe(1);
});
