/** How sessions end where the server says nothing. */
import { describe, expect, test } from "vitest";
import type { Clock } from "../../base/clock.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { type LabServer, labPlatform, quiet, until } from "./client-lab.test-support.ts";
import { connectOver } from "./connect.ts";
import type { AmqpConnection } from "./connection.ts";

interface Ending {
  readonly connection: AmqpConnection;
  readonly server: LabServer;
  readonly time: VirtualClock;
}

/** A client whose timers move by hand, and a server that calls itself so. */
async function ending(product: string, version: string, connectTimeoutMs?: number): Promise<Ending> {
  const servers: LabServer[] = [];
  const open = { containerId: "x", properties: { product, version } };
  const platform = labPlatform({ open }, (server) => void servers.push(server));
  const time = new VirtualClock();
  const clock: Clock = {
    nowMs: () => time.nowMs(),
    epochMs: () => time.epochMs(),
    setTimer: (delayMs, fn) => time.setTimer(delayMs, fn),
    nextTurn: (fn) => platform.clock.nextTurn(fn),
  };
  const connection = await connectOver({ ...platform, clock }, "amqp://h", {
    reconnect: false,
    idleTimeoutMs: 0,
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
  });
  return { connection, server: servers[0] as LabServer, time };
}

/** What the server writes from now on is kept back; the returned function lets it go. */
function silence(server: LabServer): () => void {
  const kept: Uint8Array[] = [];
  server.push = () => void kept.push(server.take());
  return () => {
    Reflect.deleteProperty(server, "push");
    for (const bytes of kept) server.transport.write(bytes);
  };
}

describe("an end that the server leaves unanswered", () => {
  test.each([
    ["RabbitMQ", "3.10.8", undefined, 1_000],
    ["RabbitMQ", "3.10.8", 500, 500],
    ["RabbitMQ", "4.0.5", undefined, 30_000],
    ["another", "1", 7_000, 7_000],
  ])("of %s %s, told to wait %s ms, is waited for %i ms", async (product, version, timeoutMs, waitedMs) => {
    const { connection, server, time } = await ending(product, version, timeoutMs);
    const session = await connection.createSession();
    const receiver = await session.createReceiver("q");
    const waiting = expect(receiver.receive()).rejects.toMatchObject({ code: "ERR_SESSION_ENDED" });
    const told: unknown[] = [];
    connection.on("sessionClose", ({ error }) => told.push(error));
    const speak = silence(server);
    const closing = session.close();
    await until(() => server.told.includes("end theirs by session peer"));
    await time.advance(waitedMs - 1);
    expect([session.state, told]).toEqual(["closing", []]);
    await time.advance(1);
    await closing;
    await waiting;
    expect([session.state, session.error, receiver.state, connection.sessions]).toEqual(["closed", null, "closed", []]);

    // The answer may come after all, and its channel is not another session's meanwhile.
    const other = connection.createSession();
    speak();
    await (await (await other).createSender("q")).send("x");
    await quiet();
    expect([told, server.deliveries.length, connection.state]).toEqual([[null], 1, "open"]);
    await connection.close();
  });

  test("leaves no timer behind when it is answered", async () => {
    const { connection, time } = await ending("RabbitMQ", "3.10.8");
    const before = time.pendingTimers;
    const session = await connection.createSession();
    await session.close();
    expect(time.pendingTimers).toBe(before);
    await connection.close();
  });

  test("of a session that nobody wanted to wait for ends it too", async () => {
    const { connection, server, time } = await ending("RabbitMQ", "3.10.8");
    silence(server);
    const made = connection.createSession({ signal: AbortSignal.abort() });
    await expect(made).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(connection.sessions).toHaveLength(1);
    await time.advance(1_000);
    expect(connection.sessions).toEqual([]);
    connection.destroy();
  });
});
