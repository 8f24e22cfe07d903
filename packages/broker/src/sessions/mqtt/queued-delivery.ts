import type { QueueDelivery } from "../../core/queues/queue-port.ts";
import type { Delivery } from "./delivery.ts";
import type { MqttQueueConsumer } from "./mqtt-queue-consumer.ts";

/** What can be in flight to a client. */
export type Outgoing = Delivery | QueuedDelivery;

/**
 * A queue's message in flight to a client; PUBACK settles it, unless somebody on this connection has settled it by its id before. It holds no bytes, so
 * that a client that acknowledges nothing keeps none in memory.
 */
export class QueuedDelivery {
  readonly consumer: MqttQueueConsumer;
  readonly offset: number;
  /** As the client was told. */
  readonly deliveryCount: number;
  /** True until it is settled, or given back. */
  isOpen = true;
  /** True when the same message was sent to this client again before its PUBACK. */
  isSuperseded = false;
  // The fields of a PUBLISH, so that it can be written as it is.
  readonly qos: 0 | 1;
  readonly retain = false;
  readonly dup = false;
  packetId = 0;

  constructor(consumer: MqttQueueConsumer, { offset, deliveryCount }: QueueDelivery, qos: 0 | 1) {
    this.consumer = consumer;
    this.offset = offset;
    this.deliveryCount = deliveryCount;
    this.qos = qos;
  }
}
