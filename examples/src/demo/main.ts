/**
 * Sends flight records through a queue of the embedded broker while links are cut, workers and the broker itself are killed, and counts what
 * became of them: publishers, workers, undertaker and broker are processes of their own, and the ledger is kept here from what they say. Exits
 * with 1 when anything was lost.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Crew, type Member } from "./crew.ts";
import { PUBLISHERS, readFlights } from "./data-set.ts";
import { Ledger } from "./ledger.ts";
import { Links } from "./links.ts";
import {
  type BrokerPlan,
  type ChildMessage,
  type ClientPlan,
  type PublisherPlan,
  QUEUE,
  type WorkerPlan,
} from "./messages.ts";
import { type DemoOptions, demoOptions, USAGE } from "./options.ts";
import { allFaults, reportLines, type Totals } from "./report.ts";
import { Reporter } from "./reporter.ts";

/** Time without any progress after which the demo gives up. */
const STALLED_MS = 30_000;

const PROGRESS_MS = 100;

const PUBLISHER_LINKS = [
  { says: "MQTT 5.0", scheme: "mqtt", path: "", protocolVersion: 5 },
  { says: "MQTT 3.1.1", scheme: "mqtt", path: "", protocolVersion: 4 },
  { says: "MQTT 5.0 over WebSocket", scheme: "ws", path: "/mqtt", protocolVersion: 5 },
] as const;

/** All members of one group. */
const WORKER_LINKS = [
  { says: "MQTT", protocol: "mqtt", scheme: "mqtt", path: "" },
  { says: "MQTT over WebSocket", protocol: "mqtt", scheme: "ws", path: "/mqtt" },
  { says: "AMQP 0-9-1", protocol: "amqp091", scheme: "amqp", path: "" },
  { says: "AMQP 0-9-1 over WebSocket", protocol: "amqp091", scheme: "ws", path: "/amqp" },
  { says: "AMQP 1.0", protocol: "amqp10", scheme: "amqp", path: "" },
  { says: "AMQP 1.0 over WebSocket", protocol: "amqp10", scheme: "ws", path: "/amqp" },
] as const;

/** Of them, those that are killed. */
const VICTIMS = [0, 2, 4] as const;

/** Of them, the one that may be told to lose a message; it lives to the end, so that it does so once. */
const SABOTEUR = 1;

/** Shares of the records after which the victims and the broker are killed. */
const KILL_WORKERS_AT = [0.25, 0.35, 0.45] as const;
const KILL_BROKER_AT = 0.55;

class Demo {
  readonly #options: DemoOptions;
  readonly #reporter: Reporter;
  readonly #ledger: Ledger;
  readonly #dataDir: string;
  readonly #crew = new Crew((message, from) => this.#onMessage(message, from));
  readonly #kills: string[] = [];
  #broker: Member | null = null;
  #links: Links | null = null;
  #workers: Member[] = [];
  #reconnects = 0;
  #heardAtMs = performance.now();
  /** Kills so far; each resolves when what was killed is there again. */
  readonly #killings: Promise<void>[] = [];
  #watching: ReturnType<typeof setInterval> | undefined;
  /** Told when the broker says that no message is left. */
  #onEmpty: () => void = () => undefined;

  constructor(options: DemoOptions, reporter: Reporter, ledger: Ledger, dataDir: string) {
    this.#options = options;
    this.#reporter = reporter;
    this.#ledger = ledger;
    this.#dataDir = dataDir;
  }

  /** Runs all of it; resolves with what there is to report. */
  async run(): Promise<Totals> {
    const unlessFailed = <T>(work: Promise<T>): Promise<T> => this.#crew.unlessFailed(work);
    const port = await unlessFailed(this.#startBroker(0));
    const links = await Links.open(port);
    this.#links = links;
    this.#workers = WORKER_LINKS.map((_, i) => this.#startWorker(i, links.workers.port));
    const direct = { server: `mqtt://127.0.0.1:${port}`, protocolVersion: 5 } as const;
    const undertaker = this.#crew.start("undertaker-process", "undertaker", {
      name: "undertaker",
      ...direct,
    } satisfies ClientPlan);
    await unlessFailed(Promise.all([...this.#workers, undertaker].map((each) => each.said("ready"))));
    const publishers = PUBLISHER_LINKS.map((_, i) => this.#startPublisher(i, links.publishers.port));
    await unlessFailed(Promise.all(publishers.map((publisher) => publisher.said("ready"))));
    this.#introduce(port);

    const beganAtMs = performance.now();
    this.#watching = setInterval(() => this.#watch(links, port), PROGRESS_MS);
    for (const publisher of publishers) publisher.tell("begin");
    await unlessFailed(Promise.all(publishers.map((publisher) => publisher.said("finished"))));
    await unlessFailed(this.#whenEmpty());
    const elapsedMs = performance.now() - beganAtMs;
    clearInterval(this.#watching);
    this.#reporter.done();

    await unlessFailed(this.#stop([...this.#workers, undertaker]));
    if (this.#broker !== null) await unlessFailed(this.#stop([this.#broker]));
    const { cuts, broken } = links;
    await links.close();
    const { seconds, cuts: cutsWanted } = this.#options;
    const counts = { cuts, cutsWanted, broken, reconnects: this.#reconnects, kills: this.#kills };
    return { verdict: this.#ledger.verdict(), elapsedMs, paced: seconds > 0, ...counts };
  }

  /** Ends what is left, after an error. */
  async abandon(): Promise<void> {
    clearInterval(this.#watching);
    this.#reporter.done();
    this.#crew.kill();
    await this.#links?.close();
  }

  async #startBroker(port: number): Promise<number> {
    const plan = { port, dataDir: this.#dataDir } satisfies BrokerPlan;
    this.#broker = this.#crew.start("broker-process", "broker", plan);
    return (await this.#broker.said("listening")).port;
  }

  #startWorker(index: number, port: number): Member {
    const name = `worker-${index + 1}`;
    const sabotage = this.#options.sabotage && index === SABOTEUR;
    const { scheme, path, protocol } = WORKER_LINKS[index] ?? WORKER_LINKS[0];
    const plan = { name, sabotage, server: `${scheme}://127.0.0.1:${port}${path}`, protocol } satisfies WorkerPlan;
    return this.#crew.start("worker-process", name, plan);
  }

  #startPublisher(index: number, port: number): Member {
    const { records, seconds } = this.#options;
    const name = `publisher-${index + 1}`;
    const { scheme, path, protocolVersion } = PUBLISHER_LINKS[index] ?? PUBLISHER_LINKS[0];
    const server = `${scheme}://127.0.0.1:${port}${path}`;
    const plan = { name, publisher: index, records, seconds, server, protocolVersion } satisfies PublisherPlan;
    return this.#crew.start("publisher-process", name, plan);
  }

  #introduce(port: number): void {
    const { records, cuts } = this.#options;
    const say = (text: string): void => this.#reporter.line(text);
    say(`broker on port ${port}, on disk, synced before each confirmation`);
    say(`${PUBLISHERS} publishers: ${PUBLISHER_LINKS.map(({ says }) => says).join(", ")}`);
    say(
      `${WORKER_LINKS.length} workers in one consumer group of the queue ${QUEUE}: ${WORKER_LINKS.map(({ says }) => says).join(", ")}`,
    );
    say("one reader of its dead letters");
    say(
      `${records} flight records at QoS 1 and 2; links are cut ${cuts} times, three workers and the broker are killed`,
    );
  }

  async #stop(members: readonly Member[]): Promise<void> {
    for (const member of members) member.tell("stop");
    await Promise.all(members.map((member) => member.said("finished")));
  }

  /** When all publishes have settled and no queue holds a message, everything has come to its end. */
  async #whenEmpty(): Promise<void> {
    await Promise.all(this.#killings);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #onMessage(message: ChildMessage, from: Member): void {
    if (message.type !== "depth") this.#heardAtMs = performance.now();
    switch (message.type) {
      case "acknowledged":
        return this.#ledger.acknowledged(message.ids);
      case "refused":
        return this.#ledger.refused(message.id, message.code);
      case "delivered":
        return this.#ledger.saw(message.deliveries);
      case "held":
        return this.#ledger.held(from, message.holds);
      case "buried":
        return this.#ledger.buried(message.letters);
      case "depth":
        if (message.count === 0 && from === this.#broker) this.#onEmpty();
        return;
      case "finished":
        this.#reconnects += message.reconnects;
        return;
      default:
        return;
    }
  }

  /** Cuts and kills when it is time, by progress and not by the clock: they fall into the middle on slow and fast machines. */
  #watch(links: Links, port: number): void {
    const { records, cuts } = this.#options;
    const { published, ended, redelivered } = this.#ledger;
    const share = ended / records;
    if (links.cuts < cuts && share >= (links.cuts + 1) / (cuts + 1)) this.#reporter.line(links.cutNext());
    this.#killWhatIsDue(share, links, port);
    this.#reporter.progress(
      `${Math.floor(share * 100)} %  published ${published}  done ${ended}  redelivered ${redelivered}  cuts ${links.cuts}`,
    );
    if (performance.now() - this.#heardAtMs > STALLED_MS) {
      this.#crew.fail(new Error(`nothing has happened for ${STALLED_MS / 1_000} s`));
    }
  }

  #killWhatIsDue(share: number, links: Links, port: number): void {
    const count = this.#kills.length;
    const victim = VICTIMS[count];
    if (victim !== undefined) {
      const what = `a worker over ${WORKER_LINKS[victim].says}`;
      if (share >= (KILL_WORKERS_AT[count] ?? 1)) this.#kill(what, this.#replaceWorker(victim, links));
    } else if (count === VICTIMS.length && share >= KILL_BROKER_AT) this.#kill("the broker", this.#restartBroker(port));
  }

  #kill(what: string, replaced: Promise<void>): void {
    this.#kills.push(what);
    this.#killings.push(replaced);
    replaced.catch((error: unknown) => this.#crew.fail(error instanceof Error ? error : new Error(String(error))));
    this.#reporter.line(`${what} is killed (SIGKILL) and started again`);
  }

  async #replaceWorker(index: number, links: Links): Promise<void> {
    await this.#workers[index]?.slay();
    const worker = this.#startWorker(index, links.workers.port);
    this.#workers[index] = worker;
    await worker.said("ready");
  }

  async #restartBroker(port: number): Promise<void> {
    await this.#broker?.slay();
    await this.#startBroker(port);
  }
}

async function main(args: readonly string[]): Promise<number> {
  let options: DemoOptions;
  try {
    options = demoOptions(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const dataDir = await mkdtemp(join(tmpdir(), "polymq-demo-"));
  const ledger = new Ledger(await readFlights(options.records));
  const demo = new Demo(options, new Reporter(process.stdout), ledger, dataDir);
  try {
    const totals = await demo.run();
    process.stdout.write(reportLines(totals).join("\n"));
    return allFaults(totals).length === 0 ? 0 : 1;
  } catch (error) {
    await demo.abandon();
    process.stderr.write(`FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
