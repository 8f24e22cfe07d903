import { connect, saslAnonymous, saslPlain } from "polymq/amqp10";
import { ProtocolId, protocolHeader } from "polymq/amqp10/codec";
import { VirtualClock } from "polymq/testing";
import { nodePlatform } from "polymq/transport";
import { describe, expect, test } from "vitest";
import { startBroker } from "../../broker.ts";
import { message, RawAmqp10, transfer } from "./raw-client.test-support.ts";
import { Amqp10Scene, takeTexts } from "./scene.test-support.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const data = (value: string): Uint8Array => message({ body: { type: "data", data: bytes(value) } });

describe("a connection", () => {
  test("tells who the broker is, and what it can do (§2.7.1)", async () => {
    await using scene = await Amqp10Scene.open();
    const { peer } = await scene.connection();
    expect(peer.containerId).toBe("polymq");
    expect(peer.properties?.get("product")).toBe("polymq");
    expect(peer.offeredCapabilities).toContain("ANONYMOUS-RELAY");
  });

  test("works on a port that all protocols share, and over WebSocket beside AMQP 0-9-1", async () => {
    await using broker = await startBroker({ port: 0 });
    for (const url of [`amqp://127.0.0.1:${broker.port}`, `ws://127.0.0.1:${broker.port}/amqp`]) {
      const connection = await connect(url, { reconnect: false });
      const session = await connection.createSession();
      await (await session.createSender("$queue/q")).send(bytes(url));
      expect(await takeTexts(await session.createReceiver("$queue/q"), 1)).toEqual([url]);
      await connection.close();
    }
  });

  test.each([
    ["AMQP 0-9-1, where only 1.0 is served", Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1), "header 3"],
    ["TLS inside of the connection", protocolHeader(ProtocolId.tls), "header 3"],
  ])("that begins with %s gets the header that is taken, and ends (§2.2)", async (_, header, said) => {
    await using broker = await startBroker({ port: 0, protocols: ["amqp10"] });
    const { connect: dial } = await import("node:net");
    const got = await new Promise<string>((resolve) => {
      const chunks: Buffer[] = [];
      const socket = dial(broker.port, "127.0.0.1", () => socket.write(header));
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      socket.on("close", () => resolve(`header ${Buffer.concat(chunks)[4]}`));
    });
    expect(got).toBe(said);
  });

  test("ends with a reason when the broker stops", async () => {
    const scene = await Amqp10Scene.open();
    const connection = await scene.connection();
    await scene.broker.close();
    expect(await connection.closed).toMatchObject({ peer: { code: "amqp:connection:forced" } });
    await scene[Symbol.asyncDispose]();
  });

  test("that says nothing for too long is ended (§2.4.5)", async () => {
    const clock = new VirtualClock();
    const scene = await Amqp10Scene.open(
      { amqp10: { idleTimeoutMs: 1_000 } },
      { platform: { ...nodePlatform(), clock } },
    );
    const client = new RawAmqp10(scene.broker, clock);
    const opening = client.open();
    await clock.settle();
    await opening;
    await clock.advance(1_000);
    expect(await client.until("close")).toBe("close amqp:resource-limit-exceeded");
    const closing = scene.broker.close();
    await clock.advance(10_000);
    await closing;
  });
});

describe("SASL", () => {
  const users = [{ username: "ann", password: "secret" }];

  test("lets in who knows the password, and nobody else", async () => {
    await using scene = await Amqp10Scene.open({ users });
    await scene.connection({ sasl: saslPlain("ann", "secret") });
    for (const sasl of [saslPlain("ann", "wrong"), saslPlain("bob", "secret"), saslAnonymous()]) {
      await expect(scene.connection({ sasl })).rejects.toMatchObject({ code: "ERR_AUTH_FAILED" });
    }
    const without = scene.connection({ sasl: "none" }).then((connection) => connection.createSession());
    await expect(without).rejects.toMatchObject({ peer: { code: "amqp:unauthorized-access" } });
    expect(scene.broker.inspect().metrics).toMatchObject({ clientsAccepted: 1, clientsRefused: 4 });
  });

  test("can be required", async () => {
    await using scene = await Amqp10Scene.open({ amqp10: { sasl: "required" } });
    const client = new RawAmqp10(scene.broker);
    client.write(protocolHeader(ProtocolId.amqp));
    expect([await client.next(), await client.next()]).toEqual(["header 3", "end"]);
    await scene.connection({ sasl: saslAnonymous() });
  });

  test.each([
    ["PLAIN without a response", "PLAIN", null],
    ["PLAIN without a password", "PLAIN", bytes("\0ann")],
    ["PLAIN for somebody else", "PLAIN", bytes("bob\0ann\0secret")],
    ["EXTERNAL without a certificate", "EXTERNAL", null],
    ["what was not offered", "GSSAPI", null],
  ])("refuses %s", async (_, mechanism, initialResponse) => {
    await using scene = await Amqp10Scene.open({ users });
    const client = new RawAmqp10(scene.broker);
    client.write(protocolHeader(ProtocolId.sasl));
    await client.until("mechanisms");
    client.sasl({ type: "saslInit", mechanism, initialResponse });
    expect([await client.next(), await client.next()]).toEqual(["outcome 1", "end"]);
  });
});

describe("virtual hosts", () => {
  test("are named in the open's hostname, and have queues of their own", async () => {
    await using scene = await Amqp10Scene.open({ virtualHosts: ["other"] });
    const session = await scene.session({ hostname: "vhost:other" });
    await expect(session.createSender("$queue/q")).rejects.toMatchObject({ peer: { code: "amqp:not-found" } });
    const receiver = await session.createReceiver(null, { source: { dynamic: true } });
    await (await session.createSender(receiver.address)).send(bytes("x"));
    expect(await takeTexts(receiver, 1)).toEqual(["x"]);
    await expect(scene.connection({ hostname: "vhost:none" }).then((one) => one.createSession())).rejects.toMatchObject(
      {
        peer: { code: "amqp:not-found" },
      },
    );
  });
});

describe("hostile input", () => {
  const accepted = data("x");
  const section = (...octets: number[]): Uint8Array => Uint8Array.of(0, 0x53, ...octets);

  test.each([
    ["no message at all", Uint8Array.of(1, 2, 3), "amqp:decode-error"],
    ["a message without a body", section(0x73, 0x45), "amqp:not-allowed"],
    ["sections out of order", Uint8Array.of(...accepted, ...section(0x70, 0x45)), "amqp:decode-error"],
    ["an unknown section", section(0x30, 0x45), "amqp:decode-error"],
    ["a section that ends early", section(0x75, 0xb0, 0, 0, 1, 0), "amqp:decode-error"],
    ["a map of 2^32 - 1 values", section(0x74, 0xd1, 0, 0, 0, 4, 255, 255, 255, 255), "amqp:decode-error"],
    ["text that is no UTF-8", section(0x77, 0xa1, 1, 0xff), "amqp:decode-error"],
    ["annotations that are no map", Uint8Array.of(...section(0x72, 0x45), ...accepted), "amqp:decode-error"],
  ])("%s is rejected, and its link goes on", async (_, payload, condition) => {
    await using scene = await Amqp10Scene.open();
    const client = await (await new RawAmqp10(scene.broker).open()).sender("$queue/q");
    client.write(transfer(0, payload), transfer(1, accepted));
    expect([await client.next(), await client.next()].sort()).toEqual([
      `disposition 0 rejected ${condition}`,
      "disposition 1 accepted",
    ]);
  });

  test("a message in parts beyond the limit detaches its link before it is whole", async () => {
    await using scene = await Amqp10Scene.open({ amqp10: { maximumMessageSize: 10_000 } });
    const client = await (await new RawAmqp10(scene.broker).open()).sender("$queue/q");
    for (let i = 0; i < 4; i++) client.write(transfer(0, new Uint8Array(4_000), { more: true }));
    expect(await client.until("detach")).toBe("detach amqp:link:message-size-exceeded");
  });

  test("an aborted delivery is none (§2.6.14)", async () => {
    await using scene = await Amqp10Scene.open();
    const client = await (await new RawAmqp10(scene.broker).open()).sender("$queue/q");
    client.write(transfer(0, accepted, { more: true }), transfer(0, new Uint8Array(0), { aborted: true }));
    client.write(transfer(1, data("y")));
    expect(await client.until("disposition")).toBe("disposition 1 accepted");
    const receiver = await (await scene.session()).createReceiver("$queue/q");
    expect(await takeTexts(receiver, 1)).toEqual(["y"]);
  });

  test("more links than allowed are refused, and those there are go on", async () => {
    await using scene = await Amqp10Scene.open({ amqp10: { linksMax: 2 } });
    const session = await scene.session();
    const sender = await session.createSender("$queue/q");
    await session.createSender("$queue/q");
    await expect(session.createReceiver("$queue/q")).rejects.toMatchObject({
      peer: { code: "amqp:resource-limit-exceeded" },
    });
    expect(await sender.send(bytes("x"))).toMatchObject({ type: "accepted" });
  });

  test("credit without end and no reading holds up nobody else, in bounded memory", async () => {
    await using scene = await Amqp10Scene.open({ sessions: { unsentBytesMax: 65_536 } });
    const slow = await new RawAmqp10(scene.broker).open();
    const source = { type: "source", address: "t" } as const;
    slow.send(
      0,
      { type: "attach", name: "r", handle: 0, role: true, source, target: { type: "target" } },
      {
        type: "flow",
        nextIncomingId: 0,
        incomingWindow: 4_294_967_295,
        nextOutgoingId: 0,
        outgoingWindow: 1,
        handle: 0,
        deliveryCount: 0,
        linkCredit: 4_294_967_295,
      },
    );
    await slow.until("attach");
    slow.pause();
    const session = await scene.session();
    const other = await session.createReceiver("t");
    const sender = await session.createSender("t");
    for (let i = 0; i < 50; i++) {
      await sender.send(new Uint8Array(20_000));
      await (await other.receive()).accept();
    }
    expect(scene.broker.inspect().metrics.bytesSent).toBeGreaterThan(50 * 20_000);
  });

  test("a violation ends its connection with a condition, and no other", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const sender = await session.createSender("$queue/q");
    const client = await new RawAmqp10(scene.broker).open();
    client.write(Uint8Array.of(0, 0, 0, 3, 2, 0, 0, 0));
    expect(await client.until("close")).toBe("close amqp:decode-error");
    expect(await sender.send(bytes("x"))).toMatchObject({ type: "accepted" });
  });
});

test("an outcome that is said again and again counts once (§2.6.12)", async () => {
  await using scene = await Amqp10Scene.open({ amqp10: { unsettledMax: 1 } });
  const sender = await (await scene.session()).createSender("$queue/q");
  for (const each of ["a", "b", "c", "d"]) await sender.send(bytes(each));
  const client = await new RawAmqp10(scene.broker).open();
  const source = { type: "source", address: "$queue/q" } as const;
  client.send(
    0,
    { type: "attach", name: "r", handle: 0, role: true, source, target: { type: "target" } },
    {
      type: "flow",
      nextIncomingId: 0,
      incomingWindow: 2_048,
      nextOutgoingId: 0,
      outgoingWindow: 1,
      handle: 0,
      deliveryCount: 0,
      linkCredit: 10,
    },
  );
  await client.until("transfer");
  const accept = { type: "disposition", role: true, first: 0, settled: false, state: { type: "accepted" } } as const;
  client.send(0, accept, accept, accept);
  await client.until("disposition 0 accepted");
  client.send(0, { ...accept, first: 1, settled: true });
  await client.until("transfer");
  expect(scene.broker.inspect().queues.find((one) => one.settings.name === "q")).toMatchObject({
    depth: 2,
    groups: [{ pending: 1 }],
  });
});

test("credit and a drain that come before the link is open count once it is", async () => {
  const decisions: ((allowed: boolean) => void)[] = [];
  await using scene = await Amqp10Scene.open({
    auth: { authorizeSubscribe: () => new Promise<boolean>((resolve) => decisions.push(resolve)) },
  });
  await (await (await scene.session()).createSender("$queue/q")).send(bytes("a"));
  const client = await new RawAmqp10(scene.broker).open();
  const source = { type: "source", address: "$queue/q" } as const;
  client.send(
    0,
    { type: "attach", name: "r", handle: 0, role: true, source, target: { type: "target" } },
    {
      type: "flow",
      nextIncomingId: 0,
      incomingWindow: 2_048,
      nextOutgoingId: 0,
      outgoingWindow: 1,
      handle: 0,
      linkCredit: 10,
      drain: true,
    },
  );
  await expect.poll(() => decisions.length).toBe(1);
  decisions[0]?.(true);
  expect([await client.until("attach"), await client.next(), await client.next()]).toEqual([
    "attach",
    "transfer",
    "flow",
  ]);
});
