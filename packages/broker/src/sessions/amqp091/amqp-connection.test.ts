import { type Method, protocolHeader, saslAnonymous } from "polymq/amqp091/codec";
import { VirtualClock } from "polymq/testing";
import { nodePlatform } from "polymq/transport";
import { describe, expect, test } from "vitest";
import type { AuthDecision, AuthenticateRequest } from "../../auth/auth-hooks.ts";
import { AmqpScene, moving } from "./scene.test-support.ts";

const USERS = { users: [{ username: "ann", password: "secret" }] };
const REFUSED =
  "0 connection.close 403 ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.";

function startOk(mechanism: string, response: Uint8Array): Method {
  const clientProperties = { capabilities: { authentication_failure_close: true } };
  return { method: "connection.start-ok", clientProperties, mechanism, response, locale: "en_US" };
}

describe("a client is let in", () => {
  test("with its name and password, over PLAIN and AMQPLAIN", async () => {
    await using scene = await AmqpScene.open(USERS);
    for (const mechanism of ["PLAIN", "AMQPLAIN"] as const) {
      const client = await scene.client({ username: "ann", password: "secret", mechanism });
      expect([client.connected, client.serverProperties?.["product"]]).toEqual([true, "polymq"]);
    }
    expect(scene.broker.inspect().metrics).toMatchObject({ clientsAccepted: 2, clientsConnected: 2 });
  });

  test("whatever it says where nobody is known", async () => {
    await using scene = await AmqpScene.open();
    const raw = scene.raw();
    raw.write(protocolHeader());
    await raw.next();
    const { name, response } = saslAnonymous();
    raw.send(0, startOk(name, response));
    expect(await raw.next()).toBe("0 connection.tune");
  });

  test("when the application says so, which is told who asks", async () => {
    const asked: AuthenticateRequest[] = [];
    await using scene = await AmqpScene.open({
      auth: {
        authenticate: async (request) => {
          asked.push(request);
          await Promise.resolve();
          return { allow: true, principal: "somebody" };
        },
      },
    });
    await scene.client({ username: "x", password: "y" });
    expect(asked[0]).toMatchObject({ username: "x", protocol: "amqp091", certificateCommonName: "" });
    expect(asked[0]?.clientId).toMatch(/^amqp091:.*@1$/);
    expect(Buffer.from(asked[0]?.password ?? []).toString()).toBe("y");
  });
});

describe("a client is refused", () => {
  test("with 403 in RabbitMQ's words when its password is wrong", async () => {
    await using scene = await AmqpScene.open(USERS);
    const raw = scene.raw();
    await raw.start("ann", "wrong");
    expect(await raw.next()).toBe(REFUSED);
    raw.send(0, { method: "connection.close-ok" });
    expect(await raw.next()).toBe("end");
    expect(scene.broker.inspect().metrics).toMatchObject({ clientsRefused: 1, clientsAccepted: 0 });
  });

  test("without a word when it does not know of that", async () => {
    await using scene = await AmqpScene.open(USERS);
    const raw = scene.raw();
    await raw.start("ann", "wrong", {});
    expect(await raw.next()).toBe("end");
  });

  test("with what its client makes of it", async () => {
    await using scene = await AmqpScene.open(USERS);
    await expect(scene.client({ username: "bob", password: "secret" })).rejects.toMatchObject({
      code: "ERR_AUTH_FAILED",
      peer: { code: 403 },
    });
  });

  test.each<[string, string, Uint8Array, string]>([
    [
      "an unknown mechanism",
      "SCRAM",
      new Uint8Array(1),
      "503 COMMAND_INVALID - unknown authentication mechanism 'SCRAM'",
    ],
    ["EXTERNAL without a certificate", "EXTERNAL", new Uint8Array(0), "403 ACCESS_REFUSED - Login was refused"],
    ["a response in another form", "PLAIN", Uint8Array.of(1, 2), "403 ACCESS_REFUSED - Login was refused"],
    ["a table without a password", "AMQPLAIN", Uint8Array.of(1, 0x61, 0x56), "403 ACCESS_REFUSED - Login was refused"],
  ])("with %s", async (_, mechanism, response, text) => {
    await using scene = await AmqpScene.open(USERS);
    const raw = scene.raw();
    raw.write(protocolHeader());
    await raw.next();
    raw.send(0, startOk(mechanism, response));
    expect(await raw.next()).toContain(text);
  });

  test("when the application's own check fails", async () => {
    const auth = { authenticate: () => Promise.reject(new Error("down")) };
    await using scene = await AmqpScene.open({ auth });
    const raw = scene.raw();
    await raw.start();
    expect(await raw.next()).toBe(REFUSED);
    expect(scene.broker.inspect().metrics.hooksFailed).toBe(1);
  });
});

describe("virtual hosts", () => {
  test("that are not there are refused with 530", async () => {
    await using scene = await AmqpScene.open();
    await expect(scene.client({ vhost: "nowhere" })).rejects.toMatchObject({
      code: "ERR_CONNECT_REJECTED",
      peer: { code: 530, text: "NOT_ALLOWED - vhost nowhere not found" },
    });
  });

  test("have queues and exchanges of their own", async () => {
    await using scene = await AmqpScene.open({ virtualHosts: ["other"] });
    const [one, two] = [await scene.client(), await scene.client({ vhost: "other" })];
    const [here, there] = [await one.channel(), await two.channel()];
    await here.declareQueue("q");
    await there.declareQueue("q");
    await here.publish("", "q", "here");
    expect((await there.checkQueue("q")).messageCount).toBe(0);
    await there.publish("", "q", "there");
    const got = await there.get("q", { noAck: true });
    expect([got?.text(), got?.exchange, got?.routingKey]).toEqual(["there", "", "q"]);
    expect((await here.get("q"))?.text()).toBe("here");
  });
});

describe("an open connection", () => {
  test("takes a new secret where passwords are fixed, for it changes nothing", async () => {
    await using scene = await AmqpScene.open(USERS);
    const client = await scene.client({ username: "ann", password: "secret" });
    await client.updateSecret("another");
    expect(client.connected).toBe(true);
  });

  test("takes a new secret that the application lets in, and ends with one that it does not", async () => {
    const authenticate = ({ password }: AuthenticateRequest): AuthDecision =>
      Buffer.from(password ?? []).toString() === "wrong" ? { allow: false, reason: "badCredentials" } : { allow: true };
    await using scene = await AmqpScene.open({ auth: { authenticate } });
    const client = await scene.client({ username: "ann", password: "token-1" });
    await client.updateSecret("token-2");
    await expect(client.updateSecret("wrong")).rejects.toMatchObject({ code: "ERR_SERVER_DISCONNECT" });
    expect(client.connected).toBe(false);
  });

  test("whose client is silent for two heartbeats ends", async () => {
    const clock = new VirtualClock();
    await using scene = await AmqpScene.open({}, { platform: { ...nodePlatform(), clock } });
    const raw = scene.raw(clock);
    const opening = (async () => {
      await raw.start();
      await raw.next();
      raw.send(0, { method: "connection.tune-ok", channelMax: 1, frameMax: 4_096, heartbeat: 10 });
      raw.send(0, { method: "connection.open", virtualHost: "/" });
      return await raw.next();
    })();
    const opened = await moving(clock, opening, 1);
    const said = await moving(clock, raw.take(4), 5_000);
    await moving(clock, scene.broker.close(), 1_000);
    const beat = "heartbeat";
    expect([opened, said]).toEqual(["0 connection.open-ok", [beat, beat, beat, expect.stringContaining("close 320")]]);
  });

  test("is told when the broker stops", async () => {
    const scene = await AmqpScene.open();
    const raw = await scene.raw().open();
    const closing = scene.broker.close();
    expect(await raw.next()).toBe(
      "0 connection.close 320 CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
    );
    raw.send(0, { method: "connection.close-ok" });
    await closing;
    expect(await raw.next()).toBe("end");
  });

  test("opens no more channels than were agreed upon", async () => {
    await using scene = await AmqpScene.open({ amqp091: { channelMax: 2 } });
    const client = await scene.client();
    await client.channel();
    await client.channel();
    await expect(client.channel()).rejects.toMatchObject({ code: "ERR_CHANNEL_MAX" });
  });

  test("says of itself what it can", async () => {
    await using scene = await AmqpScene.open();
    const client = await scene.client();
    expect(client.serverProperties?.["capabilities"]).toEqual({
      publisher_confirms: true,
      exchange_exchange_bindings: true,
      "basic.nack": true,
      consumer_cancel_notify: true,
      "connection.blocked": true,
      consumer_priorities: true,
      authentication_failure_close: true,
      per_consumer_qos: true,
      direct_reply_to: true,
    });
  });
});
