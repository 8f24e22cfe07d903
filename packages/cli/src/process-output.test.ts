import { PassThrough, Writable } from "node:stream";
import { expect, test } from "vitest";
import { processOutput } from "./process-output.ts";

test("has room again when the reader has taken what was written", async () => {
  const stream = new PassThrough({ writableHighWaterMark: 4, readableHighWaterMark: 1 });
  const output = processOutput(stream);
  await output.ready();
  output.write("12345");
  const ready = output.ready();
  stream.resume();
  await ready;
  expect(stream.writableNeedDrain).toBe(false);
});

test("tells that nobody reads any more, and drops what is written then", async () => {
  let writes = 0;
  const stream = new Writable({
    autoDestroy: false,
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      writes++;
      done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    },
  });
  const output = processOutput(stream);
  const closed = new Promise<void>((resolve) => void output.onClosed(resolve));
  output.write("x");
  await closed;
  await output.ready();
  output.write("y");
  expect(writes).toBe(1);
});
