import { describe, expect, test } from "vitest";
import { MessagingError } from "../../base/errors.ts";
import type { Names } from "../engine/engine.test-support.ts";
import type { ReceiverLink } from "../engine/receiver-link.ts";
import { LabServer, quiet, recoveringLab, textOfBytes, until } from "./client-lab.test-support.ts";
import type { AmqpConnection } from "./connection.ts";

/** Credit that the client's newest receiver has given to a server. */
function creditAt(server: LabServer | undefined): number {
  const links = [...(server?.links.values() ?? [])];
  return links.at(-1)?.credit ?? 0;
}

/** Waits until the connection is back after its `times`th loss. */
async function back(connection: AmqpConnection, servers: readonly LabServer[], times = 1): Promise<LabServer> {
  await until(() => servers.length > times && connection.state === "open");
  return servers[times] as LabServer;
}

describe("a connection that is lost", () => {
  test("comes back with its sessions and links under their names, and says so", async () => {
    const { connection, servers } = await recoveringLab();
    const session = await connection.createSession({ incomingWindow: 77 });
    const sender = await session.createSender("in", { name: "s" });
    const receiver = await session.createReceiver("out", { name: "r", source: { capabilities: ["queue"] } });
    const told: string[] = [];
    for (const type of ["connectionLost", "reconnecting", "reconnected", "close", "linkClose"] as const) {
      connection.on(type, (event) => told.push(event.type));
    }
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    expect([session.state, sender.state, receiver.state]).toEqual(["reconnecting", "reconnecting", "reconnecting"]);
    const server = await back(connection, servers);
    expect([session.state, sender.state, receiver.state]).toEqual(["open", "open", "open"]);
    expect([...server.links.keys()].sort()).toEqual(["r", "s"]);
    expect(server.engine.sessions[0]?.remote).toMatchObject({ incomingWindow: 77 });
    expect(server.links.get("r")?.remote).toMatchObject({ source: { address: "out", capabilities: ["queue"] } });
    expect(told).toEqual(["connectionLost", "reconnecting", "reconnected"]);
    expect(await sender.send("x")).toEqual({ type: "accepted" });
    expect(connection.sessions).toEqual([session]);
    expect(session.links).toEqual([sender, receiver]);
    await connection.close();
  });

  test("and closed by us while it comes back ends in order, also what is back already, and each end is told once", async () => {
    const { connection, servers } = await recoveringLab({}, (server, index) => {
      // The second server says nothing of the sender.
      if (index > 0) server.onOffer = (link) => (link.isSender ? server.acceptLink(link) : undefined);
    });
    const session = await connection.createSession();
    const sender = await session.createSender("in");
    const receiver = await session.createReceiver("out");
    const told: unknown[] = [];
    connection.on("linkClose", ({ link, error }) => told.push(link, error));
    connection.on("sessionClose", ({ error }) => told.push("session", error));
    const handling = (async () => {
      for await (const delivery of receiver) await delivery.accept();
      return "over";
    })();
    servers[0]?.transport.destroy();
    await until(() => servers.length === 2 && receiver.state === "open");
    expect([connection.state, sender.state]).toEqual(["reconnecting", "reconnecting"]);
    await connection.close();
    expect(await handling).toBe("over");
    expect([connection.error, session.error, sender.error, receiver.error]).toEqual([null, null, null, null]);
    await quiet();
    expect(told).toEqual([sender, null, receiver, null, "session", null]);
  });

  test("comes back after the server closed it", async () => {
    const { connection, servers } = await recoveringLab();
    const lost: unknown[] = [];
    connection.on("connectionLost", (event) => lost.push(event.error.peer?.code));
    servers[0]?.engine.close({ type: "error", condition: "amqp:connection:forced" });
    servers[0]?.push();
    await back(connection, servers);
    expect(lost).toEqual(["amqp:connection:forced"]);
    await connection.close();
  });

  test("comes back from one loss after the other, and tries several servers in turn", async () => {
    const { connection, servers } = await recoveringLab();
    const sender = await (await connection.createSession()).createSender("q");
    for (let times = 1; times <= 5; times++) {
      servers.at(-1)?.transport.destroy();
      await back(connection, servers, times);
      await sender.send("again");
    }
    expect(servers).toHaveLength(6);
    await connection.close();
  });

  test("takes no new sessions and links until it is back", async () => {
    const { connection, servers } = await recoveringLab();
    const session = await connection.createSession();
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    await expect(connection.createSession()).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
    await expect(session.createSender("q")).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
    await back(connection, servers);
    await session.createSender("q");
    await connection.close();
  });

  test("what was being opened rejects with the connection's error", async () => {
    const { connection, servers } = await recoveringLab({}, (server, index) => {
      if (index === 0) server.onOffer = () => server.transport.destroy();
    });
    const session = await connection.createSession();
    await expect(session.createReceiver("q")).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await back(connection, servers);
    expect(session.links).toEqual([]);
    await connection.close();
  });

  test("ends for good, with all on it, when it gives up", async () => {
    const { connection, servers } = await recoveringLab(
      { reconnect: { initialDelayMs: 0, jitter: "none", maxAttempts: 2 } },
      (server, index) => {
        if (index > 0) throw new MessagingError("ERR_CONNECT_FAILED", "nobody is there");
        server.outcome = null;
      },
    );
    const session = await connection.createSession();
    const sender = await session.createSender("q");
    const receiver = await session.createReceiver("q");
    const told: unknown[] = [];
    connection.on("sessionClose", (event) => told.push(event.error?.code));
    connection.on("linkClose", (event) => told.push(event.error?.code));
    connection.on("close", (event) => told.push(event.error?.code));
    const waiting = receiver.receive();
    const sending = sender.send("x");
    await until(() => servers[0]?.deliveries.length === 1);
    servers[0]?.transport.destroy();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_RECONNECT_EXHAUSTED" });
    await expect(sending).rejects.toMatchObject({ code: "ERR_RECONNECT_EXHAUSTED" });
    expect((await connection.closed)?.code).toBe("ERR_RECONNECT_EXHAUSTED");
    expect([session.state, sender.state, receiver.state]).toEqual(["closed", "closed", "closed"]);
    expect(told).toEqual(Array.from({ length: 4 }, () => "ERR_RECONNECT_EXHAUSTED"));
  });

  test("can be closed before it is back: what waits rejects with ERR_CLIENT_CLOSED", async () => {
    const { connection, servers } = await recoveringLab({ reconnect: { initialDelayMs: 1_000_000, jitter: "none" } });
    const sender = await (await connection.createSession()).createSender("q");
    (servers[0] as LabServer).outcome = null;
    const sending = sender.send("x");
    await until(() => servers[0]?.deliveries.length === 1);
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    await connection.close();
    await expect(sending).rejects.toMatchObject({ code: "ERR_CLIENT_CLOSED" });
    expect([connection.error, connection.state]).toEqual([null, "closed"]);
    await quiet();
    expect(servers.length).toBeLessThan(3);
  });

  test("a session or link that the server refuses ends with its reason, and the others come back", async () => {
    const { connection, servers } = await recoveringLab({}, (server, index) => {
      server.onOffer = (link) => {
        if (index === 1 && link.name === "bad") link.refuse({ type: "error", condition: "amqp:not-found" });
        else server.acceptLink(link);
      };
    });
    const session = await connection.createSession();
    const bad = await session.createSender("x", { name: "bad" });
    const good = await session.createSender("y", { name: "good" });
    servers[0]?.transport.destroy();
    await back(connection, servers);
    expect(bad.error).toMatchObject({ code: "ERR_LINK_DETACHED", peer: { code: "amqp:not-found" } });
    expect(await good.send("x")).toEqual({ type: "accepted" });
    expect(session.links).toEqual([good]);
    await connection.close();
  });

  test("a link closed before the connection is back does not come back", async () => {
    const { connection, servers } = await recoveringLab();
    const session = await connection.createSession();
    const sender = await session.createSender("x");
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    await sender.close();
    expect([sender.state, sender.error]).toEqual(["closed", null]);
    const server = await back(connection, servers);
    expect(server.links.size).toBe(0);
    await session.close();
    await connection.close();
  });

  test("a link to a dynamic node comes back to another one, and tells its address", async () => {
    const { connection, servers } = await recoveringLab({}, (server, index) => {
      server.onOffer = (link) => {
        server.links.set(link.name, link);
        link.accept({ source: { type: "source", address: `node-${index}`, dynamic: true } });
      };
    });
    const receiver = await (await connection.createSession()).createReceiver(null, { source: { dynamic: true } });
    const told: unknown[] = [];
    connection.on("addressChanged", (event) => told.push(event.address));
    expect(receiver.address).toBe("node-0");
    servers[0]?.transport.destroy();
    await back(connection, servers);
    expect([receiver.address, told]).toEqual(["node-1", ["node-1"]]);
    await connection.close();
  });
});

describe("messages on their way when the connection is lost", () => {
  test("are sent again under their tags, before what had not left, and each resolves once", async () => {
    const { connection, servers } = await recoveringLab({}, (server, index) => {
      server.credit = 2;
      if (index === 0) server.outcome = null;
    });
    const sender = await (await connection.createSession()).createSender("q");
    await until(() => sender.availableCredit === 2);
    const sends = ["a", "b", "c", "d"].map((text) => sender.send(new TextEncoder().encode(text)));
    const resolved = sends.map(() => 0);
    sends.forEach((each, i) => void each.then(() => (resolved[i] = (resolved[i] as number) + 1)));
    await until(() => servers[0]?.deliveries.length === 2);
    const tags = servers[0]?.deliveries.map((delivery) => delivery.tag.join());
    servers[0]?.transport.destroy();
    const server = await back(connection, servers);
    await until(() => server.deliveries.length === 2);
    (server.link() as ReceiverLink<Names>).addCredit(2);
    server.push();
    expect(await Promise.all(sends)).toEqual(Array.from({ length: 4 }, () => ({ type: "accepted" })));
    expect(server.texts).toEqual(["a", "b", "c", "d"]);
    expect(server.deliveries.slice(0, 2).map((delivery) => delivery.tag.join())).toEqual(tags);
    expect(new Set(server.deliveries.map((delivery) => delivery.tag.join())).size).toBe(4);
    expect([resolved, sender.pendingMessages]).toEqual([[1, 1, 1, 1], 0]);
    await connection.close();
  });

  test("with whenConnectionLost fail are rejected, and what had not left is sent", async () => {
    const { connection, servers } = await recoveringLab({}, (server, index) => {
      server.credit = index === 0 ? 1 : 10;
      if (index === 0) server.outcome = null;
    });
    const sender = await (await connection.createSession()).createSender("q", { whenConnectionLost: "fail" });
    await until(() => sender.availableCredit === 1);
    const sends = ["a", "b"].map((text) => sender.send(new TextEncoder().encode(text)));
    await until(() => servers[0]?.deliveries.length === 1);
    servers[0]?.transport.destroy();
    await expect(sends[0]).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    expect(await sends[1]).toEqual({ type: "accepted" });
    expect(servers[1]?.texts).toEqual(["b"]);
    await connection.close();
  });

  test("that are large and half sent are sent again as a whole", async () => {
    const { connection, servers } = await recoveringLab(
      {},
      (server, index) => {
        if (index > 0) return;
        server.onBytes = (chunk) => {
          LabServer.prototype.onBytes.call(server, chunk.length > 2_000 ? chunk.subarray(0, 1_500) : chunk);
          if (chunk.length > 2_000) server.transport.destroy();
        };
      },
      { maxFrameSize: 512 },
    );
    const sender = await (await connection.createSession()).createSender("q");
    const large = Uint8Array.from({ length: 5_000 }, (_, i) => i);
    expect(await sender.send(large)).toEqual({ type: "accepted" });
    expect([servers.length, servers[0]?.deliveries.length, servers[1]?.deliveries.length]).toEqual([2, 0, 1]);
    expect(servers[1]?.deliveries[0]?.payloadBytes).toBeGreaterThan(5_000);
    await connection.close();
  });

  test("given while the connection is away wait for it, within the sender's bounds", async () => {
    const { connection, servers } = await recoveringLab();
    const sender = await (await connection.createSession()).createSender("q", { waitingMessagesMax: 3 });
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    const abort = new AbortController();
    const waiting = sender.send("a");
    const settled = sender.send("b", { settled: true });
    const aborted = sender.send("c", { signal: abort.signal });
    expect([sender.waitingMessages, sender.trySend("d")]).toEqual([3, null]);
    await expect(sender.send("d")).rejects.toMatchObject({ code: "ERR_OUTBOUND_BACKPRESSURE" });
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await expect(sender.send({ body: { type: "value", value: {} as never } })).resolves.toBeDefined();
    expect([await waiting, await settled]).toEqual([{ type: "accepted" }, null]);
    await connection.close();
  });

  test("whose call was aborted are not sent again", async () => {
    const { connection, servers } = await recoveringLab({}, (server, index) => {
      if (index === 0) server.outcome = null;
    });
    const sender = await (await connection.createSession()).createSender("q");
    const abort = new AbortController();
    const aborted = sender.send("a", { signal: abort.signal });
    await until(() => servers[0]?.deliveries.length === 1);
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORTED" });
    servers[0]?.transport.destroy();
    const server = await back(connection, servers);
    await sender.send("b");
    expect([server.deliveries.length, sender.pendingMessages]).toEqual([1, 0]);
    await connection.close();
  });
});

describe("a receiver whose connection is lost", () => {
  test("waits on, gets what comes on the next one, and its credit is restored", async () => {
    const { connection, servers } = await recoveringLab();
    const receiver = await (await connection.createSession()).createReceiver("q", { credit: 5 });
    await until(() => creditAt(servers[0]) === 5);
    const waiting = receiver.receive();
    servers[0]?.transport.destroy();
    const server = await back(connection, servers);
    await until(() => creditAt(server) === 5);
    server.deliver(["later"]);
    expect(textOfBytes((await waiting).message.data)).toBe("later");
    await connection.close();
  });

  test("drops what nobody took, and refuses to settle what is in hand: ERR_STALE_DELIVERY", async () => {
    const { connection, servers } = await recoveringLab();
    const receiver = await (await connection.createSession()).createReceiver("q");
    await until(() => creditAt(servers[0]) > 0);
    servers[0]?.deliver(["in hand", "waiting"]);
    servers[0]?.deliver(["settled"], true);
    const inHand = await receiver.receive();
    await until(() => receiver.bufferedMessages === 2);
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    await expect(inHand.accept()).rejects.toMatchObject({ code: "ERR_STALE_DELIVERY" });
    expect(textOfBytes((await receiver.receive()).message.data)).toBe("settled");
    expect(receiver.prefetched()).toBeNull();
    const server = await back(connection, servers);
    await expect(inHand.accept()).rejects.toMatchObject({ code: "ERR_STALE_DELIVERY" });
    expect(server.told.filter((line) => line.startsWith("settled"))).toEqual([]);
    await connection.close();
  });

  test("a batch keeps nothing that comes again", async () => {
    const { connection, servers } = await recoveringLab();
    const receiver = await (await connection.createSession()).createReceiver("q");
    await until(() => creditAt(servers[0]) > 0);
    const batch = receiver.receive({ max: 2 });
    servers[0]?.deliver(["a"]);
    await quiet();
    servers[0]?.transport.destroy();
    const server = await back(connection, servers);
    await until(() => creditAt(server) > 0);
    server.deliver(["a", "b"]);
    expect((await batch).map((each) => textOfBytes(each.message.data))).toEqual(["a", "b"]);
    await connection.close();
  });

  test("with manual credit gets what was not used, and what is issued meanwhile", async () => {
    const { connection, servers } = await recoveringLab();
    const receiver = await (await connection.createSession()).createReceiver("q", { credit: "manual" });
    receiver.issueCredit(5);
    await until(() => creditAt(servers[0]) === 5);
    servers[0]?.deliver(["taken", "waiting"]);
    await receiver.receive();
    await until(() => receiver.bufferedMessages === 1);
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    receiver.issueCredit(2);
    const server = await back(connection, servers);
    await until(() => creditAt(server) > 0);
    expect(creditAt(server)).toBe(6);
    await connection.close();
  });

  test("with manual credit, a batch that has begun is given credit again for what it lost", async () => {
    const { connection, servers } = await recoveringLab();
    const receiver = await (await connection.createSession()).createReceiver("q", { credit: "manual" });
    receiver.issueCredit(3);
    await until(() => creditAt(servers[0]) === 3);
    const batch = receiver.receive({ max: 3 });
    servers[0]?.deliver(["a", "b"]);
    await quiet();
    servers[0]?.transport.destroy();
    const server = await back(connection, servers);
    await until(() => creditAt(server) > 0);
    expect(creditAt(server)).toBe(3);
    server.deliver(["a", "b", "c"]);
    expect((await batch).map((each) => textOfBytes(each.message.data))).toEqual(["a", "b", "c"]);
    await connection.close();
  });

  test("in mode second, a settlement that the server has not confirmed rejects with the connection's error", async () => {
    const { connection, servers } = await recoveringLab({}, (server) => {
      server.onOffer = (link) => {
        server.links.set(link.name, link);
        link.accept({ rcvSettleMode: 1 });
      };
      server.settlesSeconds = false;
    });
    const receiver = await (await connection.createSession()).createReceiver("q", { settlementMode: "second" });
    await until(() => creditAt(servers[0]) > 0);
    servers[0]?.deliver(["x"]);
    const settling = (await receiver.receive()).accept();
    await until(() => servers[0]?.outcomes.length === 1);
    servers[0]?.transport.destroy();
    await expect(settling).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await back(connection, servers);
    await connection.close();
  });
});
