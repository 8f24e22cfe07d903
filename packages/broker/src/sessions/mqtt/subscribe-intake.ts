import { Deque } from "polymq/internal";
import type { Subscribe, Unsubscribe } from "polymq/mqtt/codec";
import type { ServerEngine } from "polymq/mqtt/engine";
import { ConnectionQueues } from "./connection-queues.ts";
import type { MqttContext } from "./mqtt-context.ts";
import type { IntakeClient } from "./publish-intake.ts";
import type { Outgoing } from "./queued-delivery.ts";
import { authorizeSubscribe, subscribe, unsubscribe } from "./subscribe.ts";
import type { TopicRoute } from "./topic-routes.ts";

/**
 * Carries out a client's SUBSCRIBE and UNSUBSCRIBE packets one after the other, also while the application is still deciding about one. What
 * is stored is answered when it is: a client that was told of a subscription has it after a crash as well.
 */
export class SubscribeIntake {
  readonly #context: MqttContext;
  readonly #engine: ServerEngine<Outgoing, TopicRoute>;
  /** The first one is being decided about. */
  readonly #waiting = new Deque<Subscribe | Unsubscribe>();

  constructor(context: MqttContext, engine: ServerEngine<Outgoing, TopicRoute>) {
    this.#context = context;
    this.#engine = engine;
  }

  /** True while a packet waits for a decision: no more should be read. */
  get holds(): boolean {
    return this.#waiting.length > 0;
  }

  /** Takes a packet; it is answered now or later. */
  take(packet: Subscribe | Unsubscribe, client: IntakeClient): void {
    this.#waiting.push(packet);
    if (this.#waiting.length === 1) this.#run(client);
  }

  /** The client is gone; what it has not been answered was not done. */
  close(): void {
    this.#waiting.clear();
  }

  #run(client: IntakeClient): void {
    for (let packet = this.#waiting.peek(); packet !== undefined; packet = this.#waiting.peek()) {
      if (packet.type === "unsubscribe") this.#unsubscribe(packet, client);
      else {
        const allowed = authorizeSubscribe(packet, client);
        if (allowed instanceof Promise) return this.#await(packet, allowed, client);
        this.#subscribe(packet, allowed, client);
      }
      this.#waiting.shift();
    }
    client.resumeReading();
  }

  #await(packet: Subscribe, decisions: Promise<boolean[]>, client: IntakeClient): void {
    decisions
      .then((allowed) => {
        if (this.#engine.over) return;
        this.#subscribe(packet, allowed, client);
        this.#waiting.shift();
        this.#run(client);
      })
      .catch((error: unknown) => client.onError(error));
  }

  #subscribe(packet: Subscribe, allowed: readonly boolean[], client: IntakeClient): void {
    const reasonCodes = subscribe(packet, allowed, client, this.#context);
    const reason = client.queues.takeReason();
    const properties = reason === null || client.level === 4 ? null : { reasonString: reason };
    this.#answer(packet, client, () => {
      this.#engine.sendSuback({ type: "suback", packetId: packet.packetId, reasonCodes, properties });
      client.session.pump();
      client.queues.openFresh();
    });
  }

  #unsubscribe(packet: Unsubscribe, client: IntakeClient): void {
    const codes = unsubscribe(packet, client, this.#context);
    const reasonCodes = client.level === 5 ? codes : [];
    this.#answer(packet, client, () =>
      this.#engine.sendUnsuback({ type: "unsuback", packetId: packet.packetId, reasonCodes, properties: null }),
    );
  }

  #answer(packet: Subscribe | Unsubscribe, client: IntakeClient, send: () => void): void {
    // Of queues more is stored than of the session: their groups.
    if (client.session.stored === null && !ConnectionQueues.concerns(packet)) return send();
    const onDurable = (): void => {
      if (this.#engine.over) return;
      try {
        send();
      } catch (error) {
        client.onError(error);
      }
    };
    this.#context.hub.committer.whenDurable({ onDurable, onCommitFailed: () => undefined }, 0);
  }
}
