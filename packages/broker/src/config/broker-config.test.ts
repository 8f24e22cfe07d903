import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isMessagingError } from "polymq/internal";
import { describe, expect, test } from "vitest";
import type { BrokerOptions } from "../options.ts";
import { brokerSettings } from "../settings.ts";
import { readBrokerConfig } from "./broker-config.ts";

const read = (text: string): Promise<BrokerOptions> => readBrokerConfig({ text, file: "b.yaml" });

async function errorOf(text: string): Promise<string> {
  try {
    await read(text);
  } catch (error) {
    return isMessagingError(error) ? `${error.code} ${error.message}` : String(error);
  }
  return "no error";
}

describe("a configuration file", () => {
  test("the guide's sample is read as it says, and a broker takes it", async () => {
    const guide = readFileSync(new URL("../../../../docs/guides/broker.md", import.meta.url), "utf8");
    const [, sample = ""] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];
    const options = await read(sample);
    expect(options).toMatchObject({
      listeners: [
        { host: "127.0.0.1", port: 1883, webSocket: false },
        { host: "0.0.0.0", port: 8083, webSocket: { paths: ["/mqtt"], origins: ["https://app.example.com"] } },
      ],
      connections: { countMax: 10_000 },
      dataDir: resolve("data"),
      durability: "fsync",
      mqtt: { maximumPacketSize: 1_114_112, maximumQoS: 2, maxInflight: 1_000 },
      sessions: { countMax: 10_000, queuedMessagesMax: 1_000, whenQueueFull: "dropOldest" },
      autoCreateQueues: "durable",
      drainTimeoutMs: 30_000,
    });
    const [orders, events, scratch] = brokerSettings(options).queues;
    expect(orders).toMatchObject({
      name: "orders",
      topics: ["shop/+/orders"],
      maxMessageBytes: 10_485_760,
      ttlMs: 604_800_000,
      deliveryLimit: 11,
      retry: { delayMs: 5_000, maxMs: 300_000, multiplier: 2 },
      deadLetter: { enabled: true, queue: "$dlq/orders" },
      priorityMax: 9,
      autoCommitIntervalMs: 5_000,
    });
    expect(events).toMatchObject({
      kind: "stream",
      primaryGroup: "billing",
      autoCommitIntervalMs: 1_000,
      retention: { ageMs: 2_592_000_000, bytes: 1_073_741_824, messages: 1_000_000 },
    });
    expect(scratch).toMatchObject({ lifetime: "ephemeral", expiresAfterMs: 300_000 });
  });

  test("an empty file says nothing", async () => {
    expect(brokerSettings(await read(""))).toEqual(brokerSettings({}));
  });

  test("a file of FluxMQ for one node is taken, cluster section and all", async () => {
    const options = await read(`
server: { mqtt: { tcp: { v3: { addr: ":1883", read_timeout: "60s" }, tls: {} } }, http: { plain: {} }, amqp091: { plain: { addr: ":5682" } } }
storage: { type: badger, badger_dir: /tmp/x }
cluster: { enabled: false, node_id: broker-1, raft: { peers: {} } }
log: { level: debug }
queues: [{ name: mqtt, topics: ["$queue/#"], reserved: true, dlq: { enabled: true } }]
`);
    expect(options.listeners?.map(({ port }) => port)).toEqual([1883, 5682]);
    expect(options.dataDir).toBe("/tmp/x");
    expect(brokerSettings(options).queues[0]?.topics).toEqual(["$queue/#"]);
  });

  test.each([
    ["queues:\n  - name: a\n    limts: {}", "b.yaml:3:5: queues[0].limts: is no known key; did you mean limits?"],
    ["quues: []", "b.yaml:1:1: quues: is no known key; did you mean queues?"],
    ["zzz: 1", "b.yaml:1:1: zzz: is no known key; known are auth, "],
    ["queues:\n  - topics: []", "b.yaml:2:5: queues[0]: name is required"],
    ["queues:\n  - name: a/b", "b.yaml:2:5: queues[0]: name: "],
    [
      "queues:\n  - name: a\n    limits:\n      message_ttl: 5 days",
      "b.yaml:4:7: queues[0].limits.message_ttl: must be a dur",
    ],
    ["queues:\n  - name: a\n    type: quorum", "b.yaml:3:5: queues[0].type: must be one of classic, "],
    ["queues:\n  - name: a\n    replication: { enabled: true }", "b.yaml:3:20: queues[0].replication.enabled: this"],
    ["queues:\n  - name: a\n    ack_durability: buffered", "b.yaml:3:5: queues[0].ack_durability: is the same"],
    ["queues: {}", "b.yaml:1:1: queues: must be a list"],
    ["queues:\n  - name: [a", "b.yaml:"],
    ["queues: []\nqueues: []", "b.yaml:2:1: Map keys must be unique"],
    ["server: &x {}\nbroker: *x", "b.yaml:2:1: broker: aliases are not supported"],
    ["cluster:\n  enabled: true", "b.yaml:2:3: cluster.enabled: this broker is a single node"],
    ["auth:\n  external:\n    url: http://x", "b.yaml:3:5: auth.external.url: access"],
    ["auth:\n  local_principals:\n    - name: x", "b.yaml:2:3: auth.local_principals: access"],
    ["hooks: { url: http://x }", "b.yaml:1:10: hooks.url: hooks"],
    ["ratelimit: { enabled: true }", "b.yaml:1:14: ratelimit.enabled: this"],
    ["server:\n  coap:\n    plain: { addr: :5683 }", "b.yaml:3:14: server.coap.plain.addr: this broker speaks no CoAP"],
    ["server:\n  mqtt: { tcp: { v5: { addr: nowhere } } }", "b.yaml:2:24: server.mqtt.tcp.v5.addr: must be an address"],
    ["server:\n  mqtt: { tcp: { tls: { addr: :8883 } } }", "b.yaml:2:25: server.mqtt.tcp.tls.addr: needs cert_file"],
    ["storage: { type: badger }", "b.yaml:1:12: storage.type: badger needs data_dir"],
    ["broker: { max_qos: 3 }", "b.yaml:1:11: broker.max_qos: must be 0, 1 or 2"],
    ["- a", "b.yaml:1:1: the file: must be a mapping"],
  ])("%j is refused with its place", async (text, error) => {
    expect(await errorOf(text)).toContain(`ERR_INVALID_OPTIONS ${error}`);
  });

  test("certificates are read from files beside it, and one that is missing is named", async () => {
    const directory = await mkdtemp(join(tmpdir(), "polymq-config-"));
    try {
      const path = join(directory, "broker.yaml");
      const listener = (key: string): string => `{ addr: ":8883", cert_file: c.pem, key_file: ${key}, ca_file: c.pem }`;
      await writeFile(path, `server: { mqtt: { tcp: { mtls: ${listener("k.pem")} } } }`);
      await writeFile(join(directory, "c.pem"), "certificate");
      await writeFile(join(directory, "k.pem"), "key");
      const { listeners } = await readBrokerConfig({ path });
      expect(listeners?.[0]?.tls).toEqual({
        cert: Buffer.from("certificate"),
        key: Buffer.from("key"),
        ca: Buffer.from("certificate"),
        clientCertificate: "require",
      });
      await writeFile(path, `server: { mqtt: { tcp: { tls: ${listener("no.pem")} } } }`);
      await expect(readBrokerConfig({ path })).rejects.toThrow(
        /:1:\d+: server\.mqtt\.tcp\.tls\.key_file: no\.pem cannot/,
      );
      await expect(readBrokerConfig({ path: join(directory, "no.yaml") })).rejects.toThrow(/no\.yaml: cannot be read/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
