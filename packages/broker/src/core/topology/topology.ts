import { type TextCodec, webText } from "polymq/internal";
import type { Committer } from "../../storage/committer.ts";
import type { Store } from "../../storage/store.ts";
import { hostOfQueue, PLAIN_HOST } from "../queues/hosted-name.ts";
import type { Queue } from "../queues/queue.ts";
import type { DeadLetterFacts, QueueMessage } from "../queues/queue-message.ts";
import type { Schedule } from "../schedule.ts";
import { DeadLetterExchange } from "./dead-letter-exchange.ts";
import type { TopologyShared } from "./exchange-registry.ts";
import { HostedConsumers } from "./hosted-consumers.ts";
import type { PlainTopics } from "./plain-topics.ts";
import { MeasuredAlarms } from "./resource-alarms.ts";
import type { ResourceAlarms, ResourceLimits, Topology, TopologyLimits, TopologyOptions } from "./topology-port.ts";
import { TopologyRecords } from "./topology-records.ts";
import { restoreTopology } from "./topology-restore.ts";
import { Host } from "./virtual-host.ts";

/** What {@link Hosts} works with besides its options. */
export interface HostsSurroundings {
  readonly topics: PlainTopics;
  readonly schedule: Schedule;
  readonly committer: Committer;
  readonly store: Store | null;
  readonly resources: ResourceLimits;
  readonly text?: TextCodec;
}

/** All virtual hosts: makes them, keeps them in step with queues that come and go, and takes up what was stored. */
export class Hosts implements Topology, TopologyShared {
  readonly alarms: ResourceAlarms;
  readonly text: TextCodec;
  readonly records: TopologyRecords;
  readonly limits: Required<TopologyLimits>;
  readonly #topics: PlainTopics;
  readonly #schedule: Schedule;
  readonly #consumers: HostedConsumers;
  readonly #letters: DeadLetterExchange;
  readonly #randomBytes: (count: number) => Uint8Array;
  /** Those that are configured. */
  readonly #names: ReadonlySet<string>;
  readonly #hosts = new Map<string, Host>();
  #version = 1;
  #number = 1;

  constructor(options: TopologyOptions, surroundings: HostsSurroundings) {
    const { topics, schedule, committer, store } = surroundings;
    this.text = surroundings.text ?? webText();
    this.limits = {
      exchangesMax: options.limits?.exchangesMax ?? 10_000,
      bindingsMax: options.limits?.bindingsMax ?? 100_000,
      argumentBytesMax: options.limits?.argumentBytesMax ?? 16_384,
    };
    this.records = new TopologyRecords(this.text, store === null ? null : () => committer.touch());
    committer.addSource(this.records);
    this.alarms = new MeasuredAlarms(schedule, surroundings.resources);
    this.#topics = topics;
    this.#schedule = schedule;
    this.#consumers = new HostedConsumers(topics.queues.directory);
    this.#letters = new DeadLetterExchange(topics, options.headersOf);
    this.#randomBytes = options.randomBytes ?? randomBytes;
    this.#names = new Set([PLAIN_HOST, ...(options.virtualHosts ?? [])]);
    for (const name of this.#names) this.#make(name);
    this.#meetQueues();
  }

  /** Changes with every exchange, binding and queue. */
  get version(): number {
    return this.#version;
  }

  host(name: string): Host | null {
    return this.#names.has(name) ? (this.#hosts.get(name) ?? null) : null;
  }

  nextNumber(): number {
    return this.#number++;
  }

  onChanged(): void {
    this.#version++;
    this.#topics.router.invalidate();
  }

  /** Takes up what is stored, behind the queues; to be called once. @throws {MessagingError} ERR_STORE_CORRUPT */
  restore(store: Store): void {
    const queues = this.#topics.queues.directory.list();
    const last = restoreTopology(store, this.records, queues, (name) => this.#hosts.get(name) ?? this.#make(name));
    this.#number = last + 1;
    this.onChanged();
  }

  /** Stored hosts that are not configured any more keep what they have, and nobody comes in. */
  #make(name: string): Host {
    const host = new Host({
      host: name,
      shared: this,
      directory: this.#topics.queues.directory,
      schedule: this.#schedule,
      randomBytes: this.#randomBytes,
      consumers: this.#consumers,
      topics: this.#topics,
    });
    this.#hosts.set(name, host);
    return host;
  }

  #meetQueues(): void {
    const { queues, router } = this.#topics;
    const plain = this.#hosts.get(PLAIN_HOST);
    router.bound = (topic, out) => plain?.routes.queuesOfTopic(topic, out);
    queues.directory.observer = {
      onMade: () => {
        this.#version++;
      },
      onDeleted: (queue) => {
        this.#version++;
        this.#hostOf(queue)?.forget(queue);
      },
      onUsed: (queue) => this.#hostOf(queue)?.queues.onUsed(queue),
      onUnused: (queue) => this.#hostOf(queue)?.queues.onUnused(queue),
    };
    queues.letters.route = (queue, message, facts) => this.#bury(queue, message, facts);
  }

  #bury(queue: Queue, message: QueueMessage, facts: DeadLetterFacts): "taken" | "dropped" | "pass" {
    const host = this.#hostOf(queue);
    if (host === undefined) return "pass";
    return this.#letters.bury(host.queues.known(queue), host.routes, message, facts);
  }

  #hostOf(queue: Queue): Host | undefined {
    return this.#hosts.get(hostOfQueue(queue.name));
  }
}

function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count));
}
