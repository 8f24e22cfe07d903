import type { BindingDefinition, ExchangeDefinition } from "./topology-port.ts";

/** Exchanges and bindings as plain lists, routed by reading the rules word by word. */
export class RoutingModel {
  exchanges: ExchangeDefinition[];
  bindings: BindingDefinition[] = [];
  queues: string[] = [];

  constructor(predeclared: readonly ExchangeDefinition[]) {
    this.exchanges = predeclared.slice();
  }

  exchange(name: string): ExchangeDefinition | undefined {
    return this.exchanges.find((one) => one.name === name);
  }

  has(binding: BindingDefinition): boolean {
    return this.bindings.some((one) => isSame(one, binding));
  }

  canBind(binding: BindingDefinition): boolean {
    const { source, destination } = binding;
    const isThere =
      destination.is === "queue" ? this.queues.includes(destination.name) : this.exchange(destination.name);
    return this.exchange(source) !== undefined && isThere !== undefined && isThere !== false;
  }

  unbind(binding: BindingDefinition): void {
    this.#dropBindings((one) => isSame(one, binding));
  }

  deleteQueue(name: string): void {
    this.queues = this.queues.filter((one) => one !== name);
    this.#dropBindings(({ destination }) => destination.is === "queue" && destination.name === name);
  }

  deleteExchange(name: string): void {
    this.exchanges = this.exchanges.filter((one) => one.name !== name);
    this.#dropBindings(
      ({ source, destination }) => source === name || (destination.is === "exchange" && destination.name === name),
    );
  }

  /** Names of the queues that a message gets to, in order of their names. */
  route(exchange: string, key: string, headers: Readonly<Record<string, unknown>>): string[] {
    const queues = new Set<string>();
    const seen = new Set<string>();
    const waiting = [exchange];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const definition = this.exchange(name);
      if (definition === undefined || seen.has(name)) continue;
      seen.add(name);
      const chosen = this.bindings.filter((one) => one.source === name && isChosen(definition, one, key, headers));
      for (const { destination } of chosen) {
        if (destination.is === "queue") queues.add(destination.name);
        else waiting.push(destination.name);
      }
      if (chosen.length === 0 && definition.alternate !== null) waiting.push(definition.alternate);
    }
    return Array.from(queues).sort();
  }

  #dropBindings(isDropped: (binding: BindingDefinition) => boolean): void {
    const dropped = this.bindings.filter(isDropped);
    this.bindings = this.bindings.filter((one) => !isDropped(one));
    for (const { source } of dropped) {
      const isUnused = !this.bindings.some((one) => one.source === source);
      if (isUnused && this.exchange(source)?.autoDelete === true) this.deleteExchange(source);
    }
  }
}

function isSame(a: BindingDefinition, b: BindingDefinition): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isChosen(
  exchange: ExchangeDefinition,
  binding: BindingDefinition,
  key: string,
  headers: Readonly<Record<string, unknown>>,
): boolean {
  switch (exchange.kind) {
    case "fanout":
      return true;
    case "direct":
      return binding.key === key;
    case "topic":
      return matches(wordsOf(binding.key), wordsOf(key));
    case "headers": {
      const { match = "all", values = {} } = binding.arguments ?? {};
      const met = Object.entries(values).map(([name, value]) => headers[name] === value);
      return match === "all" ? met.every(Boolean) : met.some(Boolean);
    }
  }
}

function wordsOf(key: string): readonly string[] {
  return key === "" ? [] : key.split(".");
}

function matches(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === "#") return matches(rest, key) || (key.length > 0 && matches(pattern, key.slice(1)));
  return key.length > 0 && (first === "*" || first === key[0]) && matches(rest, key.slice(1));
}
