/** The HTTP side of a broker, by a broker on a socket and `fetch`. */
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { Validator } from "@seriousme/openapi-schema-validator";
import { AmqpClient } from "polymq/amqp091";
import type { MqttMessage } from "polymq/mqtt";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Broker, startBroker } from "./broker.ts";
import { call, httpUrl } from "./http-caller.test-support.ts";
import { Got, Opened, publishAll, WAIT } from "./queue-clients.test-support.ts";
import { brokerSettings } from "./settings.ts";

const opened = new Opened();
const started = opened.broker.bind(opened);
const client = opened.client.bind(opened);

afterEach(() => opened.close());

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** A request as a browser makes it, which `fetch` in Node would not. */
function asPage(broker: Broker, headers: Readonly<Record<string, string>>): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${httpUrl(broker)}/api/v1/queues/q/purge`, { method: "POST", headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on("error", reject);
    request.end();
  });
}

describe("who is answered", () => {
  test("a token is made at every start, and nobody without it is told anything but health", async () => {
    const [one, two] = [await started(), await started()];
    expect(one.httpToken).toMatch(/^[\w-]{32}$/);
    expect(one.httpToken).not.toBe(two.httpToken);
    for (const authorization of [null, "Bearer wrong", `Bearer ${two.httpToken}`, "Basic YTpi", "nonsense"]) {
      const refused = await call(one, "GET", "/api/v1/queues", { authorization });
      expect([refused.status, refused.body.error.code]).toEqual([401, "UNAUTHORIZED"]);
      expect(refused.headers.get("www-authenticate")).toContain("Bearer");
      expect((await call(one, "GET", "/metrics", { authorization })).status).toBe(401);
    }
    expect((await call(one, "GET", "/health", { authorization: null })).body).toEqual({ status: "healthy" });
    expect((await call(one, "GET", "/api/v1/queues")).status).toBe(200);
  });

  test("a token can be given, or nobody be asked", async () => {
    const given = await started({ http: { token: "0123456789abcdef" } });
    expect(given.httpToken).toBe("0123456789abcdef");
    const open = await started({ http: { access: "open" } });
    expect(open.httpToken).toBe(null);
    expect((await call(open, "GET", "/api/v1/overview", { authorization: null })).status).toBe(200);
  });

  test("where nobody needs the token, publishing is allowed to whom any protocol allows it", async () => {
    const users = [{ username: "ann", password: "secret", publish: ["ann/#"] }];
    const broker = await started({ users, http: { access: "open" } });
    const publish = async (topic: string, authorization: string | null): Promise<number> =>
      (await call(broker, "POST", "/publish", { body: { topic }, authorization })).status;
    expect(await publish("ann/x", null)).toBe(403);
    expect(await publish("ann/x", `Basic ${base64("ann:secret")}`)).toBe(200);
    expect(await publish("bob/x", `Basic ${base64("ann:secret")}`)).toBe(403);
    const open = await started({ http: { access: "open" } });
    expect((await call(open, "POST", "/publish", { body: { topic: "t" }, authorization: null })).status).toBe(200);
  });

  test.each([
    ["another origin", { origin: "https://evil.example" }],
    ["a name that was made to lead here", { origin: "http://evil.example:1", host: "evil.example:1" }],
    ["no origin that it tells", { origin: "null" }],
  ])("a page of %s is refused, token or not", async (_, headers) => {
    const broker = await started({ queues: [{ name: "q" }], http: { access: "open" } });
    const { status, text } = await asPage(broker, headers);
    expect([status, text]).toEqual([403, expect.stringContaining("ORIGIN_REFUSED")]);
    expect((await asPage(broker, { origin: `http://127.0.0.1:${broker.port}` })).status).toBe(200);
  });

  test.each([
    ["a token that is too short", { token: "short" }, "http.token"],
    ["a token with spaces", { token: "0123456789 abcdef" }, "http.token"],
    ["a token nobody needs", { token: "0123456789abcdef", access: "open" }, "http.token"],
    ["an unknown field", { tokens: "x" }, "http.tokens"],
    ["a body that is too small", { bodyBytesMax: 1 }, "http.bodyBytesMax"],
  ])("%s is refused at the door", (_, http, field) => {
    expect(() => brokerSettings({ http: http as never })).toThrow(field);
  });

  test("without HTTP there is WebSocket alone", async () => {
    const broker = await started({ http: false });
    expect([broker.httpToken, httpUrl(broker)]).toEqual([null, ""]);
    expect((await fetch(`http://127.0.0.1:${broker.port}/health`)).status).toBe(404);
  });

  test("a port of its own serves nothing else, and a port can be without", async () => {
    const broker = await startBroker({
      listeners: [
        { port: 0, protocols: ["mqtt"] },
        { port: 0, protocols: ["http"], webSocket: false },
      ],
    });
    opened.push(() => broker.close());
    const [mqtt, http] = broker.addresses;
    expect(http?.urls).toEqual([`http://127.0.0.1:${http?.port}`]);
    expect((await fetch(`http://127.0.0.1:${mqtt?.port}/health`)).status).toBe(404);
    expect((await call(broker, "GET", "/ready", { authorization: null })).body.status).toBe("ready");
    const socket = connect(http?.port ?? 0, "127.0.0.1");
    const ended = new Promise((resolve) => socket.once("close", resolve));
    socket.write(Buffer.from("100c00044d5154540402003c0000", "hex"));
    await ended;
    expect(broker.inspect().metrics.connectionsUnrecognized).toBe(1);
  });

  test("a connection is kept for further requests, and every socket ends with the broker", async () => {
    const broker = await started();
    for (let i = 0; i < 5; i++) await call(broker, "GET", "/health");
    expect(broker.inspect().metrics.connectionsAccepted).toBeLessThan(5);
    await broker.close();
    await expect(fetch(`http://127.0.0.1:${broker.port}/health`)).rejects.toThrow();
  });
});

describe("bad requests", () => {
  test.each([
    ["GET", "/nowhere", undefined, 404, "NOT_FOUND"],
    ["GET", "/", undefined, 404, "NOT_FOUND"],
    ["PUT", "/api/v1/queues", { name: "q" }, 405, "METHOD_NOT_ALLOWED"],
    ["GET", "/api/v1/queues/%zz", undefined, 400, "INVALID_PATH"],
    ["GET", "/api/v1/queues?limit=0", undefined, 400, "INVALID_PARAMETER"],
    ["GET", "/api/v1/queues?limit=many", undefined, 400, "INVALID_PARAMETER"],
    ["GET", "/api/v1/sessions?state=odd", undefined, 400, "INVALID_PARAMETER"],
    ["GET", "/api/v1/queues/none", undefined, 404, "ERR_QUEUE_NOT_FOUND"],
    ["GET", "/api/v1/queues/none/messages", undefined, 404, "ERR_QUEUE_NOT_FOUND"],
    ["DELETE", "/api/v1/queues/none/groups/g", undefined, 404, "ERR_QUEUE_NOT_FOUND"],
    ["POST", "/api/v1/queues/none/purge", undefined, 404, "ERR_QUEUE_NOT_FOUND"],
    ["GET", "/api/v1/dead-letters/none", undefined, 404, "ERR_QUEUE_NOT_FOUND"],
    ["GET", "/api/v1/sessions/none", undefined, 404, "NOT_FOUND"],
    ["DELETE", "/api/v1/connections/none", undefined, 404, "NOT_FOUND"],
    ["POST", "/api/v1/queues", "{", 400, "INVALID_BODY"],
    ["POST", "/api/v1/queues", "[]", 400, "ERR_INVALID_OPTIONS"],
    ["POST", "/api/v1/queues", { name: "q", colour: "red" }, 400, "ERR_INVALID_OPTIONS"],
    ["POST", "/api/v1/queues", { name: "a/b" }, 400, "ERR_INVALID_OPTIONS"],
    ["POST", "/publish", { topic: "" }, 400, "ERR_INVALID_TOPIC"],
    ["POST", "/publish", { topic: "a/#" }, 400, "ERR_INVALID_TOPIC"],
    ["POST", "/publish", { topic: "a/".repeat(500) }, 400, "ERR_INVALID_TOPIC"],
    ["POST", "/publish", { topic: "$SYS/x" }, 403, "NOT_AUTHORIZED"],
    ["POST", "/publish", { topic: "$queue/q/$ack" }, 400, "ERR_INVALID_TOPIC"],
    ["POST", "/publish", { topic: "t", payload: "no base64" }, 400, "INVALID_BODY"],
    ["POST", "/api/v1/queues/q/move", {}, 400, "ERR_INVALID_OPTIONS"],
    ["POST", "/publish", { topic: "t", qos: 3 }, 400, "ERR_INVALID_OPTIONS"],
    ["POST", "/publish", { topic: "t", constructor: 1 }, 400, "ERR_INVALID_OPTIONS"],
  ])("%s %s with %j is answered with %i %s", async (method, path, body, status, code) => {
    const broker = await started();
    const answer = await call(broker, method, path, body === undefined ? {} : { body });
    expect([answer.status, answer.body.error.code]).toEqual([status, code]);
    expect(broker.inspect().metrics.internalErrors).toBe(0);
    expect((await call(broker, "GET", "/health")).status).toBe(200);
  });

  test("a body of another media type is refused, which a page of another origin could send unasked", async () => {
    const broker = await started();
    const headers = { "content-type": "text/plain" };
    const post = async (path: string, body: object, authorization: string | null): Promise<number> =>
      (await call(broker, "POST", path, { body, headers, authorization })).status;
    expect(await post("/publish", { topic: "t" }, null)).toBe(415);
    expect(await post("/api/v1/queues", { name: "q" }, `Bearer ${broker.httpToken}`)).toBe(415);
    const page = { ...headers, origin: `http://127.0.0.1:${broker.port}` };
    expect((await call(broker, "POST", "/publish", { body: { topic: "t" }, headers: page })).status).toBe(415);
  });

  test("who publishes with credentials need not say the media type, as with FluxMQ's bridge", async () => {
    const broker = await started();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await call(broker, "POST", "/publish", { body: { topic: "t" }, headers });
    expect([answer.status, answer.body]).toEqual([200, { status: "ok" }]);
    const named = { ...headers, "x-fluxmq-username": "ann" };
    const asFluxmq = { body: { topic: "t" }, headers: named, authorization: "Bearer secret" };
    expect((await call(broker, "POST", "/publish", asFluxmq)).status).toBe(200);
  });

  test("a body that is too large is refused, whether it says so or not", async () => {
    const broker = await started({ http: { bodyBytesMax: 1_024 } });
    const body = { topic: "t", payload: base64("x".repeat(2_000)) };
    expect((await call(broker, "POST", "/publish", { body })).status).toBe(413);
    const socket = connect(broker.port, "127.0.0.1");
    const said = new Promise<string>((resolve) => {
      let text = "";
      socket.on("data", (chunk) => (text += chunk.toString()));
      socket.on("error", () => undefined);
      socket.once("close", () => resolve(text));
    });
    socket.write(
      `POST /publish HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${broker.httpToken}\r\ncontent-type: application/json\r\n`,
    );
    socket.write(`transfer-encoding: chunked\r\n\r\n800\r\n${"x".repeat(0x800)}\r\n`);
    expect(await said).toMatch(/^HTTP\/1.1 413 .*BODY_TOO_LARGE/s);
  });
});

test("a caller who goes in the middle of a body is no mistake of the broker's", async () => {
  const broker = await started();
  const socket = connect(broker.port, "127.0.0.1");
  const token = broker.httpToken;
  socket.write(
    `POST /publish HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`,
  );
  await new Promise<void>((resolve) => {
    socket.write("content-length: 100\r\n\r\n{", () => resolve());
  });
  await call(broker, "GET", "/health");
  socket.destroy();
  await vi.waitFor(() => expect(broker.inspect().metrics.httpRequestsRefused).toBe(1), WAIT);
  expect(broker.inspect().metrics.internalErrors).toBe(0);
});

describe("POST /publish", () => {
  test("reaches subscribers, with and without a retained copy", async () => {
    const broker = await started();
    const listener = await client(broker);
    const got: string[] = [];
    await listener.subscribe("a/#", { handler: (message) => void got.push(`${message.topic} ${message.text()}`) });
    const body = { topic: "a/b", payload: base64("hello"), qos: 1, retain: true };
    expect((await call(broker, "POST", "/publish", { body })).body).toEqual({ status: "ok" });
    await vi.waitFor(() => expect(got).toEqual(["a/b hello"]), WAIT);
    expect(broker.inspect().retainedCount).toBe(1);
  });

  test("reaches queues, and says why one does not take it", async () => {
    const broker = await started({ queues: [{ name: "small", maxDepth: 1 }] });
    const body = { topic: "$queue/small/k", payload: base64("1") };
    expect((await call(broker, "POST", "/publish", { body })).status).toBe(200);
    const full = await call(broker, "POST", "/publish", { body });
    expect([full.status, full.body.error.code]).toEqual([507, "ERR_QUEUE_FULL"]);
    const worker = await client(broker);
    const got = new Got();
    await worker.subscribeToQueue("small", "g", got);
    expect(await got.texts(1)).toEqual(["1"]);
  });

  test("takes a client's own credentials, in either form, and what they allow", async () => {
    const users = [{ username: "ann", password: "secret:1", publish: ["ann/#"] }];
    const broker = await started({ users });
    const basic = `Basic ${base64("ann:secret:1")}`;
    const own = { body: { topic: "ann/x" }, authorization: basic };
    expect((await call(broker, "POST", "/publish", own)).status).toBe(200);
    const fluxmq = { ...own, authorization: "Bearer secret:1", headers: { "x-fluxmq-username": "ann" } };
    expect((await call(broker, "POST", "/publish", fluxmq)).status).toBe(200);
    const foreign = await call(broker, "POST", "/publish", { body: { topic: "bob/x" }, authorization: basic });
    expect([foreign.status, broker.inspect().metrics.messagesDenied]).toEqual([403, 1]);
    for (const authorization of [`Basic ${base64("ann:wrong")}`, `Basic ${base64("nobody:x")}`, null]) {
      const refused = await call(broker, "POST", "/publish", { body: { topic: "ann/x" }, authorization });
      expect(refused.status).toBe(401);
    }
    expect((await call(broker, "GET", "/api/v1/queues", { authorization: basic })).status).toBe(401);
  });

  test("takes FluxMQ's older form: any body, published to the path", async () => {
    const broker = await started({ queues: [{ name: "captured", topics: ["m/+/c/#"] }] });
    const listener = await client(broker);
    const got: unknown[] = [];
    const handler = (message: MqttMessage): void => {
      got.push([message.topic, [...message.payload], message.contentType, message.qos]);
    };
    await listener.subscribe("m/#", { qos: 2, handler });
    const headers = { "content-type": "application/octet-stream", authorization: `Bearer ${broker.httpToken}` };
    const url = `${httpUrl(broker)}/m/acme/c/temp/room%201?qos=1&retain=true`;
    const answer = await fetch(url, { method: "POST", headers, body: new Uint8Array([0, 255]) });
    expect([answer.status, await answer.json()]).toEqual([200, { status: "ok" }]);
    await vi.waitFor(
      () => expect(got).toEqual([["m/acme/c/temp/room 1", [0, 255], "application/octet-stream", 1]]),
      WAIT,
    );
    expect(broker.inspect().retainedCount).toBe(1);
  });

  test("in that form takes the domain for the user of a secret without a name, and says what is wrong", async () => {
    const users = [{ username: "acme", password: "secret", publish: ["m/acme/#"] }];
    const broker = await started({ users });
    const post = async (path: string, authorization: string | null): Promise<readonly [number, string | undefined]> => {
      const { status, body } = await call(broker, "POST", path, { authorization });
      return [status, body.status ?? body.error.code];
    };
    expect(await post("/m/acme/c/x", "Client secret")).toEqual([200, "ok"]);
    expect(await post("/m/acme/c/x", `Basic ${base64("acme:secret")}`)).toEqual([200, "ok"]);
    expect(await post("/m/other/c/x", "Client secret")).toEqual([401, "UNAUTHORIZED"]);
    expect(await post("/m/other/c/x", `Basic ${base64("acme:secret")}`)).toEqual([403, "NOT_AUTHORIZED"]);
    expect(await post("/m/acme/c/x", null)).toEqual([401, "UNAUTHORIZED"]);
    expect(await post("/m/acme/c/x?qos=3", "Client secret")).toEqual([400, "INVALID_PARAMETER"]);
    expect(await post("/m/acme/c/x?retain=perhaps", "Client secret")).toEqual([400, "INVALID_PARAMETER"]);
    expect(await post("/m/acme/c/%23", "Client secret")).toEqual([400, "ERR_INVALID_TOPIC"]);
    expect(await post("/m/acme/c", "Client secret")).toEqual([404, "NOT_FOUND"]);
    const body = { topic: "m/acme/c/x" };
    expect((await call(broker, "POST", "/publish", { body, authorization: "Client secret" })).status).toBe(200);
  });

  test("asks the application as any protocol does", async () => {
    const seen: unknown[] = [];
    const auth = {
      authenticate: (request: {
        readonly username: string | null;
        readonly protocol: string;
        readonly clientId: string;
      }) => {
        seen.push([request.username, request.protocol, request.clientId]);
        return { allow: true } as const;
      },
      authorizePublish: async (_: unknown, topic: string) => topic === "yes",
    };
    const broker = await started({ auth });
    const options = { authorization: `Basic ${base64("u:p")}`, headers: { "x-fluxmq-client-id": "bridge-1" } };
    expect((await call(broker, "POST", "/publish", { ...options, body: { topic: "yes" } })).status).toBe(200);
    expect((await call(broker, "POST", "/publish", { ...options, body: { topic: "no" } })).status).toBe(403);
    expect(seen).toContainEqual(["u", "http", "bridge-1"]);
  });
});

describe("queues", () => {
  test("are declared, listed in parts, looked into, moved, purged and deleted", async () => {
    const broker = await started();
    const body = { name: "b", maxDepth: 10 };
    expect((await call(broker, "POST", "/api/v1/queues", { body })).status).toBe(201);
    expect((await call(broker, "POST", "/api/v1/queues", { body })).status).toBe(200);
    const other = await call(broker, "POST", "/api/v1/queues", { body: { ...body, maxDepth: 11 } });
    expect([other.status, other.body.error.code]).toEqual([409, "ERR_QUEUE_EXISTS"]);
    for (const name of ["c", "a"]) await call(broker, "POST", "/api/v1/queues", { body: { name } });
    const first = (await call(broker, "GET", "/api/v1/queues?limit=2")).body;
    expect(first.items.map((queue) => queue.name)).toEqual(["a", "b"]);
    const next = (await call(broker, "GET", `/api/v1/queues?limit=2&page_token=${first.nextPageToken}`)).body;
    expect([next.items.length, next.items[0]?.name, next.nextPageToken]).toEqual([1, "c", null]);
    const from = await client(broker);
    await publishAll(from, "b/k", ["one", "two", "three"]);
    const peeked = (await call(broker, "GET", "/api/v1/queues/b/messages?from=1&limit=1&payload_max=2")).body.items;
    expect(peeked).toHaveLength(1);
    expect(peeked[0]).toMatchObject({
      offset: 1,
      routingKey: "k",
      payload: base64("tw"),
      payloadBytes: 3,
      protocol: "mqtt",
    });
    const moved = await call(broker, "POST", "/api/v1/queues/b/move?limit=2", { body: { to: "a" } });
    expect(moved.body).toEqual({ messages: 2 });
    expect((await call(broker, "POST", "/api/v1/queues/b/move", { body: { to: "none" } })).status).toBe(404);
    expect((await call(broker, "GET", "/api/v1/queues/a")).body).toMatchObject({ depth: 2, consumers: 0 });
    expect((await call(broker, "DELETE", "/api/v1/queues/b?if_empty=true")).status).toBe(409);
    expect((await call(broker, "POST", "/api/v1/queues/b/purge")).body).toEqual({ messages: 1 });
    expect((await call(broker, "DELETE", "/api/v1/queues/b?if_empty=true")).body).toEqual({ messages: 0 });
    expect((await call(broker, "GET", "/api/v1/queues/b")).status).toBe(404);
  });

  test("have groups, which can be deleted, whatever their names hold", async () => {
    const broker = await started({ queues: [{ name: "q" }] });
    const worker = await client(broker);
    await worker.subscribeToQueue("q", "workers", { filter: "eu/#", handler: () => undefined });
    await vi.waitFor(async () => {
      expect((await call(broker, "GET", "/api/v1/queues/q/groups")).body.items).toHaveLength(1);
    }, WAIT);
    const [group] = (await call(broker, "GET", "/api/v1/queues/q/groups")).body.items;
    expect(group).toMatchObject({ id: "workers@eu/#", mode: "work", depth: 0 });
    expect(
      (await call(broker, "DELETE", `/api/v1/queues/q/groups/${encodeURIComponent(group?.id ?? "")}`)).status,
    ).toBe(200);
    expect((await call(broker, "GET", "/api/v1/queues/q/groups")).body.items).toEqual([]);
  });
});

describe("dead letters", () => {
  test("are told with their reasons, replayed and purged", async () => {
    const broker = await started({ queues: [{ name: "q" }] });
    const worker = await client(broker);
    let rejects = true;
    const done: string[] = [];
    await worker.subscribeToQueue("q", "g", {
      handler: async (message) => {
        if (rejects) await message.reject("no good");
        else done.push(message.text());
      },
    });
    await publishAll(worker, "q", ["a", "b", "c"]);
    await vi.waitFor(async () => {
      expect((await call(broker, "GET", "/api/v1/dead-letters")).body.items).toMatchObject([
        { queue: "q", messages: 3 },
      ]);
    }, WAIT);
    const letters = (await call(broker, "GET", "/api/v1/dead-letters/q")).body.items;
    expect(letters[0]?.deadLetter).toMatchObject({
      reason: "rejected",
      queue: "q",
      offset: 0,
      detail: "no good",
      count: 1,
    });
    const byName = (await call(broker, "GET", "/api/v1/queues/%24dlq%2Fq")).body;
    expect(byName).toMatchObject({ name: "$dlq/q", depth: 3 });
    rejects = false;
    expect((await call(broker, "POST", "/api/v1/dead-letters/q/replay?limit=2")).body).toEqual({ messages: 2 });
    await vi.waitFor(() => expect(done).toEqual(["a", "b"]), WAIT);
    expect((await call(broker, "POST", "/api/v1/dead-letters/q/purge")).body).toEqual({ messages: 1 });
    expect((await call(broker, "GET", "/api/v1/dead-letters")).body.items).toEqual([]);
  });
});

describe("clients", () => {
  test("sessions, subscriptions and connections of every protocol are told, and can be ended", async () => {
    const broker = await started();
    const mqtt = await client(broker, { clientId: "m", sessionExpirySeconds: 60, reconnect: false });
    await mqtt.subscribe("a/+", { qos: 1, handler: () => undefined });
    const amqp = new AmqpClient({ servers: `amqp://127.0.0.1:${broker.port}`, reconnect: false });
    opened.push(() => amqp.destroy());
    await amqp.connect();
    await amqp.subscribe("x/#", () => undefined);
    const subscriptions = (await call(broker, "GET", "/api/v1/subscriptions")).body.items;
    expect(subscriptions).toContainEqual({ filter: "a/+", group: null, subscriber: "m", qos: 1 });
    expect(subscriptions.map((each) => each.filter)).toContain("x/#");
    const connections = (await call(broker, "GET", "/api/v1/connections")).body.items;
    expect(connections.map((each) => each.protocol)).toEqual(["amqp091", "mqtt"]);
    expect(connections[1]).toMatchObject({ id: "mqtt:m", protocolVersion: "5.0", transport: "tcp", secure: false });
    expect(broker.inspect().connections).toEqual(connections.toReversed());

    expect((await call(broker, "DELETE", `/api/v1/connections/${encodeURIComponent("mqtt:m")}`)).status).toBe(200);
    const away = async (): Promise<unknown> =>
      (await call(broker, "GET", "/api/v1/sessions?state=disconnected")).body.items;
    await vi.waitFor(async () => expect(await away()).toMatchObject([{ id: "m", state: "disconnected" }]), WAIT);
    expect((await call(broker, "DELETE", "/api/v1/sessions/m")).status).toBe(200);
    expect((await call(broker, "GET", "/api/v1/sessions/m")).status).toBe(404);
    expect(
      (await call(broker, "DELETE", `/api/v1/connections/${encodeURIComponent(connections[0]?.id ?? "")}`)).status,
    ).toBe(200);
    await vi.waitFor(() => expect(broker.inspect().connections).toEqual([]), WAIT);
  });
});

describe("what is counted", () => {
  test("stands in /metrics as Prometheus reads it, each name once", async () => {
    const broker = await started({ queues: [{ name: 'a"b\\c' }] });
    const from = await client(broker);
    await from.publish("t", "x", { qos: 1 });
    const answer = await call(broker, "GET", "/metrics");
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const lines: string[] = answer.text.trimEnd().split("\n");
    const types = lines.filter((line) => line.startsWith("# TYPE"));
    expect(new Set(types).size).toBe(types.length);
    const samples = lines.filter((line) => !line.startsWith("#"));
    for (const sample of samples)
      expect(sample).toMatch(/^[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? [\d.e+-]+$/);
    expect(samples).toContain("polymq_messages_in_total 1");
    expect(samples).toContain("polymq_clients_connected 1");
    expect(samples).toContain('polymq_queue_depth{queue="a\\"b\\\\c"} 0');
  });

  test("stands in the overview", async () => {
    const broker = await started();
    expect((await call(broker, "GET", "/api/v1/overview")).body).toMatchObject({
      server: "polymq",
      durability: "none",
      queues: 0,
    });
  });
});

describe("the OpenAPI document", () => {
  test("is valid, and open to everybody", async () => {
    const broker = await started();
    const { body, text } = await call(broker, "GET", "/api/v1/openapi.json", { authorization: null });
    const result = await new Validator().validate(JSON.parse(text) as Record<string, unknown>);
    expect(result).toMatchObject({ valid: true });
    expect(Object.keys(body.paths)).toContain("/api/v1/queues/{queue}/messages");
  });
});
