/** How sessions end where the server says nothing. */
import { describe, expect, test } from "vitest";
import { quiet, until } from "./client-lab.test-support.ts";
import { ending, silence } from "./unanswered.test-support.ts";

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
