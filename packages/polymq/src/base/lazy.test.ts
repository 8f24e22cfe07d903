import { expect, test } from "vitest";
import { type Deferred, deferred } from "./deferred.ts";
import { type Lazy, lazy } from "./lazy.ts";

interface Loading {
  readonly part: Lazy<string>;
  /** One for each load. */
  readonly loads: Deferred<string>[];
  readonly calls: string[];
  call(name: string): Promise<string>;
}

function loading(): Loading {
  const loads: Deferred<string>[] = [];
  const calls: string[] = [];
  const load = (): Promise<string> => {
    const next = deferred<string>();
    loads.push(next);
    return next.promise;
  };
  const part = lazy({ load }, (code) => code.toUpperCase());
  const call = (name: string): Promise<string> =>
    part.use((loaded) => {
      calls.push(name);
      return Promise.resolve(`${name} ${loaded}`);
    });
  return { part, loads, calls, call };
}

test("what is there is used at once", () => {
  const part = lazy({ loaded: "a" }, (code) => code.toUpperCase());
  let used = "";
  void part.use((loaded) => {
    used = loaded;
    return Promise.resolve();
  });
  expect([used, part.part]).toEqual(["A", "A"]);
});

test("it is loaded once, however many calls wait", async () => {
  const { loads, call } = loading();
  const results = [call("first"), call("second")];
  loads[0]?.resolve("a");
  expect(await Promise.all(results)).toEqual(["first A", "second A"]);
  expect(loads).toHaveLength(1);
});

test("calls run in the order in which they were made, also those made while the first ones run", async () => {
  const { part, loads, calls, call } = loading();
  const first = part.use(() => {
    calls.push("first");
    void call("third");
    return Promise.resolve();
  });
  const second = call("second");
  loads[0]?.resolve("a");
  await Promise.all([first, second]);
  await call("fourth");
  expect(calls).toEqual(["first", "second", "third", "fourth"]);
});

test("a load that fails rejects those that wait with ERR_LOAD_FAILED, and the next call tries again", async () => {
  const { loads, call } = loading();
  const results = [call("first"), call("second")];
  const cause = new Error("offline");
  loads[0]?.reject(cause);
  for (const result of results) {
    await expect(result).rejects.toMatchObject({ code: "ERR_LOAD_FAILED", retry: "later", cause });
  }
  const again = call("third");
  loads[1]?.resolve("b");
  expect(await again).toBe("third B");
});

test("`load` makes it ready without a call", async () => {
  const { part, loads } = loading();
  const ready = part.load();
  expect(part.part).toBeNull();
  loads[0]?.resolve("a");
  await ready;
  expect(part.part).toBe("A");
});
