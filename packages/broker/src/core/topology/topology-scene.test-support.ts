import type { MemoryMedium } from "../../storage/memory-store.ts";
import type { HubOptions } from "../hub.ts";
import { QueueScene, TestConsumer } from "../queues/queue-scene.test-support.ts";
import { bytesOf } from "../session.test-support.ts";
import type {
  ArgumentValue,
  BindingArguments,
  BindingDefinition,
  ConsumeRequest,
  DeclareExchangeResult,
  DeclareQueueResult,
  ExchangeDefinition,
  HostedQueueDefinition,
  HostedQueueSettings,
  HostedSubscription,
  PublishOptions,
  PublishResult,
  QueueOwner,
  VirtualHost,
} from "./topology-port.ts";

/** A consumer of a queue of a virtual host. */
export interface HostedConsuming {
  readonly consumer: TestConsumer;
  readonly subscription: HostedSubscription;
}

/** How a test publishes. */
export interface SendMore {
  readonly headers?: Readonly<Record<string, ArgumentValue>>;
  readonly moreKeys?: readonly string[];
  readonly priority?: number;
  readonly expiresAfterMs?: number;
}

/** A hub with exchanges on a virtual clock, seen from the virtual host "/". */
export class TopologyScene extends QueueScene {
  readonly owner: QueueOwner = { id: "owner" };

  constructor(options: Omit<Partial<HubOptions>, "clock"> & { readonly medium?: MemoryMedium } = {}) {
    super({ autoCreateQueues: "refuse", ...options });
  }

  get host(): VirtualHost {
    return this.hosted("/");
  }

  hosted(name: string): VirtualHost {
    const host = this.hub.topology.host(name);
    if (host === null) throw new Error(`no virtual host ${name}`);
    return host;
  }

  exchange(
    name: string,
    kind: ExchangeDefinition["kind"],
    more: Partial<ExchangeDefinition> = {},
  ): DeclareExchangeResult {
    const definition = { name, kind, durable: true, autoDelete: false, internal: false, alternate: null, ...more };
    return this.host.declareExchange(definition);
  }

  queue(
    name: string,
    settings: Partial<HostedQueueSettings> = {},
    more: Partial<HostedQueueDefinition> = {},
  ): DeclareQueueResult {
    const definition = { name, durable: true, exclusive: false, autoDelete: false, settings, ...more };
    return this.host.declareQueue(definition, this.owner);
  }

  /** Declares queues of these names. */
  queues(...names: readonly string[]): void {
    for (const name of names) this.queue(name);
  }

  bind(source: string, queue: string, key = "", args: BindingArguments | null = null): string {
    return this.host.bind(binding(source, { is: "queue", name: queue }, key, args), this.owner).is;
  }

  link(source: string, exchange: string, key = "", args: BindingArguments | null = null): string {
    return this.host.bind(binding(source, { is: "exchange", name: exchange }, key, args), this.owner).is;
  }

  unbind(source: string, queue: string, key = "", args: BindingArguments | null = null): string {
    return this.host.unbind(binding(source, { is: "queue", name: queue }, key, args), this.owner);
  }

  /** Publishes to an exchange and commits. */
  send(exchange: string, key: string, text = "m", more: SendMore = {}, host = this.host): PublishResult {
    const view = this.hub.transientMessage();
    view.begin("", bytesOf(text));
    if (more.expiresAfterMs !== undefined) view.expiresAtMs = this.clock.epochMs() + more.expiresAfterMs;
    const result = host.publish(view, exchange, key, optionsOf(more));
    this.run();
    return result;
  }

  /** Consumes from a queue; by default it takes a thousand messages. */
  take(queue: string, more: Partial<ConsumeRequest> & { readonly credit?: number } = {}): HostedConsuming {
    const { credit = 1000, ...request } = more;
    const consumer = new TestConsumer("c", credit);
    const result = this.host.consume(queue, { consumer, ...request }, this.owner);
    if (result.is !== "consuming") throw new Error(`cannot consume from ${queue}: ${result.is}`);
    result.subscription.wake();
    this.run();
    return { consumer, subscription: result.subscription };
  }

  /** How many messages wait in queues; -1 for one that is not there. */
  waiting(...queues: readonly string[]): number[] {
    return queues.map((name) => {
      const found = this.host.queue(name, this.owner);
      return found.is === "found" ? found.queue.messages : -1;
    });
  }
}

function binding(
  source: string,
  destination: BindingDefinition["destination"],
  key: string,
  args: BindingArguments | null,
): BindingDefinition {
  return { source, destination, key, arguments: args };
}

function optionsOf(more: SendMore): PublishOptions | null {
  const { headers, moreKeys, priority } = more;
  if (headers === undefined && moreKeys === undefined && priority === undefined) return null;
  return {
    headers: headers === undefined ? null : (name) => headers[name],
    moreKeys: moreKeys ?? null,
    enqueue: priority === undefined ? null : { priority },
  };
}
