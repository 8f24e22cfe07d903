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
      sessions: {
        countMax: 10_000,
        queuedMessagesMax: 1_000,
        heldBytesMax: 1_073_741_824,
        unsentBytesInAllMax: 268_435_456,
        whenQueueFull: "dropOldest",
      },
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
    ["queues:\n  - name: a/b", "b.yaml:2:11: queues[0].name: "],
    ["queues:\n  - name: a\n  - name: b\n  - name: a", "b.yaml:4:11: queues[2].name: a is there twice"],
    ["queues:\n  - name: a\n    limits:\n      max_depth: -1", "b.yaml:4:18: queues[0].limits.max_depth: must be a w"],
    ["queues:\n  - name: a\n    topics:\n      - b/#/c", "b.yaml:4:7: queues[0].topics: "],
    ["queues:\n  - name: a\n    topics:\n      - b\n      - 5", "b.yaml:5:9: queues[0].topics: must be a list of te"],
    ["queues:\n  - name: a\n    priority_max: 256", "b.yaml:3:19: queues[0].priority_max: must be a whole"],
    ["queues:\n  - name: a\n    retry:\n      max_retries: 1.5", "b.yaml:4:20: queues[0].retry.max_retries: must b"],
    ["queues:\n  - name: a\n    delivery_limit: -1", "b.yaml:3:21: queues[0].delivery_limit: must be a whole"],
    ["queues:\n  - name: a\n    retry: { multiplier: 101 }", "b.yaml:3:26: queues[0].retry.multiplier: must be a"],
    ["queues:\n  - name: a\n    dlq: { topic: a }", "b.yaml:3:19: queues[0].dlq.topic: is the queue itself"],
    ["queues:\n  - name: a\n    expires_after: 0", "b.yaml:3:20: queues[0].expires_after: must be a whole"],
    ["queues:\n  - name: a\n    replication: { factor: 3 }", "b.yaml:3:20: queues[0].replication.factor: is no known"],
    ["log:\n  levle: debug", "b.yaml:2:3: log.levle: is no known key; did you mean level?"],
    [
      "webhook:\n  endpoints:\n    - { url: http://x, retries: 3 }",
      "b.yaml:3:24: webhook.endpoints[0].retries: is no k",
    ],
    ["ratelimit: { message: { rte: 1 } }", "b.yaml:1:25: ratelimit.message.rte: is no known key"],
    ["cluster: { raft: { peer: {} } }", "b.yaml:1:20: cluster.raft.peer: is no known key; did you mean peers?"],
    ["hooks: { timeouts: 1s }", "b.yaml:1:10: hooks.timeouts: is no known key"],
    ["auth: { external: { urls: x } }", "b.yaml:1:21: auth.external.urls: is no known key"],
    ["server: { http: { plain: { adr: :80 } } }", "b.yaml:1:28: server.http.plain.adr: is no known key"],
    ["session:\n  max_sessions: 0", "b.yaml:2:17: session.max_sessions: must be a whole number from 1 to "],
    ["broker:\n  max_message_size: 1GiB", "b.yaml:2:21: broker.max_message_size: must be 1 to "],
    ["server:\n  shutdown_timeout: 999h", "b.yaml:2:21: server.shutdown_timeout: must be "],
    [
      "server: { mqtt: { tcp: { v5: { max_connections: 0 } } } }",
      "b.yaml:1:49: server.mqtt.tcp.v5.max_connections: mu",
    ],
    [
      "queues:\n  - name: a\n    limits:\n      message_ttl: 5 days",
      "b.yaml:4:20: queues[0].limits.message_ttl: must be a dur",
    ],
    ["queues:\n  - name: a\n    type: quorum", "b.yaml:3:11: queues[0].type: must be one of classic, "],
    ["queues:\n  - name: a\n    replication: { enabled: true }", "b.yaml:3:29: queues[0].replication.enabled: this"],
    ["queues:\n  - name: a\n    ack_durability: buffered", "b.yaml:3:21: queues[0].ack_durability: is the same"],
    ["queues: {}", "b.yaml:1:9: queues: must be a list"],
    ["queues:\n  - name: [a", "b.yaml:"],
    ["queues: []\nqueues: []", "b.yaml:2:1: Map keys must be unique"],
    ["server: &x {}\nbroker: *x", "b.yaml:2:9: broker: aliases are not supported"],
    ["cluster:\n  enabled: true", "b.yaml:2:12: cluster.enabled: this broker is a single node"],
    ["auth:\n  external:\n    url: http://x", "b.yaml:3:10: auth.external.url: access"],
    ["auth:\n  local_principals:\n    - name: x", "b.yaml:3:5: auth.local_principals: access"],
    ["hooks: { url: http://x }", "b.yaml:1:15: hooks.url: hooks"],
    ["ratelimit: { enabled: true }", "b.yaml:1:23: ratelimit.enabled: this"],
    ["server:\n  coap:\n    plain: { addr: :5683 }", "b.yaml:3:20: server.coap.plain.addr: this broker speaks no CoAP"],
    ["server:\n  mqtt: { tcp: { v5: { addr: nowhere } } }", "b.yaml:2:30: server.mqtt.tcp.v5.addr: must be an address"],
    ["server:\n  mqtt: { tcp: { tls: { addr: :8883 } } }", "b.yaml:2:31: server.mqtt.tcp.tls.addr: needs cert_file"],
    ["storage: { type: badger }", "b.yaml:1:18: storage.type: badger needs data_dir"],
    ["broker: { max_qos: 3 }", "b.yaml:1:20: broker.max_qos: must be 0, 1 or 2"],
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
