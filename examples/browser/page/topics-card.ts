import type { Client, Message } from "polymq";
import type { Place } from "./connection.ts";
import { byId, element, onSubmit, prepend, timeOfDay } from "./elements.ts";

const LINES_MAX = 100;

/** Topics: filters to subscribe to, a form to publish, and what comes in, newest first. */
export class TopicsCard {
  readonly #client: Client<"mqtt">;
  readonly #place: Place;
  readonly #filters = byId("filters", HTMLElement);
  readonly #messages = byId("messages", HTMLElement);

  constructor(client: Client<"mqtt">, place: Place) {
    this.#client = client;
    this.#place = place;
  }

  start(): void {
    const fail = (error: unknown): void => this.#place.log.fail("topics", error);
    onSubmit(byId("subscribe-form", HTMLFormElement), (fields) => this.#subscribe(text(fields, "filter")), fail);
    onSubmit(byId("publish-form", HTMLFormElement), (fields) => this.#publish(fields), fail);
  }

  async #publish(fields: FormData): Promise<void> {
    const retain = fields.get("retain") !== null;
    await this.#client.publish(text(fields, "topic"), text(fields, "payload"), { qos: 1, retain });
  }

  async #subscribe(filter: string): Promise<void> {
    const subscription = await this.#client.subscribe(filter, { qos: 1, handler: (message) => this.#show(message) });
    const leave = element("button", "", "×");
    leave.title = `unsubscribe from ${filter}`;
    const chip = element("li", "", element("code", "", filter), leave);
    leave.addEventListener("click", () => {
      chip.remove();
      subscription.unsubscribe().catch((error: unknown) => this.#place.log.fail("topics", error));
    });
    this.#filters.append(chip);
  }

  #show(message: Message): void {
    const line = element("li", "", timeOfDay(), element("code", "", message.topic), element("b", "", message.text()));
    prepend(this.#messages, line, LINES_MAX);
  }
}

function text(fields: FormData, name: string): string {
  return String(fields.get(name) ?? "");
}
