import { join } from "node:path";
import { runTool } from "../harness/run-tool.ts";
import { type DebianScenario, type DebianTarget, ownName, urlOf } from "./debian-target.ts";

const PYTHON = join(import.meta.dirname, "..", "peers", "python");
const TIMEOUT_MS = 60_000;

/** What pika is made to do with a server; the scenarios are in Python. */
export const pikaScenarios: readonly DebianScenario[] = [
  pika("round_trip", "every property and every type of header comes back as it was"),
  pika("sizes", "bodies of all sizes come whole, in frames of 4 KiB as well"),
  pika("confirms", "publishes are confirmed one by one, and one that no queue takes comes back with 312"),
  pika("nacked", "a queue that is full and refuses makes a publish fail"),
  pika("returned", "a mandatory message that no queue takes is told without confirms"),
  pika("settling", "acknowledged by multiple, given back in its place, rejected with x-death"),
  pika("prefetch", "a consumer has no more than its prefetch, and what a closed channel had comes again"),
  pika("generator", "leaving a loop over a consumer gives back what it had in hand"),
  pika("cancelled", "a consumer whose queue is deleted is told so"),
  pika("refusals", "what cannot be done closes its channel with the right code"),
  pika("connection_errors", "what is wrong with a whole connection ends it with the right code"),
  pika("exchanges", "messages find their queues through all kinds of exchanges"),
  pika("queues", "queues are named, counted, purged, kept by conditions and deleted"),
  pika("expiry", "a message past its time is a dead letter"),
  pika("transactions", "a transaction counts at its commit, and not at all after a rollback"),
  pika("recover", "basic.recover brings what is unsettled again"),
  pika("rpc", "a request over direct reply-to gets its answer"),
  pika("kinds_of_queues", "priorities, a single active consumer, a delivery limit, a stream"),
  pika("many_channels", "three hundred channels with a consumer each"),
  pika("threads", "acknowledgements from other threads"),
  pika("asynchronous", "SelectConnection publishes with confirms and consumes"),
  pika("heartbeats", "a connection with heartbeats that says nothing else lives on"),
  {
    name: "pika: the right password gets in, and no other, and no virtual host that is not there",
    run: ({ host, login }) =>
      script(
        "pika_scenarios.py",
        "login",
        `amqp://${host}:${login.port}/%2F`,
        login.username,
        login.password,
        "missing",
      ),
  },
  {
    name: "pika: EXTERNAL over TLS takes the user from the client's certificate",
    run: ({ tls }) => {
      const { certFile, keyFile } = tls.client;
      return script(
        "pika_scenarios.py",
        "external",
        `amqps://localhost:${tls.port}/%2F`,
        tls.caFile,
        certFile,
        keyFile,
      );
    },
  },
];

/** What kombu, over py-amqp, is made to do with a server. */
export const kombuScenarios: readonly DebianScenario[] = [
  kombu("simple", "what is put into a SimpleQueue comes in order, compressed or not"),
  kombu("kinds", "producers and consumers over exchanges of all kinds"),
  kombu("properties", "properties and headers of all of its types come back"),
  kombu("settling", "acknowledged, given back, rejected into a dead-letter exchange"),
  kombu("confirms", "publishes wait for their confirm, and are refused or come back"),
  kombu("arguments", "queues by its own words for their arguments"),
  kombu("prefetch", "a consumer that is gone gives back what it has not acknowledged"),
  kombu("cancelled", "a consumer whose queue is deleted is cancelled"),
  kombu("heartbeats", "a connection that looks after its heartbeats lives, and a silent one ends"),
  kombu("transactions", "a transaction counts at its commit"),
  kombu("pools", "producers of a pool, with retries"),
  kombu("mailbox", "a broadcast reaches every node, and their answers come back"),
  {
    name: "kombu: the right password gets in, and no other, and no virtual host that is not there",
    run: ({ host, login }) => {
      const { port, username, password } = login;
      const url = (secret: string): string => `amqp://${username}:${encodeURIComponent(secret)}@${host}:${port}/%2F`;
      return script("kombu_scenarios.py", "login", url(password), url("wrong"));
    },
  },
];

/** A publisher that is told that memory is short; the server at `port` must be. */
export async function pikaIsBlocked(target: Pick<DebianTarget, "host" | "port">): Promise<void> {
  await script("pika_scenarios.py", "blocked", `amqp://guest:guest@${target.host}:${target.port}/%2F`);
}

function pika(scenario: string, what: string): DebianScenario {
  return { name: `pika: ${what}`, run: (target) => script("pika_scenarios.py", scenario, urlOf(target)) };
}

function kombu(scenario: string, what: string): DebianScenario {
  return { name: `kombu: ${what}`, run: (target) => script("kombu_scenarios.py", scenario, urlOf(target)) };
}

async function script(file: string, scenario: string, url: string, ...more: readonly string[]): Promise<void> {
  await runTool("python3", [join(PYTHON, file), scenario, url, ownName(scenario), ...more], { timeoutMs: TIMEOUT_MS });
}
