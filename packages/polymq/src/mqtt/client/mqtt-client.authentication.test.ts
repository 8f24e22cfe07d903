import { describe, expect, test } from "vitest";
import { connected, type Setup, type Stage, setup, stateOf, utf8 } from "./client-setup.test-support.ts";
import type { FakeConnection } from "./fake-server.test-support.ts";
import type { AuthenticationOptions } from "./options.ts";

const METHOD = "TEST";

/** Answers a challenge with the same bytes and a "!" behind them. */
function answering(more: Partial<AuthenticationOptions> = {}): AuthenticationOptions {
  return {
    method: METHOD,
    data: utf8("hello"),
    respond: ({ data }) => utf8(`${new TextDecoder().decode(data)}!`),
    ...more,
  };
}

function challenge(link: FakeConnection, data: string): void {
  const properties = { authenticationMethod: METHOD, authenticationData: utf8(data), reasonString: "prove it" };
  link.engine.sendAuth({ type: "auth", reasonCode: 0x18, properties });
}

/** A server that challenges twice and then accepts. */
function challenging(authentication: AuthenticationOptions, final = utf8("server proof")): Setup {
  let left = 2;
  return {
    protocolVersion: 5,
    authentication,
    server: {
      onConnect: (_, link) => {
        left = 2;
        challenge(link, "first");
        return "silence";
      },
      onAuth: (_, link) => {
        if (--left > 0) challenge(link, "second");
        else link.accept({ properties: { authenticationData: final } });
      },
    },
  };
}

/** What the client sent in AUTH packets since the last call. */
function auths(stage: Stage): string[] {
  return stage.link.take("auth").map((packet) => {
    const data = new TextDecoder().decode(packet.properties?.authenticationData);
    return `${packet.reasonCode} ${packet.properties?.authenticationMethod} ${data}`;
  });
}

describe("enhanced authentication", () => {
  test("answers challenges until CONNACK, under the method of CONNECT [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1]", async () => {
    const stage = setup(challenging(answering()));
    await stage.now(stage.client.connect());
    expect(auths(stage)).toEqual(["24 TEST first!", "24 TEST second!"]);
    expect(stage.link.connectPacket?.properties).toEqual({
      authenticationMethod: METHOD,
      authenticationData: utf8("hello"),
    });
    expect(stage.client.serverCapabilities).toMatchObject({ authenticationMethod: METHOD });
    await stage.finish();
  });

  test("tells the challenge's reason string and code", async () => {
    const seen: unknown[] = [];
    const respond: AuthenticationOptions["respond"] = ({ reasonCode, reasonString }) => {
      seen.push([reasonCode, reasonString]);
      return new Uint8Array(0);
    };
    const stage = setup(challenging(answering({ respond })));
    await stage.now(stage.client.connect());
    expect(seen[0]).toEqual([0x18, "prove it"]);
    await stage.finish();
  });

  test("asks for its first data anew at each connection", async () => {
    let asked = 0;
    const stage = setup(challenging(answering({ data: () => Promise.resolve(Uint8Array.of(++asked)) })));
    await stage.now(stage.client.connect());
    stage.link.cut();
    await stage.clock.settle();
    const data = stage.server.connections.map((each) => each.connectPacket?.properties?.authenticationData);
    expect(data).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
    await stage.finish();
  });

  test("before CONNACK sends nothing but AUTH [MQTT-3.1.2-30]", async () => {
    const stage = setup(challenging(answering()));
    const connecting = stage.client.connect();
    const publishing = stage.client.publish("t", "x", { qos: 1 });
    await stage.now(Promise.all([connecting, publishing]));
    expect(stage.link.types()).toEqual(["connect", "auth", "auth", "publish"]);
    await stage.finish();
  });

  test("that cannot answer rejects connect() with ERR_AUTH_FAILED and the cause", async () => {
    const cause = new Error("no key");
    const stage = setup(challenging(answering({ respond: () => Promise.reject(cause) })));
    const error = await stage.refused(stage.client.connect(), "ERR_AUTH_FAILED");
    expect(error.cause).toBe(cause);
    await stage.finish();
  });

  test("that the server refuses rejects with its code", async () => {
    const stage = setup({
      protocolVersion: 5,
      authentication: answering(),
      server: { onConnect: () => ({ refuse: 0x8c }) },
    });
    const error = await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
    expect(error.peer?.code).toBe(0x8c);
    await stage.finish();
  });

  test("verifies the server's last data before anything else is sent or read", async () => {
    let verified: () => void = () => undefined;
    const seen: string[] = [];
    const verify = (data: Uint8Array): Promise<void> => {
      seen.push(new TextDecoder().decode(data));
      return new Promise((resolve) => (verified = resolve));
    };
    const stage = setup(challenging(answering({ verify })));
    const connecting = stage.promises.track(stage.client.connect());
    const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
    await stage.clock.settle();
    expect(seen).toEqual(["server proof"]);
    stage.link.publish("t", "too early", { qos: 1 });
    await stage.clock.settle();
    expect(stage.of("messageDropped")).toEqual([]);
    expect(await stateOf(connecting)).toBe("pending");
    expect(stage.server.received).toEqual([]);
    verified();
    await stage.now(Promise.all([connecting, publishing]));
    expect(stage.of("messageDropped")).toHaveLength(1);
    await stage.finish();
  });

  test("a server that fails verification is left with a DISCONNECT, and connect() rejects with ERR_AUTH_FAILED", async () => {
    const verify = (): void => {
      throw new Error("wrong server");
    };
    const stage = setup(challenging(answering({ verify })));
    const connecting = stage.promises.track(stage.client.connect());
    const publishing = stage.promises.track(stage.client.publish("t", "secret", { qos: 1 }));
    await stage.refused(connecting, "ERR_AUTH_FAILED");
    await stage.refused(publishing, "ERR_AUTH_FAILED");
    expect(stage.link.types()).toEqual(["connect", "auth", "auth", "disconnect"]);
    expect(stage.server.received).toEqual([]);
    await stage.finish();
  });

  test("verification that never ends is an ERR_CONNECT_TIMEOUT", async () => {
    const stage = setup({
      ...challenging(answering({ verify: () => new Promise(() => undefined) })),
      connectTimeoutMs: 400,
    });
    const connecting = stage.promises.track(stage.client.connect());
    await stage.clock.advance(400);
    await stage.refused(connecting, "ERR_CONNECT_TIMEOUT");
    await stage.finish();
  });

  test.each([
    [
      "another method in AUTH [MQTT-4.12.0-5]",
      (link: FakeConnection) =>
        link.send({ type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "OTHER" } }),
      "ERR_AUTH_METHOD_MISMATCH",
    ],
    [
      "another method in CONNACK [MQTT-4.12.0-5]",
      (link: FakeConnection) =>
        link.send({
          type: "connack",
          sessionPresent: false,
          reasonCode: 0,
          properties: { authenticationMethod: "OTHER" },
        }),
      "ERR_AUTH_METHOD_MISMATCH",
    ],
    [
      "success without CONNACK",
      (link: FakeConnection) =>
        link.send({ type: "auth", reasonCode: 0, properties: { authenticationMethod: METHOD } }),
      "ERR_PROTOCOL_VIOLATION",
    ],
  ] as const)("%s ends the attempt", async (_, answer, code) => {
    const server: Setup["server"] = {
      onConnect: (connect, link) => {
        expect(connect.properties?.authenticationMethod).toBe(METHOD);
        answer(link);
        return "silence";
      },
    };
    const stage = setup({ protocolVersion: 5, authentication: answering(), server });
    await stage.refused(stage.client.connect(), code);
    await stage.finish();
  });

  test("AUTH from a server to a client that named no method is a protocol error [MQTT-4.12.0-7]", async () => {
    const stage = await connected({ protocolVersion: 5 });
    stage.link.send({ type: "auth", reasonCode: 0x18, properties: { authenticationMethod: METHOD } });
    await stage.clock.settle();
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_PROTOCOL_VIOLATION");
    expect(stage.server.connections[0]?.take("auth")).toEqual([]);
    await stage.finish();
  });

  test("another method on an open connection ends that, and the client comes back", async () => {
    const stage = setup(challenging(answering()));
    await stage.now(stage.client.connect());
    stage.link.send({ type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "OTHER" } });
    await stage.clock.settle();
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_AUTH_METHOD_MISMATCH");
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });

  test("AUTH that was not asked for on an open connection is a protocol error", async () => {
    const stage = setup(challenging(answering()));
    await stage.now(stage.client.connect());
    challenge(stage.link, "why now");
    await stage.clock.settle();
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_PROTOCOL_VIOLATION");
    await stage.finish();
  });
});

describe("re-authentication (MQTT 5.0 §4.12.1)", () => {
  /** An open connection whose server answers a re-authentication with `onAuth`. */
  async function open(
    authentication: AuthenticationOptions,
    onAuth: (link: FakeConnection, code: number) => void,
  ): Promise<Stage> {
    const stage = setup(challenging(authentication));
    await stage.now(stage.client.connect());
    stage.link.take();
    stage.server.options = { ...stage.server.options, onAuth: (packet, link) => onAuth(link, packet.reasonCode) };
    return stage;
  }

  function succeed(link: FakeConnection): void {
    link.engine.sendAuth({
      type: "auth",
      reasonCode: 0,
      properties: { authenticationMethod: METHOD, authenticationData: utf8("again") },
    });
  }

  test("begins with AUTH 0x19, answers challenges and resolves at success [MQTT-4.12.1-1]", async () => {
    const stage = await open(answering(), (link, code) => (code === 0x19 ? challenge(link, "more") : succeed(link)));
    await stage.now(stage.client.reauthenticate());
    expect(auths(stage)).toEqual(["25 TEST hello", "24 TEST more!"]);
    await stage.now(stage.client.reauthenticate());
    await stage.finish();
  });

  test("messages flow meanwhile", async () => {
    const stage = await open(answering(), () => undefined);
    const again = stage.promises.track(stage.client.reauthenticate());
    await stage.now(stage.client.publish("t", "x", { qos: 1 }));
    succeed(stage.link);
    await stage.now(again);
    await stage.finish();
  });

  test("cannot be begun twice at a time", async () => {
    const stage = await open(answering(), () => undefined);
    const again = stage.promises.track(stage.client.reauthenticate());
    await stage.refused(stage.client.reauthenticate(), "ERR_AUTH_FAILED");
    succeed(stage.link);
    await stage.now(again);
    await stage.finish();
  });

  test("that the server refuses rejects, for the connection is closed [MQTT-4.12.1-2]", async () => {
    const stage = await open(answering(), (link) => link.disconnect(0x87));
    const error = await stage.refused(stage.client.reauthenticate(), "ERR_SERVER_DISCONNECT");
    expect(error.peer?.code).toBe(0x87);
    await stage.finish();
  });

  test("that we cannot answer or verify ends the connection with a DISCONNECT [MQTT-4.12.1-2]", async () => {
    const verify = (data: Uint8Array): void => {
      if (new TextDecoder().decode(data) === "again") throw new Error("no");
    };
    const stage = await open(answering({ verify }), (link) => succeed(link));
    const link = stage.link;
    await stage.refused(stage.client.reauthenticate(), "ERR_AUTH_FAILED");
    await stage.clock.settle();
    expect(link.take("disconnect")).toHaveLength(1);
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_AUTH_FAILED");
    await stage.finish();
  });

  test("rejects when the connection breaks, also while its data are still being asked for", async () => {
    let asked = 0;
    const data = (): Uint8Array | Promise<Uint8Array> => (++asked === 1 ? utf8("hello") : new Promise(() => undefined));
    const stage = await open(answering({ data }), () => undefined);
    stage.promises.track(stage.client.reauthenticate()).catch(() => undefined);
    await stage.clock.settle();
    stage.server.options = {};
    stage.link.cut();
    await stage.clock.settle();
    await stage.clock.advance(1);
    expect(stage.of("connectionLost")).toHaveLength(1);
    await stage.now(stage.client.destroy());
    expect(stage.promises.pending).toEqual(["promise 1"]);
  });

  test("without an answer ends in ERR_TIMEOUT and with the connection", async () => {
    const stage = await open(answering(), () => undefined);
    const again = stage.promises.track(stage.client.reauthenticate());
    await stage.clock.advance(10_000);
    await stage.refused(again, "ERR_TIMEOUT");
    expect(stage.of("connectionLost")[0]?.error.code).toBe("ERR_TIMEOUT");
    await stage.finish();
  });

  test("needs MQTT 5.0 and a method", async () => {
    const four = await connected();
    await four.refused(four.client.reauthenticate(), "ERR_AUTH_NOT_V5");
    await four.finish();
    const five = await connected({ protocolVersion: 5 });
    await five.refused(five.client.reauthenticate(), "ERR_AUTH_NO_HANDLER");
    await five.finish();
  });
});
