/** What a unified client owes its caller while its connection ends, is silent, or is made again: the same over each protocol. */
import { type Client, connect } from "polymq";
import { afterEach, describe, expect, test } from "vitest";
import { type MemoryBroker, memoryBroker } from "./testing/memory-broker.ts";

const opened: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

interface Place {
  readonly broker: MemoryBroker;
  readonly open: () => Promise<Client>;
}

async function place(scheme: string): Promise<Place> {
  const broker = await memoryBroker({ queues: [{ name: "stream", kind: "stream" }] });
  opened.push(() => broker.close());
  const open = async (): Promise<Client> => {
    const reconnect = { initialDelayMs: 1, maxDelayMs: 1 };
    const client = (await connect(`${scheme}://memory`, { dial: broker.dial, reconnect })) as Client;
    opened.push(async () => client.destroy());
    return client;
  };
  return { broker, open };
}

/** A moment that is waited for. */
function moment(): { readonly come: Promise<void>; readonly now: () => void } {
  let now = (): void => {};
  const come = new Promise<void>((resolve) => {
    now = resolve;
  });
  return { come, now };
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return "done";
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

describe.each(["mqtt", "amqp", "amqp10"])("over %s", (scheme) => {
  test("close waits for a queue's handler under way, and its message is acknowledged", async () => {
    const { open } = await place(scheme);
    const [client, other] = [await open(), await open()];
    const [begun, goOn] = [moment(), moment()];
    let finished = false;
    const handler = async (): Promise<void> => {
      begun.now();
      await goOn.come;
      finished = true;
    };
    await client.queue("q").consume({ group: "g", handler });
    await other.queue("q").publish("done");
    await begun.come;
    const closing = client.close();
    goOn.now();
    await closing;
    expect(finished).toBe(true);
    await other.queue("q").publish("next");
    for await (const message of await other.queue("q").consume({ group: "g" })) {
      expect([message.text(), message.deliveryCount]).toEqual(["next", 0]);
      break;
    }
  });

  test("close waits for a responder at work, whose answer arrives", async () => {
    const { open } = await place(scheme);
    const [server, client] = [await open(), await open()];
    const [begun, goOn] = [moment(), moment()];
    await server.respond("ask", async () => {
      begun.now();
      await goOn.come;
      return "answer";
    });
    const answer = client.request("ask", "?");
    await begun.come;
    const closing = server.close();
    goOn.now();
    await closing;
    expect((await answer).text()).toBe("answer");
  });

  test("close waits for what is published, and fails a request that nobody answers", async () => {
    const { open } = await place(scheme);
    const client = await open();
    const published = [
      client.publish("t", "x", { qos: 1 }),
      client.publish("t", "x", { qos: 1, properties: { a: "b" } }),
      client.publish("$queue/q", "x"),
      client.queue("q").publish("x"),
      client.stream("stream").publish("x"),
    ].map(codeOf);
    const asked = codeOf(client.request("nobody", "x"));
    await client.close();
    expect(await Promise.all(published)).toEqual(["done", "done", "done", "done", "done"]);
    expect(await asked).toMatch(/^ERR_/);
  });

  test("a closed client refuses everything with ERR_CLIENT_CLOSED, also through queues and streams made before", async () => {
    const { open } = await place(scheme);
    const client = await open();
    const [queue, stream] = [client.queue("q"), client.stream("stream")];
    await client.close();
    const refused = [
      client.publish("t", "x"),
      client.subscribe("t"),
      client.request("t", "x"),
      client.respond("t", () => "x"),
      queue.publish("x"),
      queue.consume(),
      stream.publish("x"),
      stream.read(),
    ].map(codeOf);
    expect(new Set(await Promise.all(refused))).toEqual(new Set(["ERR_CLIENT_CLOSED"]));
  });

  test("a timeout of close that is none is refused, and the client goes on", async () => {
    const { open } = await place(scheme);
    const client = await open();
    await expect(client.close({ timeoutMs: -1 })).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    expect(client.state).toBe("connected");
  });

  test.each(["close", "destroy"] as const)("%s ends loops without an error, and is no error itself", async (how) => {
    const { open } = await place(scheme);
    const client = await open();
    const subscriptions = [await client.subscribe("t", { qos: 1 }), await client.queue("q").consume()];
    const loops = subscriptions.map(async (subscription) => {
      for await (const message of subscription) await message.ack();
      return "ended";
    });
    await client[how]();
    expect(await Promise.all(loops)).toEqual(["ended", "ended"]);
    expect(await client.closed).toBeNull();
  });

  test("leaving a loop gives the message in hand back as one delivery", async () => {
    const { open } = await place(scheme);
    const client = await open();
    const queue = client.queue("q");
    await queue.publish("x");
    for await (const _ of await queue.consume({ group: "g" })) break;
    for await (const message of await queue.consume({ group: "g" })) {
      expect(message.deliveryCount).toBe(1);
      await message.ack();
      break;
    }
  });

  test("a signal ends every wait for a server that is silent", async () => {
    const { open, broker } = await place(scheme);
    const client = await open();
    broker.faults.silenceConnections();
    const stop = new AbortController();
    const { signal } = stop;
    const waits = [
      client.publish("t", "x", { qos: 1, signal }),
      client.publish("t", "x", { qos: 1, properties: { a: "b" }, signal }),
      client.queue("q").publish("x", { signal }),
      client.stream("stream").publish("x", { signal }),
      client.subscribe("t", { signal }),
      client.queue("q").consume({ signal }),
      client.stream("stream").read({ signal }),
      client.request("ask", "x", { signal }),
      client.respond("ask", () => "x", { signal }),
    ].map(codeOf);
    stop.abort();
    expect(new Set(await Promise.all(waits))).toEqual(new Set(["ERR_ABORTED"]));
    broker.faults.cutConnections();
  });

  test("a signal that has fired already lets nothing begin", async () => {
    const { open, broker } = await place(scheme);
    const client = await open();
    const signal = AbortSignal.abort();
    const waits = [
      client.publish("t", "x", { qos: 1, properties: { a: "b" }, signal }),
      client.queue("q").publish("x", { signal }),
      client.queue("q").consume({ signal }),
      client.request("ask", "x", { signal }),
    ].map(codeOf);
    expect(new Set(await Promise.all(waits))).toEqual(new Set(["ERR_ABORTED"]));
    await client.publish("t", "after", { qos: 1 });
    expect(broker.queues.get("q")).toBeNull();
  });

  test("a request meets its deadline also when the server is silent from the start", async () => {
    const { open, broker } = await place(scheme);
    const client = await open();
    broker.faults.silenceConnections();
    expect(await codeOf(client.request("ask", "x", { timeoutMs: 1 }))).toBe("ERR_TIMEOUT");
    broker.faults.cutConnections();
  });

  test("a request that is made while the connection is being made again waits for it", async () => {
    const { open, broker } = await place(scheme);
    const [server, client] = [await open(), await open()];
    await server.respond("ask", (request) => `${request.text()}!`);
    expect((await client.request("ask", "first")).text()).toBe("first!");
    const [lost, back] = [moment(), moment()];
    client.once("connectionLost", lost.now);
    server.once("reconnected", back.now);
    broker.faults.refuseConnections();
    broker.faults.cutConnections();
    await lost.come;
    const late = codeOf(client.request("ask", "late", { timeoutMs: 1 }));
    expect(await late).toBe("ERR_TIMEOUT");
    broker.faults.heal();
    await back.come;
    expect((await client.request("ask", "second")).text()).toBe("second!");
  });
});
