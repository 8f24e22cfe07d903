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
        return void this.#items.delete(bindingKey({ ...method, method: "exchange.bind", noWait: false }));
      case "queue.unbind":
        return void this.#items.delete(bindingKey({ ...method, method: "queue.bind", noWait: false }));
      case "exchange.delete":
        return this.#drop(`exchange ${method.exchange}`, (each) =>
          each.method === "exchange.bind"
            ? each.source === method.exchange || each.destination === method.exchange
            : each.method === "queue.bind" && each.exchange === method.exchange,
        );
      case "queue.delete":
        for (const [old, now] of [...this.#names]) if (now === method.queue) this.#names.delete(old);
        return this.#drop(
          `queue ${method.queue}`,
          (each) => each.method === "queue.bind" && each.queue === method.queue,
        );
      default:
    }
  }

  /** A queue is gone: it is not declared again. */
  forgetQueue(queue: string): void {
    const deletion = { method: "queue.delete", queue, ifUnused: false, ifEmpty: false, noWait: false } as const;
    this.note(deletion, { method: "queue.delete-ok", messageCount: 0 });
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

  #drop(what: string, gone: (method: Declaration) => boolean): void {
    this.#items.delete(what);
    for (const [key, each] of [...this.#items]) if (gone(each.method)) this.#items.delete(key);
  }
}

function bindingKey(method: MethodOf<"exchange.bind" | "queue.bind">): string {
  const ends = method.method === "queue.bind" ? [method.exchange, method.queue] : [method.source, method.destination];
  return JSON.stringify([method.method, ...ends, method.routingKey, method.arguments], (_, value) =>
    typeof value === "bigint" ? `${value}n` : value,
  );
}
