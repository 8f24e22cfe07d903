import type { Client, Message, Protocol, Subscription } from "polymq";
import { openConnection, type Place, PROTOCOL_NAMES } from "./connection.ts";
import { element, showState } from "./elements.ts";
import { FRAGILE, type Order, orderCodec, PROGRESS_TOPIC, type Progress, progressCodec } from "./order.ts";

/** How long an order takes. */
const WORK_MS = { least: 120, more: 260 };

/** A member of the group `shippers` with a connection of its own, and the card that shows it. */
export class Worker {
  readonly card: HTMLElement;
  readonly #protocol: Protocol;
  readonly #place: Place;
  readonly #name: string;
  readonly #badge = element("b", "badge");
  readonly #busy = element("span", "", "idle");
  readonly #count = element("span", "", "0 done");
  readonly #button = element("button", "quiet", "Stop");
  #done = 0;
  #client: Client | null = null;
  #orders: Subscription<unknown> | null = null;
  #shipping: Promise<void> = Promise.resolve();

  constructor(protocol: Protocol, place: Place) {
    this.#protocol = protocol;
    this.#place = place;
    this.#name = PROTOCOL_NAMES[protocol];
    showState(this.#badge, "off");
    const head = element("header", "", element("strong", "", this.#name), this.#button);
    this.card = element("article", "worker", head, this.#badge, element("p", "", this.#busy, this.#count));
    this.card.dataset["worker"] = protocol;
    this.#button.addEventListener("click", () => {
      const change = this.#client === null ? this.start() : this.stop();
      change.catch((error: unknown) => place.log.fail(this.#name, error));
    });
  }

  /** Connects and joins the group; resolves when the broker has confirmed it. */
  async start(): Promise<void> {
    this.#button.disabled = true;
    try {
      const show = (state: string): void => showState(this.#badge, state);
      this.#client = await openConnection(this.#protocol, this.#place, { name: this.#name, show });
      const orders = this.#client.queue("orders", { codec: orderCodec });
      this.#orders = await orders.consume({
        group: "shippers",
        prefetch: 2,
        handler: (message) => {
          this.#shipping = this.#ship(message);
          return this.#shipping;
        },
      });
    } finally {
      this.#button.disabled = false;
      this.#button.textContent = this.#client === null ? "Start" : "Stop";
    }
  }

  /** Finishes the order in hand and leaves; what else it had goes to the others. */
  async stop(): Promise<void> {
    this.#button.disabled = true;
    await this.#orders?.unsubscribe();
    await this.#shipping.catch(() => undefined); // its failure was told as `handlerError`
    await this.#client?.close();
    this.#client = null;
    this.#button.disabled = false;
    this.#button.textContent = "Start";
  }

  /** Acknowledged when this resolves; given back when it fails, as when the connection goes meanwhile. */
  async #ship(message: Message<Order>): Promise<void> {
    const { id, item } = message.value;
    const attempts = message.deliveryCount + 1;
    this.#busy.textContent = `${item} ${id}`;
    await this.#tell({ id, item, attempts, state: "in work", by: this.#name });
    await new Promise((resolve) => setTimeout(resolve, WORK_MS.least + Math.random() * WORK_MS.more));
    this.#busy.textContent = "idle";
    if (attempts === 1 && FRAGILE.has(item)) {
      await this.#tell({ id, item, attempts, state: "given back", by: this.#name });
      return await message.nack();
    }
    await message.ack();
    this.#count.textContent = `${++this.#done} done`;
    await this.#tell({ id, item, attempts, state: "done", by: this.#name });
  }

  async #tell(progress: Progress): Promise<void> {
    const payload = await progressCodec.encode(progress);
    await this.#client?.publish(`${PROGRESS_TOPIC}/${progress.id}`, payload, { qos: 1 });
  }
}
