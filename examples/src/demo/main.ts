/**
 * Replays flight records through the embedded broker while links are cut, and counts what became of them: publishers, workers and broker
 * are processes of their own, and the ledger is kept here from what publishers and workers say. Exits with 1 when anything was lost.
 */
import { MqttClient } from "polymq/mqtt";
import { Crew, type Member } from "./crew.ts";
import { PUBLISHERS, readFlights } from "./data-set.ts";
import { Ledger } from "./ledger.ts";
import { Links } from "./links.ts";
import { type ChildMessage, endTopic, type PublisherPlan, type WorkerPlan } from "./messages.ts";
import { type DemoOptions, demoOptions, USAGE } from "./options.ts";
import { allFaults, reportLines, type Totals } from "./report.ts";
import { Reporter } from "./reporter.ts";

/** Time without any progress after which the demo gives up. */
const STALLED_MS = 30_000;

const PROGRESS_MS = 100;

const PROTOCOLS = [
  { says: "MQTT 5.0", scheme: "mqtt", path: "", protocolVersion: 5 },
  { says: "MQTT 3.1.1", scheme: "mqtt", path: "", protocolVersion: 4 },
  { says: "MQTT 5.0 over WebSocket", scheme: "ws", path: "/mqtt", protocolVersion: 5 },
] as const;

class Demo {
  readonly #options: DemoOptions;
  readonly #reporter: Reporter;
  readonly #ledger: Ledger;
  readonly #crew = new Crew((message) => this.#onMessage(message));
  #links: Links | null = null;
  #reconnects = 0;
  #heardAtMs = performance.now();

  constructor(options: DemoOptions, reporter: Reporter, ledger: Ledger) {
    this.#options = options;
    this.#reporter = reporter;
    this.#ledger = ledger;
  }

  /** Runs all of it; resolves with what there is to report. */
  async run(): Promise<Totals> {
    const unlessFailed = <T>(work: Promise<T>): Promise<T> => this.#crew.unlessFailed(work);
    const broker = this.#crew.start("broker-process", "broker", {});
    const { port } = await unlessFailed(broker.said("listening"));
    const links = await Links.open(port);
    this.#links = links;
    const workers = PROTOCOLS.map((_, i) => this.#startWorker(i, links.workers.port));
    await unlessFailed(Promise.all(workers.map((worker) => worker.said("ready"))));
    const publishers = PROTOCOLS.map((_, i) => this.#startPublisher(i, links.publishers.port));
    await unlessFailed(Promise.all(publishers.map((publisher) => publisher.said("ready"))));
    this.#introduce(port);

    const beganAtMs = performance.now();
    const watch = setInterval(() => this.#watch(links), PROGRESS_MS);
    for (const publisher of publishers) publisher.tell("begin");
    await unlessFailed(Promise.all(publishers.map((publisher) => publisher.said("finished"))));
    await unlessFailed(this.#tellTheEnd(port, workers));
    const elapsedMs = performance.now() - beganAtMs;
    clearInterval(watch);
    this.#reporter.done();

    broker.tell("stop");
    const { count: dropped } = await unlessFailed(broker.said("dropped"));
    const { cuts, broken } = links;
    await links.close();
    const { seconds, cuts: cutsWanted } = this.#options;
    const paced = seconds > 0;
    const reconnects = this.#reconnects;
    return { verdict: this.#ledger.verdict(), elapsedMs, paced, cuts, cutsWanted, broken, reconnects, dropped };
  }

  /** Ends what is left, after an error. */
  async abandon(): Promise<void> {
    this.#reporter.done();
    this.#crew.kill();
    await this.#links?.close();
  }

  #startWorker(index: number, port: number): Member {
    const name = `worker-${index + 1}`;
    const sabotage = this.#options.sabotage && index === 0;
    return this.#crew.start("worker-process", name, {
      name,
      sabotage,
      ...connection(index, port),
    } satisfies WorkerPlan);
  }

  #startPublisher(index: number, port: number): Member {
    const { records, seconds } = this.#options;
    const name = `publisher-${index + 1}`;
    const plan = { name, publisher: index, records, seconds, ...connection(index, port) } satisfies PublisherPlan;
    return this.#crew.start("publisher-process", name, plan);
  }

  #introduce(port: number): void {
    const { records, cuts } = this.#options;
    this.#reporter.line(
      `broker on port ${port}, ${PUBLISHERS} publishers, ${PROTOCOLS.length} workers that share a subscription:`,
    );
    this.#reporter.line(`  ${PROTOCOLS.map(({ says }, i) => `${i + 1} ${says}`).join(", ")}`);
    this.#reporter.line(`${records} flight records at QoS 1 and 2; links are cut ${cuts} times`);
  }

  /**
   * When all publishes have settled, nothing is on its way to the broker. Then each worker gets a last message, behind all others in its
   * session: a worker that has seen it has seen everything.
   */
  async #tellTheEnd(port: number, workers: readonly Member[]): Promise<void> {
    const client = new MqttClient({ servers: `mqtt://127.0.0.1:${port}`, clientId: "demo-end", protocolVersion: 5 });
    await client.connect();
    for (const { name } of workers) await client.publish(endTopic(name), "", { qos: 1 });
    await client.close();
    await Promise.all(workers.map((worker) => worker.said("finished")));
  }

  #onMessage(message: ChildMessage): void {
    this.#heardAtMs = performance.now();
    switch (message.type) {
      case "acknowledged":
        return this.#ledger.acknowledged(message.ids);
      case "refused":
        return this.#ledger.refused(message.id, message.code);
      case "delivered":
        return this.#ledger.saw(message.deliveries);
      case "finished":
        this.#reconnects += message.reconnects;
        return;
      default:
        return;
    }
  }

  /** Cuts when it is time, by progress and not by the clock: the cuts fall into the middle on slow and fast machines. */
  #watch(links: Links): void {
    const { records, cuts } = this.#options;
    const { published, delivered, duplicates } = this.#ledger;
    const share = delivered / records;
    if (links.cuts < cuts && share >= (links.cuts + 1) / (cuts + 1)) this.#reporter.line(links.cutNext());
    this.#reporter.progress(
      `${Math.floor(share * 100)} %  published ${published}  delivered ${delivered}  duplicates ${duplicates}  cuts ${links.cuts}`,
    );
    if (performance.now() - this.#heardAtMs > STALLED_MS) {
      this.#crew.fail(new Error(`nothing has happened for ${STALLED_MS / 1_000} s`));
    }
  }
}

function connection(index: number, port: number): { readonly server: string; readonly protocolVersion: 4 | 5 } {
  const { scheme, path, protocolVersion } = PROTOCOLS[index] ?? PROTOCOLS[0];
  return { server: `${scheme}://127.0.0.1:${port}${path}`, protocolVersion };
}

async function main(args: readonly string[]): Promise<number> {
  let options: DemoOptions;
  try {
    options = demoOptions(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const demo = new Demo(options, new Reporter(process.stdout), new Ledger(await readFlights(options.records)));
  try {
    const totals = await demo.run();
    process.stdout.write(reportLines(totals).join("\n"));
    return allFaults(totals).length === 0 ? 0 : 1;
  } catch (error) {
    await demo.abandon();
    process.stderr.write(`FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
