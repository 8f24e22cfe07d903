import { expect, test } from "vitest";
import { PublishWindow } from "./publish-window.ts";

interface Publish {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function publish(): Publish {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => {}, () => {}];
  const promise = new Promise<void>((done, failed) => {
    [resolve, reject] = [done, failed];
  });
  return { promise, resolve: () => resolve(), reject: (error) => reject(error) };
}

test("has room again when one of those under way is done", async () => {
  const window = new PublishWindow(2);
  const [first, second] = [publish(), publish()];
  await window.add(first.promise);
  let isFree = false;
  const full = window.add(second.promise).then(() => {
    isFree = true;
  });
  await Promise.resolve();
  expect(isFree).toBe(false);
  second.resolve();
  await full;
  first.resolve();
  await window.done();
});

test("the first that fails is told to the next one, and at the end", async () => {
  const window = new PublishWindow(10);
  const [first, second] = [publish(), publish()];
  await window.add(first.promise);
  await window.add(second.promise);
  second.reject(new Error("second"));
  await second.promise.catch(() => {});
  await Promise.resolve();
  await expect(window.add(Promise.resolve())).rejects.toThrow("second");
  first.reject(new Error("first"));
  await expect(window.done()).rejects.toThrow("second");
});
