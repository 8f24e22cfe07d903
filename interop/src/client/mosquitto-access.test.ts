import { readFile } from "node:fs/promises";
import type { MqttClientOptions } from "polymq/mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Certificates, makeCertificates } from "../harness/make-certificates.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Mosquitto, startMosquitto } from "../harness/start-mosquitto.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";
import { Ear, numbered, Stage, type StageTarget } from "./stage.test-support.ts";

const LOGIN = { username: "ada", password: "correct horse" } as const;
const RECEIVE_MAXIMUM = 3;
const PACKET_BYTES_MAX = 10_000;
const KEEP_ALIVE_SECONDS_MAX = 30;

const tools = requireOrSkip("mosquitto", "mosquitto_passwd", "openssl");

describe.skipIf(tools.skip)(tools.title("what Mosquitto refuses"), { concurrent: true }, () => {
  let directory: TempDir;
  let certificates: Certificates;
  let guarded: Mosquitto;
  let limited: Mosquitto;

  beforeAll(async () => {
    directory = await makeTempDir("certificates");
    certificates = await makeCertificates(directory.path);
    guarded = await startMosquitto({
      tls: certificates,
      websocket: true,
      passwords: { [LOGIN.username]: LOGIN.password },
      acl: [`user ${LOGIN.username}`, "topic readwrite open/#", "topic write writable/#"],
    });
    limited = await startMosquitto({
      maxInflight: RECEIVE_MAXIMUM,
      maxPacketSize: PACKET_BYTES_MAX,
      maxKeepAliveSeconds: KEEP_ALIVE_SECONDS_MAX,
      maxQos: 1,
      maxTopicAlias: 0,
      retainAvailable: false,
    });
  });
  afterAll(async () => {
    await guarded?.stop();
    await limited?.stop();
    await directory?.remove();
  });

  const ways = {
    TCP: () => ({ servers: `mqtt://127.0.0.1:${guarded.port}` }),
    TLS: async () => ({
      servers: `mqtts://localhost:${guarded.tlsPort}`,
      tls: { ca: await readFile(certificates.caFile) },
    }),
    WebSocket: () => ({ servers: `ws://127.0.0.1:${guarded.wsPort}/mqtt` }),
  } satisfies Record<string, () => Partial<MqttClientOptions> | Promise<Partial<MqttClientOptions>>>;
  const onGuarded = (level: 4 | 5): StageTarget => ({ level, address: () => ({ ...ways.TCP(), ...LOGIN }) });
  const onLimited = (level: 4 | 5): StageTarget => ({
    level,
    address: () => ({ servers: `mqtt://127.0.0.1:${limited.port}` }),
  });

  describe.each([
    // Mosquitto says "not authorized" to all of them.
    { level: 4, version: "3.1.1", refusal: 5 },
    { level: 5, version: "5.0", refusal: 0x87 },
  ] as const)("$version", ({ level, refusal }) => {
    const rejected = { code: "ERR_CONNECT_REJECTED", scope: "connection", peer: { protocol: "mqtt", code: refusal } };

    test.each(Object.keys(ways) as (keyof typeof ways)[])(
      "a wrong password over %s is a typed error with the code",
      async (way) => {
        await using stage = new Stage(onGuarded(level));
        const address = await ways[way]();
        const right = await stage.connect({ ...address, credentials: () => LOGIN });
        expect(right.connected).toBe(true);
        for (const wrong of [
          { ...LOGIN, password: "wrong" },
          { username: "nobody", password: "x" },
        ]) {
          await expect(stage.connect({ ...address, ...wrong })).rejects.toMatchObject(rejected);
        }
      },
    );

    test("credentials in the URL let in as well", async () => {
      await using stage = new Stage({
        level,
        address: () => ({
          servers: `mqtt://${LOGIN.username}:${encodeURIComponent(LOGIN.password)}@127.0.0.1:${guarded.port}`,
        }),
      });
      expect((await stage.connect()).connected).toBe(true);
    });

    test("a server under another authority is not trusted", async () => {
      await using stage = new Stage(onGuarded(level));
      const ca = await readFile(certificates.untrustedCaFile);
      for (const servers of [`mqtts://localhost:${guarded.tlsPort}`, `wss://localhost:${guarded.wssPort}/mqtt`]) {
        await expect(stage.connect({ servers, tls: { ca } })).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
      }
    });

    test("a server under another name is not trusted", async () => {
      await using stage = new Stage(onGuarded(level));
      const tls = { ca: await readFile(certificates.caFile), serverName: "elsewhere.example" };
      const servers = `mqtts://localhost:${guarded.tlsPort}`;
      await expect(stage.connect({ servers, tls })).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
    });

    test("without a client certificate, or with a stranger's, nobody gets in where one is required", async () => {
      await using stage = new Stage(onGuarded(level));
      const servers = `mqtts://localhost:${guarded.mutualTlsPort}`;
      const ca = await readFile(certificates.caFile);
      const pair = async (of: { certFile: string; keyFile: string }) => ({
        cert: await readFile(of.certFile),
        key: await readFile(of.keyFile),
      });
      const stranger = await pair(certificates.untrustedClient);
      for (const tls of [{ ca }, { ca, ...stranger }]) {
        // With TLS 1.3 the refusal comes after the handshake: it may fail the dial or end the new connection.
        const code = expect.stringMatching(/^ERR_CONNECT_FAILED$|^ERR_CONNECTION_LOST$/);
        await expect(stage.connect({ servers, tls })).rejects.toMatchObject({ code, scope: "connection" });
      }
      const known = { ca, ...(await pair(certificates.client)) };
      expect((await stage.connect({ servers, tls: known })).connected).toBe(true);
    });

    test("a topic that the access list does not allow is not delivered", async () => {
      await using stage = new Stage(onGuarded(level));
      const client = await stage.connect();
      const ear = await Ear.of(client, "open/#", 1);
      const publish = client.publish(`closed/${stage.topic}`, "denied", { qos: 1 });
      // 3.1.1 has no word for it (§3.3.5): the message is acknowledged and goes nowhere.
      if (level === 4) await publish;
      else {
        await expect(publish).rejects.toMatchObject({
          code: "ERR_PUBLISH_REJECTED",
          scope: "message",
          peer: { code: 0x87 },
        });
      }
      await client.publish(`open/${stage.topic}`, "allowed", { qos: 1 });
      await ear.expect("allowed");
    });
  });

  test("QoS 2 that the access list does not allow is a typed error with the code of PUBREC", async () => {
    await using stage = new Stage(onGuarded(5));
    const client = await stage.connect();
    await expect(client.publish("closed/to/all", "denied", { qos: 2 })).rejects.toMatchObject({
      code: "ERR_PUBLISH_REJECTED",
      peer: { code: 0x87 },
    });
    await client.publish(`open/${stage.topic}`, "goes on", { qos: 2 });
  });

  test("the limits of CONNACK are told", async () => {
    await using stage = new Stage(onLimited(5));
    const client = await stage.connect({ keepAliveSeconds: 600 });
    expect(client.serverCapabilities).toMatchObject({
      receiveMaximum: RECEIVE_MAXIMUM,
      maximumPacketSize: PACKET_BYTES_MAX,
      maximumQoS: 1,
      retainAvailable: false,
      topicAliasMaximum: 0,
      keepAliveSeconds: KEEP_ALIVE_SECONDS_MAX,
      wildcardSubscriptionAvailable: true,
      sharedSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: true,
    });
  });

  test("what is beyond the server's limits is refused before it is sent, and the connection goes on", async () => {
    await using stage = new Stage(onLimited(5));
    const client = await stage.connect();
    const notSupported = { code: "ERR_NOT_SUPPORTED_BY_SERVER" };
    await expect(client.publish(stage.topic, "x", { qos: 2 })).rejects.toMatchObject(notSupported);
    await expect(client.publish(stage.topic, "x", { retain: true })).rejects.toMatchObject(notSupported);
    const large = new Uint8Array(PACKET_BYTES_MAX);
    await expect(client.publish(stage.topic, large)).rejects.toMatchObject({ code: "ERR_PACKET_TOO_LARGE" });
    const ear = await Ear.of(client, stage.topic, 1);
    await client.publish(stage.topic, large.subarray(0, PACKET_BYTES_MAX - 100), { qos: 1 });
    expect((await ear.next()).payload.length).toBe(PACKET_BYTES_MAX - 100);
  });

  test("the server's receive maximum is kept to with many messages at once (§4.9)", async () => {
    await using stage = new Stage(onLimited(5));
    const client = await stage.connect();
    const ear = await Ear.of(client, stage.topic, 1);
    const texts = numbered("many", 300);
    await Promise.all(texts.map((text) => client.publish(stage.topic, text, { qos: 1 })));
    expect(await ear.texts(texts.length)).toEqual(texts);
    expect(client.connected).toBe(true);
  });

  test("a full window refuses when told to, up to the server's receive maximum", async () => {
    await using stage = new Stage(onLimited(5));
    const client = await stage.connect({ whenInflightFull: "reject" });
    const outcomes = await Promise.allSettled(
      numbered("many", RECEIVE_MAXIMUM + 2).map((text) => client.publish(stage.topic, text, { qos: 1 })),
    );
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      ...Array.from({ length: RECEIVE_MAXIMUM }, () => "fulfilled"),
      "rejected",
      "rejected",
    ]);
    expect(outcomes.at(-1)).toMatchObject({ reason: { code: "ERR_MAX_INFLIGHT" } });
  });

  test("a 3.1.1 client that sends too much is cut off, and its publish ends in a typed error", async () => {
    await using stage = new Stage(onLimited(4));
    const client = await stage.connect({ reconnect: false });
    await expect(client.publish(stage.topic, new Uint8Array(2 * PACKET_BYTES_MAX), { qos: 1 })).rejects.toMatchObject({
      scope: "connection",
    });
    expect(client.connected).toBe(false);
  });
});
