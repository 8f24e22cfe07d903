import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Broker, startBroker } from "@polymq/broker";
import { connect, type SaslExchange, type SaslMechanism } from "polymq/amqp10";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binaryPath } from "../harness/find-binary.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { runTool } from "../harness/run-tool.ts";

const PYTHON = join(import.meta.dirname, "..", "peers", "python");
const LOGIN = { username: "ada", password: "love,lace=" };

/** Qpid Proton as a client; the scenarios are in Python. */
const SCENARIOS = {
  round_trip: "a message with every type comes back as it was",
  order: "messages of many sizes come in order",
  large: "ten megabytes come whole through frames of 4 KiB",
  outcomes: "what is released comes again, modified counts, and rejected is a dead letter",
  selector: "a selector brings what matches, and one that cannot be read is refused",
  dynamic: "a dynamic node can be sent to",
  transaction_commit: "what is sent in a transaction is there once it is committed",
  transaction_abort: "what is sent in a transaction that is rolled back is not there",
} as const;

const proton = requireOrSkip("python:proton");

describe.skipIf(proton.skip)(proton.title("Qpid Proton (Python) against the polymq broker"), () => {
  let broker: Broker;
  let guarded: Broker;

  beforeAll(async () => {
    broker = await startBroker({ port: 0 });
    guarded = await startBroker({ port: 0, users: [LOGIN] });
  });

  afterAll(async () => {
    await broker?.close();
    await guarded?.close();
  });

  const run = (scenario: string, port: number, ...more: string[]): Promise<unknown> =>
    runTool(
      "python3",
      [join(PYTHON, "proton_scenarios.py"), scenario, `amqp://127.0.0.1:${port}`, `$queue/${scenario}`, ...more],
      { timeoutMs: 60_000 },
    );

  for (const [scenario, what] of Object.entries(SCENARIOS)) {
    test(what, async () => {
      await run(scenario, broker.port);
    });
  }

  test("the right password gets in, and no other", async () => {
    await run("login", guarded.port, LOGIN.username, LOGIN.password);
  });
});

/** SCRAM by Cyrus SASL's client, in a process of its own; what it says at the end is `verdict`. */
class CyrusScram implements SaslMechanism {
  readonly name: string;
  readonly exposesSecret = false;
  readonly #password: string;
  verdict = "";

  constructor(name: string, password: string) {
    this.name = name;
    this.#password = password;
  }

  async begin(): Promise<SaslExchange> {
    const script = join(PYTHON, "cyrus_client.py");
    const child = spawn(binaryPath("python3"), [script, this.name, LOGIN.username, this.#password], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => (await lines.next()).value ?? "";
    const ask = (challenge: Uint8Array): Promise<string> => {
      child.stdin.write(`${Buffer.from(challenge).toString("base64")}\n`);
      return next();
    };
    return {
      initialResponse: Buffer.from(await next(), "base64"),
      respond: async (challenge) => Buffer.from(await ask(challenge), "base64"),
      verify: (proof) => {
        void ask(proof ?? new Uint8Array(0)).then((said) => {
          this.verdict = said;
          child.stdin.end();
        });
      },
    };
  }
}

describe.skipIf(proton.skip)(proton.title("SCRAM with Cyrus SASL"), () => {
  let broker: Broker;

  beforeAll(async () => {
    broker = await startBroker({ port: 0, users: [LOGIN] });
  });

  afterAll(async () => {
    await broker?.close();
  });

  for (const name of ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
    test(`${name}: Cyrus proves the password to the broker, and takes the broker's proof`, async () => {
      const sasl = new CyrusScram(name, LOGIN.password);
      const connection = await connect(`amqp://127.0.0.1:${broker.port}`, { sasl });
      await expect.poll(() => sasl.verdict).toBe("ok");
      await connection.close();
    });

    test(`${name}: with another password the broker does not let it in`, async () => {
      const refused = connect(`amqp://127.0.0.1:${broker.port}`, { sasl: new CyrusScram(name, "wrong") });
      await expect(refused).rejects.toMatchObject({ code: "ERR_AUTH_FAILED" });
    });
  }
});
