import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * What a program does with the installed packages, in a few steps: every protocol over every transport against the embedded broker. Runs under Node, Bun and Deno, so it uses
 * nothing that one of them lacks. The modules come from the caller, who loads them by `import` or by `require`.
 */

const LIMIT_MS = 30_000;
const TEXTS = ["a", "ü", "x".repeat(200_000)];
const LOGIN = { username: "ada", password: "correct horse" };

/**
 * Runs all steps and prints one line for each.
 * @param {Record<"polymq" | "mqtt" | "amqp091" | "amqp10" | "testing" | "broker", any>} modules
 * @returns {Promise<number>} how many failed
 */
export async function runSteps(modules) {
  const { startBroker } = modules.broker;
  const { serverCert: cert, serverKey: key } = modules.testing.testCertificates;
  const broker = await startBroker({ listeners: [{ port: 0 }, { port: 0, tls: { cert, key } }] });
  const [plain, secure] = broker.addresses.map(({ port }) => `localhost:${port}`);
  let failed = 0;
  for (const [name, run] of Object.entries(steps(modules, plain, secure))) if (!(await passes(name, run))) failed++;
  if (!(await passes("the broker stops", () => broker.close()))) failed++;
  return failed;
}

function steps(modules, plain, secure) {
  const { ca } = modules.testing.testCertificates;
  const over = (exchange, ...rest) => ({
    TCP: (scheme) => exchange(`${scheme}://${plain}`, ...rest),
    TLS: (scheme) => exchange(`${scheme}s://${secure}`, ...rest),
    WebSocket: (_, path) => exchange(`ws://${plain}${path}`, ...rest),
    "WebSocket and TLS": (_, path) => exchange(`wss://${secure}${path}`, ...rest),
  });
  const all = (protocol, ways, scheme, path) =>
    Object.entries(ways).map(([way, run]) => [`${protocol} over ${way}`, () => run(scheme, path)]);
  return Object.fromEntries([
    ...all("MQTT 3.1.1", over(mqttExchange, modules.mqtt, ca, 4), "mqtt", "/mqtt"),
    ...all("MQTT 5.0", over(mqttExchange, modules.mqtt, ca, 5), "mqtt", "/mqtt"),
    ...all("AMQP 0-9-1", over(amqp091Exchange, modules.amqp091, ca), "amqp", "/amqp"),
    ...all("AMQP 1.0", over(amqp10Exchange, modules.amqp10, ca), "amqp", "/amqp"),
    ["a queue from MQTT to both AMQPs", () => acrossProtocols(modules.polymq, plain)],
    ["a connection that is cut comes back", () => cutConnection(modules, plain)],
    ["a queue on disk outlives its broker", () => onDisk(modules)],
    ["users with hashed passwords, and SCRAM", () => passwords(modules)],
    ["HTTP", () => http(plain)],
  ]);
}

async function mqttExchange(servers, { MqttClient }, ca, protocolVersion) {
  const client = new MqttClient({ servers, clientId: crypto.randomUUID(), protocolVersion, tls: { ca } });
  await client.connect();
  for (const qos of [0, 1, 2]) {
    const topic = `smoke/${crypto.randomUUID()}`;
    const subscription = await client.subscribe(topic, { qos });
    await Promise.all(TEXTS.map((text) => client.publish(topic, text, { qos })));
    equal(await taken(subscription, (message) => message.text()), TEXTS);
  }
  await client.close();
}

async function amqp091Exchange(servers, { AmqpClient }, ca) {
  const client = new AmqpClient({ servers, tls: { ca } });
  await client.connect();
  const channel = await client.channel();
  const { queue } = await channel.declareQueue("", { exclusive: true });
  await Promise.all(TEXTS.map((text) => channel.publish("", queue, text)));
  const consumer = await channel.consume(queue);
  equal(
    await taken(consumer, (message) => {
      message.ack();
      return message.text();
    }),
    TEXTS,
  );
  await client.close();
}

async function amqp10Exchange(url, { connect }, ca) {
  const connection = await connect(url, { tls: { ca } });
  const session = await connection.createSession();
  const address = `$queue/smoke-${crypto.randomUUID()}`;
  const receiver = await session.createReceiver(address);
  const sender = await session.createSender(address);
  const outcomes = await Promise.all(TEXTS.map((text) => sender.send(text)));
  equal(
    outcomes.map((outcome) => outcome.type),
    TEXTS.map(() => "accepted"),
  );
  equal(
    await taken(receiver, async (delivery) => {
      await delivery.accept();
      return delivery.message.body.value;
    }),
    TEXTS,
  );
  await connection.close();
}

async function acrossProtocols({ connect }, plain) {
  const clients = await Promise.all(["mqtt", "amqp", "amqp10"].map((scheme) => connect(`${scheme}://${plain}`)));
  const [publisher, ...consumers] = clients;
  const received = consumers.map(
    (client, index) =>
      new Promise((resolve, reject) => {
        const handler = (message) => resolve(message.text());
        client
          .queue("smoke-all")
          .consume({ group: `group-${index}`, handler })
          .catch(reject);
      }),
  );
  await publisher.queue("smoke-all").publish("to everybody");
  equal(
    await Promise.all(received),
    consumers.map(() => "to everybody"),
  );
  await Promise.all(clients.map((client) => client.close()));
}

async function cutConnection({ mqtt: { MqttClient }, testing: { faultProxy } }, plain) {
  const proxy = await faultProxy({ target: { host: "127.0.0.1", port: Number(plain.split(":")[1]) } });
  const reconnect = { initialDelayMs: 10, maxDelayMs: 100 };
  const client = new MqttClient({ servers: `mqtt://127.0.0.1:${proxy.port}`, clientId: "cut", reconnect });
  await client.connect();
  const subscription = await client.subscribe("smoke/cut", { qos: 1 });
  proxy.cut("rst");
  for (const text of TEXTS) await client.publish("smoke/cut", text, { qos: 1 });
  equal(await taken(subscription, (message) => message.text()), TEXTS);
  await client.close();
  await proxy.close();
}

async function onDisk({ broker: { startBroker }, polymq: { connect } }) {
  const dataDir = mkdtempSync(join(tmpdir(), "polymq-smoke-"));
  const first = await startBroker({ port: 0, dataDir });
  const publisher = await connect(first.url);
  await publisher.queue("kept").publish("still here");
  await publisher.close();
  await first.close();
  const second = await startBroker({ port: 0, dataDir });
  const consumer = await connect(second.url);
  const message = new Promise((resolve) => consumer.queue("kept").consume({ group: "g", handler: resolve }));
  equal((await message).text(), "still here");
  await consumer.close();
  await second.close();
  rmSync(dataDir, { recursive: true, force: true });
}

async function passwords({ broker: { startBroker, hashPassword }, mqtt, amqp10 }) {
  const hashed = await startBroker({
    port: 0,
    users: [{ username: LOGIN.username, passwordHash: await hashPassword(LOGIN.password) }],
  });
  const right = new mqtt.MqttClient({ servers: hashed.url, clientId: "right", ...LOGIN });
  await right.connect();
  await right.close();
  const wrong = new mqtt.MqttClient({ servers: hashed.url, clientId: "wrong", ...LOGIN, password: "wrong" });
  equal(await codeOf(wrong.connect()), "ERR_CONNECT_REJECTED");
  await wrong.destroy();
  await hashed.close();
  const readable = await startBroker({ port: 0, users: [LOGIN] });
  const url = `amqp://127.0.0.1:${readable.port}`;
  for (const hash of ["SHA-1", "SHA-256", "SHA-512"]) {
    const sasl = (password) => amqp10.saslScram(hash, LOGIN.username, password);
    await (await amqp10.connect(url, { sasl: sasl(LOGIN.password) })).close();
    equal(await codeOf(amqp10.connect(url, { sasl: sasl("wrong") })), "ERR_AUTH_FAILED");
  }
  await readable.close();
}

async function http(plain) {
  const response = await fetch(`http://${plain}/health`);
  equal(response.status, 200);
  await response.text();
}

async function taken(iterable, read) {
  const values = [];
  for await (const item of iterable) {
    values.push(await read(item));
    if (values.length === TEXTS.length) break;
  }
  return values;
}

function codeOf(promise) {
  return promise.then(
    () => "no error",
    (error) => error.code,
  );
}

async function passes(name, run) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  try {
    await Promise.race([run(), late]);
    process.stdout.write(`ok   ${name}\n`);
    return true;
  } catch (error) {
    process.stdout.write(`FAIL ${name}: ${error?.stack ?? error}\n`);
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function equal(actual, expected) {
  const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== wanted) throw new Error(`${is?.slice(0, 200)} is not ${wanted.slice(0, 200)}`);
}
