/** A page that talks to a broker over WebSocket: topics, and a queue whose workers speak MQTT 5.0, AMQP 0-9-1 and AMQP 1.0. */
import { openConnection } from "./connection.ts";
import { byId, showState } from "./elements.ts";
import { EventLog } from "./event-log.ts";
import { QueueCard } from "./queue-card.ts";
import { TopicsCard } from "./topics-card.ts";

const log = new EventLog(byId("events", HTMLElement));
try {
  // Who serves the page says where the broker is.
  const { url } = (await (await fetch("broker.json")).json()) as { readonly url: string };
  byId("address", HTMLElement).textContent = url;
  const place = { url, log };
  const badge = byId("state", HTMLElement);
  const client = await openConnection("mqtt", place, {
    name: "this page",
    show: (state) => showState(badge, state),
    // The broker keeps for so long what is published while the page is away from it.
    options: { mqtt: { sessionExpirySeconds: 600 } },
  });
  new TopicsCard(client, place).start();
  await new QueueCard(client, place).start();
  document.body.dataset["ready"] = "yes";
} catch (error) {
  log.fail("page", error);
}
