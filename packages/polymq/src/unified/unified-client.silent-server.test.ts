import { describe, expect, test } from "vitest";
import type { Client, Stream } from "./index.ts";
import { clientOfSilence, PRODUCTS } from "./silent-server.test-support.ts";

/** Calls that ask the server for something, each with a signal. */
const CALLS: Readonly<Record<string, (client: Client, within: { signal?: AbortSignal }) => Promise<unknown>>> = {
  "queue.publish": (client, within) => client.queue("orders").publish("x", within),
  "queue.publish with groups": (client, within) => client.queue("orders", { groups: ["a", "b"] }).publish("x", within),
  "publish to a queue's address": (client, within) => client.publish("$queue/orders", "x", within),
  "queue.consume": (client, within) => client.queue("orders").consume({ group: "a", ...within }),
  "stream.publish": (client, within) => client.stream("events").publish("x", within),
  "stream.read": (client, within) => client.stream("events").read({ from: "first", ...within }),
  subscribe: (client, within) => client.subscribe("a/+", { qos: 1, ...within }),
  publish: (client, within) => client.publish("a/b", "x", { qos: 1, ...within }),
  "publish with properties": (client, within) => client.publish("a/b", "x", { properties: { a: "1" }, ...within }),
  request: (client, within) => client.request("price", "x", within),
  respond: (client, within) => client.respond("price", () => "x", within),
};

/** What a dialect cannot do is refused before anything is asked. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  artemis: ["stream.publish", "stream.read"],
  activemq: ["stream.publish", "stream.read"],
  fluxmq: ["queue.publish with groups"],
  amqp10: ["stream.publish", "stream.read", "queue.publish with groups", "queue.consume"],
};

const SERVERS = [
  ["amqp091", "RabbitMQ"],
  ["amqp091", "FluxMQ"],
  ["amqp091", "polymq"],
  ["amqp10", "apache-activemq-artemis"],
  ["amqp10", "ActiveMQ"],
  ["amqp10", "polymq"],
  ["amqp10", "another"],
] as const;

describe.each(SERVERS)("over %s, a %s that says hello and then nothing", (protocol, product) => {
  const dialect = PRODUCTS[product] as string;
  const refused = (name: string): boolean => REFUSED[dialect]?.includes(name) === true;
  const names = Object.keys(CALLS);

  test("is known for what it is", async () => {
    const client = await clientOfSilence(protocol, product);
    expect(client.dialect).toBe(dialect);
    client.destroy();
  });

  test.each(names)("leaves %s to its signal", async (name) => {
    const client = await clientOfSilence(protocol, product);
    const abort = new AbortController();
    const calling = outcome(() => CALLS[name]?.(client, { signal: abort.signal }));
    expect(await soon(calling)).toBe(refused(name) ? "ERR_UNSUPPORTED" : "waits");
    abort.abort();
    expect(await calling).toBe(refused(name) ? "ERR_UNSUPPORTED" : "ERR_ABORTED");
    client.destroy();
  });

  test.concurrent("refuses to begin what has a signal that has fired, and is no hindrance to close()", async () => {
    const client = await clientOfSilence(protocol, product);
    const over = { signal: AbortSignal.abort() };
    for (const name of names.filter((each) => !refused(each))) {
      expect([name, await outcome(() => CALLS[name]?.(client, over))]).toEqual([name, "ERR_ABORTED"]);
    }
    await client.close({ timeoutMs: 20 });
  });

  test.concurrent("has no call left waiting when close() is over", async () => {
    const client = await clientOfSilence(protocol, product);
    const calls = names.map((name) => outcome(() => CALLS[name]?.(client, {})));
    const committed = outcome(() =>
      (client.stream("events") as unknown as Stream<string, Uint8Array, "amqp091">).commit(1, { group: "a" } as never),
    );
    await soon(Promise.all(calls));
    await client.close({ timeoutMs: 20 });
    expect(client.state).toBe("closed");
    for (const ended of await Promise.all([...calls, committed])) expect(ended).toMatch(/^ERR_/);
    expect(await client.closed).toBeNull();
  });

  test("leaves a request to its timeoutMs", async () => {
    const client = await clientOfSilence(protocol, product);
    await expect(client.request("price", "x", { timeoutMs: 5 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    client.destroy();
  });
});

/** The code of what it ends in, or `done`. */
function outcome(call: () => Promise<unknown> | undefined): Promise<string> {
  return Promise.resolve()
    .then(call)
    .then(
      () => "done",
      (error: { readonly code?: string }) => error.code ?? String(error),
    );
}

/** What a call has come to when everything has been said that is going to be said. */
async function soon(call: Promise<unknown>): Promise<unknown> {
  let turns = 0;
  const quiet = new Promise<string>((resolve) => {
    const next = (): void => void (++turns === 20 ? resolve("waits") : setImmediate(next));
    next();
  });
  return await Promise.race([call, quiet]);
}
