import type { Timer } from "polymq/internal";
import type { QueueInspection } from "../../core/queues/queue-inspection.ts";
import type { MqttContext } from "./mqtt-context.ts";

/** Publishes statistics below `$SYS/broker/` again and again, at QoS 0 and not retained. */
export class SysTopics {
  readonly #context: MqttContext;
  readonly #intervalMs: number;
  readonly #startedMs: number;
  #timer: Timer | null = null;

  /** @param intervalSeconds 0 publishes nothing */
  constructor(context: MqttContext, intervalSeconds: number) {
    this.#context = context;
    this.#intervalMs = intervalSeconds * 1000;
    this.#startedMs = context.hub.clock.nowMs();
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    if (this.#intervalMs === 0) return;
    this.#timer = this.#context.hub.clock.setTimer(this.#intervalMs, () => {
      this.#publish();
      this.#arm();
    });
  }

  #publish(): void {
    const { hub, serverName, text } = this.#context;
    for (const [name, value] of this.#figures()) {
      const topic = `$SYS/broker/${name}`;
      const route = hub.router.route(topic);
      if (route.subscriptions.length === 0 && route.groups.length === 0) continue;
      const content = String(value);
      const payload = new Uint8Array(text.byteLength(content));
      text.write(payload, 0, content);
      hub.publish(hub.makeMessage({ topic, payload, publisherId: serverName }), route);
      // It did not come in from anybody.
      hub.statistics.messagesIn--;
      hub.statistics.bytesIn -= payload.length;
    }
  }

  #figures(): readonly (readonly [string, string | number])[] {
    const { hub, metrics, serverName, unsent } = this.#context;
    const { statistics, held } = hub;
    const queues = queueFigures(hub.queues.list());
    return [
      ["version", serverName],
      ["uptime", Math.floor((hub.clock.nowMs() - this.#startedMs) / 1000)],
      ["clients/connected", hub.sessions.attachedCount],
      ["clients/disconnected", hub.sessions.count - hub.sessions.attachedCount],
      ["clients/total", hub.sessions.count],
      ["clients/maximum", metrics.clientsConnectedMax],
      ["messages/received", statistics.messagesIn],
      ["messages/sent", statistics.messagesOut],
      ["messages/dropped", statistics.messagesDropped],
      ["bytes/received", metrics.bytesReceived],
      ["bytes/sent", metrics.bytesSent],
      ["retained messages/count", hub.retained.count],
      ["messages/held/bytes", held.bytes],
      ["messages/held/limit", Number.isFinite(held.bytesMax) ? held.bytesMax : 0],
      ["messages/held/refused", held.refusedCount],
      ["messages/unsent/bytes", unsent.bytesInAll],
      ["subscriptions/count", hub.router.subscriptionCount],
      ["shared subscriptions/count", hub.router.sharedSubscriptionCount],
      ["queues/count", hub.queues.count],
      ...queues,
    ];
  }
}

/** Sums over all queues. */
function queueFigures(queues: readonly QueueInspection[]): [string, number][] {
  let [messages, pending, consumers, redelivered, deadLettered] = [0, 0, 0, 0, 0];
  for (const { depth, groups, statistics } of queues) {
    messages += depth;
    redelivered += statistics.redelivered;
    deadLettered += statistics.deadLettered;
    for (const group of groups) {
      pending += group.pending;
      consumers += group.members.length;
    }
  }
  return Object.entries({
    "queues/messages": messages,
    "queues/pending": pending,
    "queues/consumers": consumers,
    "queues/redelivered": redelivered,
    "queues/dead letters": deadLettered,
  });
}
