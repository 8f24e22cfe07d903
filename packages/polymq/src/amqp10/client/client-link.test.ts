/** How links end where the server says nothing. */
import { describe, expect, test } from "vitest";
import { quiet, until } from "./client-lab.test-support.ts";
import { ending, silence } from "./unanswered.test-support.ts";

describe("a detach that the server leaves unanswered", () => {
  test.each([
    ["RabbitMQ", "3.10.8", undefined, 1_000],
    ["another", "1", undefined, 30_000],
    ["another", "1", 7_000, 7_000],
  ])("of %s %s, told to wait %s ms, is waited for %i ms", async (product, version, timeoutMs, waitedMs) => {
    const { connection, server, time } = await ending(product, version, timeoutMs);
    const session = await connection.createSession();
    const receiver = await session.createReceiver("q", { name: "r" });
    const waiting = expect(receiver.receive()).rejects.toMatchObject({ code: "ERR_LINK_DETACHED" });
    const sender = await session.createSender("q", { name: "s" });
    server.outcome = null;
    const sending = expect(sender.send("x")).rejects.toMatchObject({ code: "ERR_LINK_DETACHED" });
    const told: unknown[] = [];
    connection.on("linkClose", ({ link, error }) => told.push([link, error]));
    const speak = silence(server);
    const closing = [receiver.detach(), sender.close()];
    await until(() => server.told.includes("detach s closed by link peer"));
    await time.advance(waitedMs - 1);
    expect([receiver.state, sender.state, told]).toEqual(["closing", "closing", []]);
    await time.advance(1);
    await Promise.all([...closing, waiting, sending]);
    expect([receiver.state, receiver.error, sender.state, session.links]).toEqual(["closed", null, "closed", []]);
    expect(told).toEqual([
      [receiver, null],
      [sender, null],
    ]);

    // The answer may come after all; meanwhile nobody else may have the name.
    const again = session.createSender("q", { name: "s" });
    await expect(again).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    server.outcome = (delivery) => void delivery.link.settle(delivery, { type: "accepted" });
    speak();
    await quiet();
    await (await session.createSender("q", { name: "s" })).send("y");
    expect([told.length, connection.state, session.state]).toEqual([2, "open", "open"]);
    await connection.close();
  });

  test("leaves no timer behind when it is answered", async () => {
    const { connection, time } = await ending("another", "1");
    const session = await connection.createSession();
    const before = time.pendingTimers;
    const receiver = await session.createReceiver("q");
    await receiver.close();
    await (await session.createSender("q")).detach();
    expect(time.pendingTimers).toBe(before);
    await connection.close();
  });

  test("of a link that we do not want as the server has it is not waited for for ever either", async () => {
    const { connection, server, time } = await ending("another", "1", 7_000);
    const session = await connection.createSession();
    server.onOffer = (link) => {
      link.accept({ rcvSettleMode: 0 });
      server.push();
      silence(server);
    };
    const made = session.createReceiver("q", { settlementMode: "second" });
    const refused = expect(made).rejects.toMatchObject({ code: "ERR_NOT_SUPPORTED_BY_SERVER" });
    await until(() => server.told.some((line) => line.startsWith("detach ")));
    await time.advance(7_000);
    await refused;
    expect(session.links).toEqual([]);
    connection.destroy();
  });
});
