import type { Client, Message, Protocol } from "polymq";
import { type Place, PROTOCOL_NAMES } from "./connection.ts";
import { byId, element, onSubmit, prepend, showState } from "./elements.ts";
import { ITEMS, orderCodec, PROGRESS_TOPIC, type Progress, progressCodec } from "./order.ts";
import { Worker } from "./worker.ts";

const ROWS_MAX = 50;
const MANY = 20;

type Count = "sent" | "done" | "returned" | "dead";

interface Row {
  readonly line: HTMLTableRowElement;
  readonly state: HTMLElement;
  readonly by: HTMLElement;
  readonly attempts: HTMLElement;
}

/** The queue: orders are sent here, workers over three protocols share them, and what became of each is shown. */
export class QueueCard {
  readonly #client: Client<"mqtt">;
  readonly #place: Place;
  readonly #rows = new Map<string, Row>();
  readonly #counts: Record<Count, number> = { sent: 0, done: 0, returned: 0, dead: 0 };
  readonly #list = byId("orders", HTMLElement);
  readonly #prefix = crypto.randomUUID().slice(0, 3);

  constructor(client: Client<"mqtt">, place: Place) {
    this.#client = client;
    this.#place = place;
  }

  /** Resolves when progress and dead letters are listened to and all workers have joined. */
  async start(): Promise<void> {
    await this.#client.subscribe(`${PROGRESS_TOPIC}/+`, {
      qos: 1,
      codec: progressCodec,
      handler: ({ value }) => this.#onProgress(value),
    });
    await this.#client
      .queue("$dlq/orders")
      .consume({ group: "page", handler: (message) => this.#onDeadLetter(message) });
    const fail = (error: unknown): void => this.#place.log.fail("orders", error);
    onSubmit(byId("order-form", HTMLFormElement), (fields) => this.#send(String(fields.get("kind"))), fail);
    const workers = (Object.keys(PROTOCOL_NAMES) as Protocol[]).map((protocol) => new Worker(protocol, this.#place));
    byId("workers", HTMLElement).append(...workers.map((worker) => worker.card));
    await Promise.all(workers.map((worker) => worker.start()));
  }

  /** Resolves when the broker has stored all of them; while it is away they wait. */
  async #send(kind: string): Promise<void> {
    const count = kind === "many" ? MANY : 1;
    const orders = Array.from({ length: count }, () => this.#newOrder(kind === "bad" ? "" : undefined));
    await Promise.all(orders);
  }

  async #newOrder(item = ITEMS[this.#counts.sent % ITEMS.length] ?? ""): Promise<void> {
    const id = `${this.#prefix}-${this.#count("sent")}`;
    this.#show({ id, item, state: "waiting", by: "", attempts: 0 });
    if (item === "") await this.#client.queue("orders").publish(JSON.stringify({ id }), { properties: { id } });
    else await this.#client.queue("orders", { codec: orderCodec }).publish({ id, item });
  }

  /** What one worker said late, over a connection that had been lost, does not undo what another said since. */
  #onProgress(progress: Progress): void {
    const shown = this.#rows.get(progress.id);
    const late = shown?.state.dataset["state"] === "done" || Number(shown?.attempts.textContent) > progress.attempts;
    if (!late) this.#show(progress);
    if (progress.state === "done") this.#count("done");
    if (progress.state === "given back") this.#count("returned");
  }

  #onDeadLetter(message: Message): void {
    this.#count("dead");
    const reason = message.property("x-dead-letter-reason") ?? "";
    this.#show({ id: message.property("id") ?? "?", item: "", state: "dead letter", by: reason, attempts: 1 });
  }

  /** Another page's orders show as soon as a worker has one of them. */
  #show(order: { id: string; item: string; state: string; by: string; attempts: number }): void {
    const row = this.#rows.get(order.id) ?? this.#newRow(order.id, order.item);
    showState(row.state, order.state);
    row.by.textContent = order.by;
    row.attempts.textContent = order.attempts === 0 ? "" : String(order.attempts);
  }

  #newRow(id: string, item: string): Row {
    const [state, by] = [element("b", "badge"), element("td", "")];
    const attempts = element("td", "number");
    const what = item === "" ? element("td", "empty", "none") : element("td", "", item);
    const name = element("td", "", element("code", "", id));
    const row = { line: element("tr", "", name, what, element("td", "", state), by, attempts), state, by, attempts };
    row.line.dataset["order"] = id;
    prepend(this.#list, row.line, ROWS_MAX);
    this.#rows.set(id, row);
    for (const [old, { line }] of this.#rows) if (!line.isConnected) this.#rows.delete(old);
    return row;
  }

  #count(what: Count): number {
    const count = ++this.#counts[what];
    const shown = document.querySelector(`[data-count="${what}"]`);
    if (shown !== null) shown.textContent = String(count);
    return count;
  }
}
