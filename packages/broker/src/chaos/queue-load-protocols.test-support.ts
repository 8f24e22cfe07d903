/** Who takes part in the load on a queue; a further protocol is one more entry here, and two classes. */
import {
  Amqp10LoadConsumer,
  Amqp10LoadPublisher,
  Amqp10TransactionalConsumer,
} from "./queue-load-amqp10.test-support.ts";
import { Amqp091LoadConsumer, Amqp091LoadPublisher } from "./queue-load-amqp091.test-support.ts";
import type { LoadConsumer, LoadPublisher } from "./queue-load-client.test-support.ts";
import { MqttLoadConsumer, MqttLoadPublisher } from "./queue-load-mqtt.test-support.ts";

type Maker<T> = new (port: number, id: string) => T;

const PUBLISHERS: readonly Maker<LoadPublisher>[] = [MqttLoadPublisher, Amqp091LoadPublisher, Amqp10LoadPublisher];

const CONSUMERS: readonly Maker<LoadConsumer>[] = [
  MqttLoadConsumer,
  Amqp091LoadConsumer,
  Amqp10LoadConsumer,
  Amqp10TransactionalConsumer,
];

/** The kinds of consumers that there are. */
export const CONSUMER_KINDS: number = CONSUMERS.length;

/** A publisher; the protocols in turn. */
export function loadPublisher(index: number, port: number, id: string): LoadPublisher {
  const Made = PUBLISHERS[index % PUBLISHERS.length] ?? MqttLoadPublisher;
  return new Made(port, id);
}

/** A consumer; the kinds in turn. */
export function loadConsumer(index: number, port: number, id: string): LoadConsumer {
  const Made = CONSUMERS[index % CONSUMERS.length] ?? MqttLoadConsumer;
  return new Made(port, id);
}
