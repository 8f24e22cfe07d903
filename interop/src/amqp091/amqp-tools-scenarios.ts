import { deepStrictEqual as same } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AmqpClient, UnroutableError } from "polymq/amqp091";
import { runTool, type ToolResult } from "../harness/run-tool.ts";
import { type SpawnedTool, spawnTool } from "../harness/spawn-tool.ts";
import { makeTempDir } from "../harness/temp-dir.ts";
import { type DebianScenario, type DebianTarget, ownName, urlOf } from "./debian-target.ts";

/** amqp-get's exit code for a queue that is empty. */
const EMPTY = 2;

/** What amqp-declare-queue, amqp-publish, amqp-get, amqp-consume and amqp-delete-queue (librabbitmq) are made to do with a server. */
export const amqpToolsScenarios: readonly DebianScenario[] = [
  tools("a body goes in by standard input or by option, and comes out byte for byte", bodies),
  tools("a body of a megabyte comes whole", large),
  tools("each line is a message of its own", lines),
  tools("properties and headers arrive", properties),
  tools("an empty queue gives nothing, and says so by its exit code", empty),
  tools("a queue that is not there is 404", missing),
  tools("a server gives a queue its name", serverNamed),
  tools("a queue that is declared otherwise is 406", redeclared),
  tools("an exchange that is not there is 404", missingExchange),
  tools("a consumer takes as many messages as it was told and leaves the others", counted),
  tools("a consumer with a prefetch hands one message after the other to its program", prefetch),
  tools("a consumer without acknowledgements empties a queue", noAck),
  tools("a message whose program failed is there again", failedProgram),
  tools("a consumer that is killed gives back what it had", killed),
  tools("a queue of the consumer's own is bound to a topic exchange and gone with it", bound),
  tools("an exclusive queue by name is nobody else's", exclusive),
  tools("deleting says how many messages there were, and nothing of a queue that is gone", deleted),
  tools("deleting keeps a queue that is not empty, or in use, when told to", conditions),
  tools("the right password gets in by option and by file, and no other", login),
  tools("a virtual host that is not there is 530", virtualHost),
  tools("TLS under a private authority with a client's certificate", overTls),
];

/** A run of the tools against one server. */
class Stage {
  readonly target: DebianTarget;
  readonly queue: string = ownName("tools");

  constructor(target: DebianTarget) {
    this.target = target;
  }

  /** Runs `amqp-<tool>` to its end. */
  run(tool: string, args: readonly string[], stdin?: string | Uint8Array): Promise<ToolResult> {
    const options = { exit: "any", ...(stdin === undefined ? {} : { stdin }) } as const;
    return runTool(`amqp-${tool}`, ["-u", urlOf(this.target), ...args], options);
  }

  /** The same, where everything but success is a failure. */
  async done(tool: string, args: readonly string[], stdin?: string | Uint8Array): Promise<string> {
    const { code, stdout, stderr } = await this.run(tool, args, stdin);
    same([code, stderr], [0, ""], `amqp-${tool} ${args.join(" ")}`);
    return stdout;
  }

  /** The same, where the server has to refuse with this code. */
  async refused(replyCode: number, tool: string, args: readonly string[]): Promise<void> {
    const { code, stderr } = await this.run(tool, args);
    same([code, new RegExp(`error ${replyCode}, message: `).test(stderr)], [1, true], stderr);
  }

  declare(): Promise<string> {
    return this.done("declare-queue", ["-q", this.queue]);
  }

  async publish(...texts: readonly string[]): Promise<void> {
    for (const text of texts) await this.done("publish", ["-r", this.queue, "-b", text]);
  }

  get(): Promise<string> {
    return this.done("get", ["-q", this.queue]);
  }

  /** Starts amqp-consume, whose program runs once for each message and finds it on its standard input. */
  consumer(args: readonly string[], ...program: readonly string[]): Promise<SpawnedTool> {
    return spawnTool("amqp-consume", ["-u", urlOf(this.target), ...args, "--", ...program], { group: "own" });
  }

  /** Sends a message until a queue takes it, for a consumer says nothing when its queue is bound. */
  publishOnceBound(exchange: string, key: string, text: string): Promise<void> {
    return this.withClient(async (client) => {
      const channel = await client.channel();
      for (;;) {
        try {
          return await channel.publish(exchange, key, text, { mandatory: true });
        } catch (error) {
          if (!(error instanceof UnroutableError)) throw error;
        }
      }
    });
  }

  async withClient<R>(use: (client: AmqpClient) => Promise<R>): Promise<R> {
    const { host, port } = this.target;
    await using client = new AmqpClient({ servers: `amqp://${host}:${port}`, username: "guest", password: "guest" });
    await client.connect();
    return await use(client);
  }
}

function tools(what: string, body: (stage: Stage) => Promise<void>): DebianScenario {
  return {
    name: `amqp-tools: ${what}`,
    run: async (target) => {
      const stage = new Stage(target);
      await body(stage);
      await stage.run("delete-queue", ["-q", stage.queue]);
    },
  };
}

async function bodies(stage: Stage): Promise<void> {
  same(await stage.declare(), `${stage.queue}\n`);
  const bytes = randomBytes(5_000);
  await stage.done("publish", ["-r", stage.queue], bytes);
  await stage.done("publish", ["-r", stage.queue, "-b", "by option"]);
  await stage.done("publish", ["-r", stage.queue], "");
  const got = await stage.run("get", ["-q", stage.queue]);
  same(Buffer.compare(got.stdoutBytes, bytes), 0);
  same([await stage.get(), await stage.get()], ["by option", ""]);
}

async function large(stage: Stage): Promise<void> {
  await stage.declare();
  const bytes = randomBytes(1024 * 1024);
  await stage.done("publish", ["-r", stage.queue], bytes);
  const got = await stage.run("get", ["-q", stage.queue]);
  same(Buffer.compare(got.stdoutBytes, bytes), 0);
}

async function lines(stage: Stage): Promise<void> {
  await stage.declare();
  const sent = Array.from({ length: 50 }, (_, index) => `line ${index}\n`);
  await stage.done("publish", ["-r", stage.queue, "-l"], sent.join(""));
  same(await stage.done("consume", ["-q", stage.queue, "-c", "50", "cat"]), sent.join(""));
}

async function properties(stage: Stage): Promise<void> {
  await stage.declare();
  const words = ["-p", "-C", "text/x", "-E", "gzip", "-t", "answers", "-H", "colour: red", "-H", "size: 5"];
  await stage.done("publish", ["-r", stage.queue, ...words, "-b", "x"]);
  const message = await stage.withClient(async (client) => (await client.channel()).get(stage.queue, { noAck: true }));
  const { contentType, contentEncoding, replyTo, deliveryMode, headers } = message?.properties ?? {};
  same(
    [contentType, contentEncoding, replyTo, deliveryMode, { ...headers }],
    ["text/x", "gzip", "answers", 2, { colour: "red", size: "5" }],
  );
}

async function empty(stage: Stage): Promise<void> {
  await stage.declare();
  const { code, stdout, stderr } = await stage.run("get", ["-q", stage.queue]);
  same([code, stdout, stderr], [EMPTY, "", ""]);
}

async function missing(stage: Stage): Promise<void> {
  await stage.refused(404, "get", ["-q", stage.queue]);
  await stage.refused(404, "consume", ["-q", stage.queue, "cat"]);
}

async function serverNamed(stage: Stage): Promise<void> {
  const name = (await stage.done("declare-queue", ["-q", ""])).trim();
  same(name.startsWith("amq.gen-"), true, name);
  await stage.done("publish", ["-r", name, "-b", "x"]);
  same(await stage.done("get", ["-q", name]), "x");
  same(await stage.done("delete-queue", ["-q", name]), "0\n");
}

async function redeclared(stage: Stage): Promise<void> {
  await stage.done("declare-queue", ["-q", stage.queue, "-d"]);
  await stage.done("declare-queue", ["-q", stage.queue, "-d"]);
  await stage.refused(406, "declare-queue", ["-q", stage.queue]);
}

async function missingExchange(stage: Stage): Promise<void> {
  await stage.refused(404, "publish", ["-e", stage.queue, "-r", "x", "-b", "x"]);
}

async function counted(stage: Stage): Promise<void> {
  await stage.declare();
  await stage.publish("a\n", "b\n", "c\n");
  same(await stage.done("consume", ["-q", stage.queue, "-c", "2", "cat"]), "a\nb\n");
  same(await stage.get(), "c\n");
}

async function prefetch(stage: Stage): Promise<void> {
  await stage.declare();
  await stage.publish("a\n", "b\n", "c\n");
  const consumer = await stage.consumer(["-q", stage.queue, "-p", "1"], "sh", "-c", "cat; sleep 0.1");
  await consumer.waitForLine(/^c$/);
  same([...consumer.lines], ["a", "b", "c"]);
  await consumer.stop();
}

async function noAck(stage: Stage): Promise<void> {
  await stage.declare();
  await stage.publish("a\n", "b\n");
  const consumer = await stage.consumer(["-q", stage.queue, "-A"], "cat");
  await consumer.waitForLine(/^b$/);
  await consumer.stop({ signal: "SIGKILL" });
  await empty(stage);
}

/** amqp-consume acknowledges only what its program took with exit code 0. */
async function failedProgram(stage: Stage): Promise<void> {
  await stage.declare();
  await stage.publish("a");
  // It reads the message, for a pipe that nobody reads would end amqp-consume by a signal.
  await stage.done("consume", ["-q", stage.queue, "-c", "1", "--", "sh", "-c", "cat; exit 1"]);
  const again = await stage.withClient(async (client) => (await client.channel()).get(stage.queue, { noAck: true }));
  same([again?.text(), again?.redelivered], ["a", true]);
}

async function killed(stage: Stage): Promise<void> {
  await stage.declare();
  const consumer = await stage.consumer(["-q", stage.queue], "sh", "-c", "cat; echo; sleep 60");
  await stage.publish("a");
  await consumer.waitForLine(/^a$/);
  await consumer.stop({ signal: "SIGKILL" });
  same(await stage.done("consume", ["-q", stage.queue, "-c", "1", "cat"]), "a");
}

async function bound(stage: Stage): Promise<void> {
  const key = ownName("key");
  const consumer = await stage.consumer(["-e", "amq.topic", "-r", `${key}.#`], "sh", "-c", "cat; echo");
  const said = await consumer.waitForLine(/^Server provided queue name: /);
  const name = said.slice(said.indexOf(": ") + 2);
  await stage.publishOnceBound("amq.topic", `${key}.a.b`, "came");
  await consumer.waitForLine(/^came$/);
  await consumer.stop();
  await untilGone(stage, name);
}

/** Waits until the server has seen that the queue's last consumer is gone. */
async function untilGone(stage: Stage, queue: string): Promise<void> {
  for (;;) {
    const { code, stderr } = await stage.run("get", ["-q", queue]);
    if (code === EMPTY) continue;
    return same([code, stderr.includes("error 404, message: NOT_FOUND")], [1, true], stderr);
  }
}

async function exclusive(stage: Stage): Promise<void> {
  const args = ["-x", "-q", stage.queue, "-e", "amq.direct", "-r", stage.queue];
  const consumer = await stage.consumer(args, "sh", "-c", "cat; echo");
  await stage.publishOnceBound("amq.direct", stage.queue, "came");
  await consumer.waitForLine(/^came$/);
  await stage.refused(405, "declare-queue", ["-q", stage.queue]);
  await consumer.stop();
}

async function deleted(stage: Stage): Promise<void> {
  await stage.declare();
  await stage.publish("a", "b", "c");
  same(await stage.done("delete-queue", ["-q", stage.queue]), "3\n");
  same(await stage.done("delete-queue", ["-q", stage.queue]), "0\n");
}

async function conditions(stage: Stage): Promise<void> {
  await stage.declare();
  await stage.publish("a");
  await stage.refused(406, "delete-queue", ["-q", stage.queue, "-e"]);
  const consumer = await stage.consumer(["-q", stage.queue], "sh", "-c", "cat; echo");
  await consumer.waitForLine(/^a$/);
  await stage.refused(406, "delete-queue", ["-q", stage.queue, "--if-unused"]);
  await consumer.stop();
  same((await stage.run("delete-queue", ["-q", stage.queue, "-e"])).code, 0);
}

async function login(stage: Stage): Promise<void> {
  const { host, login: by } = stage.target;
  const server = ["-s", host, "--port", `${by.port}`, "--vhost", "/"];
  const run = (...more: readonly string[]): Promise<ToolResult> =>
    runTool("amqp-publish", [...server, ...more, "-r", "nobody", "-b", "x"], { exit: "any" });
  same((await run("--username", by.username, "--password", by.password, "--heartbeat", "5")).code, 0);
  const directory = await makeTempDir("authfile");
  try {
    const file = join(directory.path, "login");
    await writeFile(file, `username:${by.username}\npassword:${by.password}\n`);
    same((await run("--authfile", file)).code, 0);
  } finally {
    await directory.remove();
  }
  const wrong = await run("--username", by.username, "--password", "wrong");
  same(
    [wrong.code, wrong.stderr.includes("error 403, message: ACCESS_REFUSED - Login was refused")],
    [1, true],
    wrong.stderr,
  );
}

async function virtualHost(stage: Stage): Promise<void> {
  const { host, port } = stage.target;
  const url = `amqp://guest:guest@${host}:${port}/missing`;
  const refused = await runTool("amqp-publish", ["-u", url, "-r", "x", "-b", "x"], { exit: "any" });
  same([refused.code, refused.stderr.includes("error 530, message: NOT_ALLOWED")], [1, true], refused.stderr);
}

async function overTls(stage: Stage): Promise<void> {
  const { port, caFile, client } = stage.target.tls;
  const url = `amqps://guest:guest@localhost:${port}/%2F`;
  const args = ["-u", url, "--cacert", caFile, "--cert", client.certFile, "--key", client.keyFile];
  const run = (tool: string, more: readonly string[]): Promise<ToolResult> =>
    runTool(`amqp-${tool}`, [...args, ...more]);
  await run("declare-queue", ["-q", stage.queue]);
  await run("publish", ["-r", stage.queue, "-b", "x".repeat(100_000)]);
  same((await run("get", ["-q", stage.queue])).stdout, "x".repeat(100_000));
  const system = await runTool("amqp-get", ["-u", url, "-q", stage.queue], { exit: "any" });
  same(system.code, 1, "a server under an authority that the system does not know");
}
