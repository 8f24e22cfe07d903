import { headersMatch } from "./binding-arguments.ts";
import type { HostedQueue } from "./hosted-queue.ts";
import { KeyTrie } from "./key-trie.ts";
import type { BindingArguments, ExchangeDefinition, HeaderLookup } from "./topology-port.ts";

/** Where a binding leads: a queue or another exchange. Each knows the bindings that lead to it. */
export type Destination = Exchange | HostedQueue;

/** A binding between an exchange and a destination. */
export class Binding {
  readonly source: Exchange;
  readonly destination: Destination;
  readonly key: string;
  readonly arguments: BindingArguments | null;
  /** Rises in the order in which bindings were made; its name in the store. */
  readonly number: number;
  readonly isStored: boolean;

  constructor(
    ends: { readonly source: Exchange; readonly destination: Destination },
    terms: { readonly key: string; readonly arguments: BindingArguments | null },
    number: number,
  ) {
    this.source = ends.source;
    this.destination = ends.destination;
    this.key = terms.key;
    this.arguments = terms.arguments;
    this.number = number;
    this.isStored = ends.source.isStored && ends.destination.isStored;
  }
}

/** Finds the bindings that a key chooses; one for each kind of exchange. */
interface Choice {
  add(binding: Binding): void;
  remove(binding: Binding): void;
  choose(key: string, headers: HeaderLookup | null, out: Set<Binding>): void;
}

/** A node of the routing graph, with the bindings from and to it. */
export class Exchange {
  readonly is: "exchange" = "exchange";
  readonly definition: ExchangeDefinition;
  /** Its name in the store; 0 for predeclared ones, which are not stored but always there. */
  readonly number: number;
  /** True when bindings from and to it can be stored. */
  readonly isStored: boolean;
  /** Bindings that lead here. */
  readonly incoming: Set<Binding> = new Set();
  /** Bindings from here. */
  readonly outgoing: Set<Binding> = new Set();
  readonly #choice: Choice;

  constructor(definition: ExchangeDefinition, number: number, isStored: boolean) {
    this.definition = definition;
    this.number = number;
    this.isStored = isStored;
    this.#choice = choiceFor(definition.kind);
  }

  get name(): string {
    return this.definition.name;
  }

  /** True when what it chooses depends on the message's headers: its routes cannot be kept. */
  get readsHeaders(): boolean {
    return this.definition.kind === "headers";
  }

  add(binding: Binding): void {
    this.outgoing.add(binding);
    this.#choice.add(binding);
  }

  remove(binding: Binding): void {
    this.outgoing.delete(binding);
    this.#choice.remove(binding);
  }

  /** Adds to `out` the bindings that a message with this key goes along. */
  choose(key: string, headers: HeaderLookup | null, out: Set<Binding>): void {
    this.#choice.choose(key, headers, out);
  }
}

class ByKey implements Choice {
  readonly #byKey = new Map<string, Set<Binding>>();

  add(binding: Binding): void {
    const same = this.#byKey.get(binding.key);
    if (same === undefined) this.#byKey.set(binding.key, new Set([binding]));
    else same.add(binding);
  }

  remove(binding: Binding): void {
    const same = this.#byKey.get(binding.key);
    same?.delete(binding);
    if (same?.size === 0) this.#byKey.delete(binding.key);
  }

  choose(key: string, _headers: HeaderLookup | null, out: Set<Binding>): void {
    const same = this.#byKey.get(key);
    if (same === undefined) return;
    for (const binding of same) out.add(binding);
  }
}

class ByPattern implements Choice {
  readonly #trie = new KeyTrie<Binding>();

  add(binding: Binding): void {
    this.#trie.add(binding.key, binding);
  }

  remove(binding: Binding): void {
    this.#trie.remove(binding.key, binding);
  }

  choose(key: string, _headers: HeaderLookup | null, out: Set<Binding>): void {
    this.#trie.match(key, out);
  }
}

class All implements Choice {
  readonly #bindings = new Set<Binding>();

  add(binding: Binding): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding): void {
    this.#bindings.delete(binding);
  }

  choose(_key: string, _headers: HeaderLookup | null, out: Set<Binding>): void {
    for (const binding of this.#bindings) out.add(binding);
  }
}

class ByHeaders implements Choice {
  readonly #bindings = new Set<Binding>();

  add(binding: Binding): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding): void {
    this.#bindings.delete(binding);
  }

  choose(_key: string, headers: HeaderLookup | null, out: Set<Binding>): void {
    for (const binding of this.#bindings) if (headersMatch(binding.arguments, headers)) out.add(binding);
  }
}

function choiceFor(kind: ExchangeDefinition["kind"]): Choice {
  switch (kind) {
    case "direct":
      return new ByKey();
    case "fanout":
      return new All();
    case "topic":
      return new ByPattern();
    case "headers":
      return new ByHeaders();
  }
}
