import type { TextCodec } from "polymq/internal";
import { argumentsText } from "./binding-arguments.ts";
import { Binding, type Destination, Exchange } from "./exchange.ts";
import type { HostedQueue } from "./hosted-queue.ts";
import {
  type BindingArguments,
  type BindingDefinition,
  type DeclareExchangeResult,
  type DeleteExchangeResult,
  type ExchangeDefinition,
  type ExchangeKind,
  type InvalidSetting,
  type LimitReached,
  NAME_BYTES_MAX,
  RESERVED_PREFIX,
  TOPICS_EXCHANGE,
  type TopologyLimits,
} from "./topology-port.ts";
import type { TopologyRecords } from "./topology-records.ts";

/** What the registries of all virtual hosts share. */
export interface TopologyShared {
  readonly text: TextCodec;
  readonly records: TopologyRecords;
  readonly limits: Required<TopologyLimits>;
  /** Changes with every exchange, binding and queue: routes hold for one. */
  readonly version: number;
  /** The number of the next exchange or binding. */
  nextNumber(): number;
  /** Routes are not what they were. */
  onChanged(): void;
}

/** Where a binding is to begin and end, and what it chooses. */
export interface BindingTerms {
  readonly source: Exchange;
  readonly destination: Destination;
  readonly key: string;
  readonly arguments: BindingArguments | null;
}

/** The exchanges of a virtual host and the bindings between them and its queues. */
export class ExchangeRegistry {
  readonly #host: string;
  readonly #shared: TopologyShared;
  readonly #exchanges = new Map<string, Exchange>();
  /** By identity, in the order in which they were made. */
  readonly #bindings = new Map<string, Binding>();

  constructor(host: string, shared: TopologyShared) {
    this.#host = host;
    this.#shared = shared;
    for (const [name, kind] of PREDECLARED) {
      const definition = { name, kind, durable: true, autoDelete: false, internal: false, alternate: null };
      this.#exchanges.set(name, new Exchange(definition, 0, true));
    }
  }

  get(name: string): Exchange | undefined {
    return this.#exchanges.get(name);
  }

  list(): ExchangeDefinition[] {
    return Array.from(this.#exchanges.values(), (exchange) => exchange.definition);
  }

  bindings(): BindingDefinition[] {
    return Array.from(this.#bindings.values(), definitionOf);
  }

  declare(definition: ExchangeDefinition): DeclareExchangeResult {
    const existing = this.#exchanges.get(definition.name);
    if (existing !== undefined) return differenceOf(existing.definition, definition) ?? { is: "existing" };
    if (definition.name === "" || definition.name.startsWith(RESERVED_PREFIX)) return { is: "reserved" };
    const fault = this.#nameFault("name", definition.name) ?? this.#nameFault("alternate", definition.alternate ?? "");
    if (fault !== null) return fault;
    const { exchangesMax } = this.#shared.limits;
    if (this.#exchanges.size - PREDECLARED.length >= exchangesMax) {
      return { is: "limit", what: "exchanges", countMax: exchangesMax };
    }
    const exchange = this.#add(definition, this.#shared.nextNumber());
    if (exchange.isStored) {
      this.#shared.records.saveExchange(exchange.number, { host: this.#host, ...exchange.definition });
    }
    this.#shared.onChanged();
    return { is: "created" };
  }

  delete(name: string, ifUnused: boolean): DeleteExchangeResult {
    const exchange = this.#exchanges.get(name);
    if (name === "" || exchange?.number === 0) return "reserved";
    if (exchange === undefined) return "not-found";
    if (ifUnused && exchange.outgoing.size > 0) return "in-use";
    this.#remove([exchange]);
    return "deleted";
  }

  /** Makes a binding, or finds the one that is there. */
  connect(terms: BindingTerms): { readonly is: "bound" | "existing" } | InvalidSetting | LimitReached {
    const args = this.#checkedArguments(terms.arguments);
    if (typeof args !== "string") return args;
    const fault = this.#nameFault("key", terms.key);
    if (fault !== null) return fault;
    const id = identityOf(terms, args);
    if (this.#bindings.has(id)) return { is: "existing" };
    const { bindingsMax } = this.#shared.limits;
    if (this.#bindings.size >= bindingsMax) return { is: "limit", what: "bindings", countMax: bindingsMax };
    const binding = this.#bind(id, terms, this.#shared.nextNumber());
    if (binding.isStored) {
      const { source, destination, key } = binding;
      const { is: to, name } = destination;
      const ends = { host: this.#host, source: source.name, to, destination: name };
      this.#shared.records.saveBinding(binding.number, { ...ends, key, arguments: args });
    }
    this.#shared.onChanged();
    return { is: "bound" };
  }

  /** Ends a binding; false when there is none. */
  disconnect(terms: BindingTerms): boolean {
    const args = this.#checkedArguments(terms.arguments);
    const binding = typeof args === "string" ? this.#bindings.get(identityOf(terms, args)) : undefined;
    if (binding === undefined) return false;
    this.#unbind(binding);
    this.#remove(unusedSources([binding]));
    return true;
  }

  /** A queue is gone, and the bindings to it. */
  dropQueue(queue: HostedQueue): void {
    const bindings = Array.from(queue.incoming);
    for (const binding of bindings) this.#unbind(binding);
    this.#remove(unusedSources(bindings));
  }

  /** Takes up a stored exchange. */
  restoreExchange(number: number, definition: ExchangeDefinition): void {
    this.#add(definition, number);
  }

  /** Takes up a stored binding. */
  restoreBinding(number: number, terms: BindingTerms): void {
    this.#bind(identityOf(terms, argumentsText(terms.arguments)), terms, number);
  }

  #add(definition: ExchangeDefinition, number: number): Exchange {
    const { name, kind, durable, autoDelete, internal, alternate } = definition;
    const own = Object.freeze({ name, kind, durable, autoDelete, internal, alternate });
    const exchange = new Exchange(own, number, durable && this.#shared.records.isKept);
    this.#exchanges.set(name, exchange);
    return exchange;
  }

  #bind(id: string, terms: BindingTerms, number: number): Binding {
    const binding = new Binding(terms, terms, number);
    this.#bindings.set(id, binding);
    binding.source.add(binding);
    binding.destination.incoming.add(binding);
    return binding;
  }

  #unbind(binding: Binding): void {
    this.#bindings.delete(identityOf(binding, argumentsText(binding.arguments)));
    binding.source.remove(binding);
    binding.destination.incoming.delete(binding);
    if (binding.isStored) this.#shared.records.dropBinding(binding.number);
    this.#shared.onChanged();
  }

  /** Exchanges go with their bindings, and sources that lose their last one by that may follow. */
  #remove(exchanges: Exchange[]): void {
    for (let exchange = exchanges.pop(); exchange !== undefined; exchange = exchanges.pop()) {
      if (this.#exchanges.get(exchange.name) !== exchange) continue;
      this.#exchanges.delete(exchange.name);
      if (exchange.isStored) this.#shared.records.dropExchange(exchange.number);
      this.#shared.onChanged();
      for (const binding of Array.from(exchange.outgoing)) this.#unbind(binding);
      const incoming = Array.from(exchange.incoming);
      for (const binding of incoming) this.#unbind(binding);
      exchanges.push(...unusedSources(incoming));
    }
  }

  #checkedArguments(args: BindingArguments | null): string | InvalidSetting {
    const { argumentBytesMax } = this.#shared.limits;
    try {
      const text = argumentsText(args);
      if (this.#shared.text.byteLength(text) <= argumentBytesMax) return text;
      return { is: "invalid", field: "arguments", why: `more than ${argumentBytesMax} bytes` };
    } catch {
      return { is: "invalid", field: "arguments", why: "nested too deep" }; // the one thing that cannot be written as text
    }
  }

  #nameFault(field: string, name: string): InvalidSetting | null {
    if (this.#shared.text.byteLength(name) <= NAME_BYTES_MAX) return null;
    return { is: "invalid", field, why: `more than ${NAME_BYTES_MAX} bytes` };
  }
}

const PREDECLARED: readonly (readonly [string, ExchangeKind])[] = [
  ["amq.direct", "direct"],
  ["amq.fanout", "fanout"],
  [TOPICS_EXCHANGE, "topic"],
  ["amq.headers", "headers"],
  ["amq.match", "headers"],
];

function unusedSources(removed: readonly Binding[]): Exchange[] {
  const sources = new Set(removed.map((binding) => binding.source));
  return Array.from(sources).filter((one) => one.definition.autoDelete && one.outgoing.size === 0);
}

function identityOf(terms: BindingTerms, args: string): string {
  const { source, destination, key } = terms;
  return JSON.stringify([source.name, destination.is, destination.name, key, args]);
}

function definitionOf(binding: Binding): BindingDefinition {
  const { source, destination, key } = binding;
  return {
    source: source.name,
    destination: { is: destination.is, name: destination.name },
    key,
    arguments: binding.arguments,
  };
}

function differenceOf(current: ExchangeDefinition, received: ExchangeDefinition): DeclareExchangeResult | null {
  for (const field of ["kind", "durable", "autoDelete", "internal", "alternate"] as const) {
    if (current[field] !== received[field]) {
      return { is: "inequivalent", field, received: received[field], current: current[field] };
    }
  }
  return null;
}
