import type { Method, MethodOf } from "../codec/method-types.ts";

/** A method that makes something which a reconnect restores. */
export type Declaration = MethodOf<"exchange.declare" | "queue.declare" | "exchange.bind" | "queue.bind">;

/** One thing to restore. */
export interface TopologyItem {
  readonly what: string;
  readonly method: Declaration;
  /** The name that the server gave to a queue declared without one. */
  readonly serverName: string;
}

/** Exchanges, queues and bindings that this client has declared and not deleted, in the order of their first declaration. */
export class Topology {
  readonly #items = new Map<string, TopologyItem>();
  /** New names of server-named queues by every name that they had. */
  readonly #names = new Map<string, string>();

  get items(): readonly TopologyItem[] {
    const order = ["exchange.declare", "queue.declare", "exchange.bind", "queue.bind"];
    return [...this.#items.values()].sort((a, b) => order.indexOf(a.method.method) - order.indexOf(b.method.method));
  }

  /** The name that a queue has now. */
  current(queue: string): string {
    return this.#names.get(queue) ?? queue;
  }

  /** Takes note of what the server has confirmed. */
  note(method: Method, reply: Method): void {
    switch (method.method) {
      case "exchange.declare":
        if (!method.passive) this.#set(`exchange ${method.exchange}`, method, "");
        return;
      case "queue.declare": {
        const name = reply.method === "queue.declare-ok" ? reply.queue : method.queue;
        if (!method.passive) this.#set(`queue ${name}`, method, method.queue === "" ? name : "");
        return;
      }
      case "exchange.bind":
      case "queue.bind":
        return this.#set(bindingKey(method), method, "");
      case "exchange.unbind":
        return this.#unbind(bindingKey({ ...method, method: "exchange.bind", noWait: false }), method.source);
      case "queue.unbind":
        return this.#unbind(bindingKey({ ...method, method: "queue.bind", noWait: false }), method.exchange);
      case "exchange.delete":
        return this.#forgetExchange(method.exchange);
      case "queue.delete":
        return this.forgetQueue(method.queue);
      default:
    }
  }

  /** True for a queue that the server deletes with its last consumer. */
  deletesItself(queue: string): boolean {
    const method = this.#items.get(`queue ${queue}`)?.method;
    return method?.method === "queue.declare" && method.autoDelete;
  }

  /** A queue is gone: it is not declared again. */
  forgetQueue(queue: string): void {
    for (const [old, now] of [...this.#names]) if (now === queue) this.#names.delete(old);
    this.#items.delete(`queue ${queue}`);
    this.#unbindAll((each) => each.method === "queue.bind" && each.queue === queue);
  }

  /** A server-named queue has come back under a new name. */
  renamed(item: TopologyItem, name: string): void {
    for (const [old, now] of this.#names) if (now === item.serverName) this.#names.set(old, name);
    this.#names.set(item.serverName, name);
    this.#items.delete(item.what);
    this.#set(`queue ${name}`, item.method, name);
    for (const [key, each] of [...this.#items]) {
      if (each.method.method !== "queue.bind" || each.method.queue !== item.serverName) continue;
      this.#items.delete(key);
      const method = { ...each.method, queue: name };
      this.#set(bindingKey(method), method, "");
    }
  }

  #set(what: string, method: Declaration, serverName: string): void {
    this.#items.set(what, { what, method, serverName });
  }

  #forgetExchange(exchange: string): void {
    this.#items.delete(`exchange ${exchange}`);
    this.#unbindAll((each) => sourceOf(each) === exchange);
    this.#unbindAll((each) => each.method === "exchange.bind" && each.destination === exchange);
  }

  #unbindAll(gone: (method: Declaration) => boolean): void {
    for (const [key, { method }] of [...this.#items]) if (gone(method)) this.#unbind(key, sourceOf(method));
  }

  /** Forgets a binding, and an auto-delete exchange that has no other one. */
  #unbind(key: string, source: string | null): void {
    if (!this.#items.delete(key) || source === null) return;
    const method = this.#items.get(`exchange ${source}`)?.method;
    if (method?.method !== "exchange.declare" || !method.autoDelete) return;
    for (const each of this.#items.values()) if (sourceOf(each.method) === source) return;
    this.#forgetExchange(source);
  }
}

/** The exchange that a binding leads from. */
function sourceOf(method: Declaration): string | null {
  if (method.method === "exchange.bind") return method.source;
  return method.method === "queue.bind" ? method.exchange : null;
}

function bindingKey(method: MethodOf<"exchange.bind" | "queue.bind">): string {
  const ends = method.method === "queue.bind" ? [method.exchange, method.queue] : [method.source, method.destination];
  return JSON.stringify([method.method, ...ends, method.routingKey, method.arguments], (_, value) =>
    typeof value === "bigint" ? `${value}n` : value,
  );
}
