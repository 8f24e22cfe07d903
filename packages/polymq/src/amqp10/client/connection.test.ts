import { describe, expect, test } from "vitest";
import { symbol } from "../codec/values.ts";
import { type LabServer, lab, labPlatform, until } from "./client-lab.test-support.ts";
import { connectOver } from "./connect.ts";
import { isConnectionError, isLinkError, isSessionError } from "./error-scope.ts";
import type { ConnectOptions } from "./options.ts";

describe("connect", () => {
  test("opens with what the options say, and tells what the server said of itself (§2.7.1)", async () => {
    const opens: unknown[] = [];
    const { connection } = await lab(
      {
        containerId: "me",
        hostname: "vhost:one",
        maxFrameSize: 4_096,
        maxSessions: 7,
        idleTimeoutMs: 10_000,
        properties: { product: "test" },
        desiredCapabilities: ["A"],
      },
      { open: { containerId: "server", offeredCapabilities: ["B"], properties: { version: "1" } } },
      (server) => {
        server.onOpen = (open) => void opens.push(open);
      },
    );
    expect(opens[0]).toMatchObject({
      containerId: "me",
      hostname: "vhost:one",
      maxFrameSize: 4_096,
      channelMax: 6,
      idleTimeOut: 5_000,
      desiredCapabilities: ["A"],
    });
    expect(connection.peer.containerId).toBe("server");
    expect(connection.peer.offeredCapabilities).toEqual(["B"]);
    expect(connection.peer.properties?.get(symbol("version"))).toBe("1");
    expect(connection.state).toBe("open");
    await connection.close();
  });

  test("close says goodbye, waits for the server's, and leaves no error", async () => {
    const { connection, server } = await lab();
    const events: unknown[] = [];
    connection.on("close", (event) => events.push(event));
    await connection.close();
    expect(connection.state).toBe("closed");
    expect(connection.error).toBeNull();
    expect(await connection.closed).toBeNull();
    expect(events).toEqual([{ type: "close", error: null }]);
    expect(server.told).toContain("close by connection peer");
    await connection.close();
  });

  test("a server that closes ends the connection, its sessions and links with its condition", async () => {
    const { connection, server } = await lab();
    const session = await connection.createSession();
    const sender = await session.createSender("q");
    server.engine.close({ type: "error", condition: "amqp:connection:forced", description: "maintenance" });
    server.push();
    const error = await connection.closed;
    expect(error).toMatchObject({
      code: "ERR_SERVER_DISCONNECT",
      peer: { code: "amqp:connection:forced", text: "maintenance" },
    });
    expect(isConnectionError(error)).toBe(true);
    expect(isSessionError(error) || isLinkError(error)).toBe(false);
    expect(await session.closed).toMatchObject({ code: "ERR_SERVER_DISCONNECT" });
    expect(sender.error?.code).toBe("ERR_SERVER_DISCONNECT");
    await expect(sender.send("late")).rejects.toMatchObject({ code: "ERR_SERVER_DISCONNECT" });
    await expect(connection.createSession()).rejects.toMatchObject({ code: "ERR_SERVER_DISCONNECT" });
  });

  test("a server that closes right behind its open makes connect reject with its reason (§2.4.1)", async () => {
    const refusing = lab({}, {}, (server) => {
      server.onOpen = () =>
        server.engine.close({ type: "error", condition: "amqp:not-found", description: "no such host" });
    });
    await expect(refusing).rejects.toMatchObject({ code: "ERR_SERVER_DISCONNECT", peer: { code: "amqp:not-found" } });
  });

  test.each<[string, ConnectOptions]>([
    ["a container id that is no text", { containerId: "a\ud800" }],
    ["properties that are no values", { properties: { a: (() => 1) as never } }],
  ])("%s is refused, and leaves no connection open", async (_what, options) => {
    const servers: LabServer[] = [];
    const platform = labPlatform({}, (server) => servers.push(server));
    await expect(connectOver(platform, "amqp://localhost", { reconnect: false, ...options })).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
    });
    await until(() => servers.length > 0 && servers.every((server) => server.engine.over));
  });

  test("a link that breaks ends everything with ERR_CONNECTION_LOST", async () => {
    const { connection, server } = await lab();
    const session = await connection.createSession();
    const receiver = await session.createReceiver("q");
    const waiting = receiver.receive();
    server.transport.destroy();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    expect(await connection.closed).toMatchObject({ code: "ERR_CONNECTION_LOST", retry: "reconnect" });
  });

  test("a signal ends the attempt while the server is silent", async () => {
    const abort = new AbortController();
    const silent: LabServer[] = [];
    const platform = labPlatform({}, (server) => {
      server.onBytes = () => {};
      silent.push(server);
    });
    const attempt = connectOver(platform, "amqp://localhost", { signal: abort.signal });
    await until(() => silent.length === 1);
    abort.abort();
    await expect(attempt).rejects.toMatchObject({ code: "ERR_ABORTED" });
  });

  test("the deadline ends the attempt while the server is silent", async () => {
    const platform = labPlatform({}, (server) => {
      server.onBytes = () => {};
    });
    const attempt = connectOver(platform, "amqp://localhost", { connectTimeoutMs: 1 });
    await expect(attempt).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
  });

  test("a server that takes no bytes ends the connection with ERR_WRITE_TIMEOUT", async () => {
    const { connection, server } = await lab({ writeTimeoutMs: 1 });
    const sender = await (await connection.createSession()).createSender("q");
    await until(() => sender.availableCredit > 0);
    server.transport.pause();
    const sending = sender.send(new Uint8Array(1_000_000));
    await expect(sending).rejects.toMatchObject({ scope: "connection" });
    expect(await connection.closed).toMatchObject({ code: "ERR_WRITE_TIMEOUT" });
  });

  test.each([
    ["maxFrameSize", { maxFrameSize: 511 }],
    ["maxSessions", { maxSessions: 0 }],
    ["idleTimeoutMs", { idleTimeoutMs: -1 }],
    ["sasl", { sasl: [] }],
  ])("%s out of range is refused with ERR_INVALID_OPTIONS", async (_name, options) => {
    await expect(lab(options)).rejects.toMatchObject({ code: "ERR_INVALID_OPTIONS" });
  });

  test("an address of another protocol is refused with ERR_INVALID_OPTIONS", async () => {
    await expect(
      connectOver(
        labPlatform({}, () => {}),
        "mqtt://localhost",
      ),
    ).rejects.toMatchObject({ code: "ERR_INVALID_OPTIONS" });
  });
});

describe("sessions", () => {
  test("a session begins with its windows, its links' number and its properties (§2.7.2)", async () => {
    const begins: unknown[] = [];
    const { connection } = await lab({}, { session: { properties: { c: "d" } } }, (server) => {
      server.onBegin = (_session, begin) => void begins.push(begin);
    });
    const options = { maxLinks: 2, incomingWindow: 10, outgoingWindow: 20, properties: { a: "b" } };
    const session = await connection.createSession(options);
    expect(session.properties?.get("c")).toBe("d");
    expect(begins[0]).toMatchObject({ handleMax: 1, incomingWindow: 10, outgoingWindow: 20 });
    expect(connection.sessions).toHaveLength(1);
    await connection.close();
  });

  test("more links than the session was made for are refused, and the session goes on", async () => {
    const { connection } = await lab();
    const session = await connection.createSession({ maxLinks: 1 });
    const sender = await session.createSender("a");
    await expect(session.createSender("b")).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await sender.close();
    await session.createSender("b");
    await connection.close();
  });

  test("more sessions than the server takes are refused, and the connection goes on", async () => {
    const { connection } = await lab({}, { channelMax: 0 });
    const session = await connection.createSession();
    await expect(connection.createSession()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await session.close();
    await connection.createSession();
    await connection.close();
  });

  test("a session that the server ends is a session error, and the connection goes on", async () => {
    const { connection, server } = await lab();
    const session = await connection.createSession();
    const sender = await session.createSender("q");
    const ended: unknown[] = [];
    connection.on("sessionClose", (event) => ended.push(event.session));
    server.engine.sessions[0]?.end({ type: "error", condition: "amqp:resource-limit-exceeded" });
    server.push();
    const error = await session.closed;
    expect(isSessionError(error)).toBe(true);
    expect(error).toMatchObject({ code: "ERR_SESSION_ENDED", peer: { code: "amqp:resource-limit-exceeded" } });
    expect(ended).toEqual([session]);
    await expect(sender.send("x")).rejects.toMatchObject({ code: "ERR_SESSION_ENDED" });
    await expect(session.createSender("q")).rejects.toMatchObject({ code: "ERR_SESSION_ENDED" });
    await connection.createSession();
    await connection.close();
  });
});
