import { connect } from "polymq";
import { QUEUE, TOPIC, type UnifiedPlan, WINDOW } from "./rows.ts";
import { GROUP, type Session } from "./session.ts";

const SCHEMES = { mqtt: "mqtt", amqp091: "amqp", amqp10: "amqp10" } as const;

/** The unified client with default options but for the window and, so that a fault ends the run, no reconnecting. */
export async function openUnified({ protocol, work, port }: UnifiedPlan): Promise<Session> {
  const url = `${SCHEMES[protocol]}://127.0.0.1:${port}` as "mqtt://127.0.0.1";
  const client = await connect(url, { reconnect: false, mqtt: { maxInflight: WINDOW, receiveMaximum: WINDOW } });
  const queue = client.queue(QUEUE);
  const acknowledged = { qos: 1 } as const;
  return {
    send:
      work === "publish"
        ? (payload) => client.publish(TOPIC, payload, acknowledged)
        : (payload) => queue.publish(payload),
    consume: (handler) =>
      queue.consume({ group: GROUP, prefetch: WINDOW, handler: (message) => handler(message.payload) }),
    close: () => client.close(),
  };
}
