/** `polymq/amqp10/rabbitmq`: what RabbitMQ 4 adds to AMQP 1.0: addresses, filters of streams, queue management over links. */
export { rabbitmqExchange, rabbitmqHostname, rabbitmqQueue } from "./addresses.ts";
export {
  applicationPropertiesFilter,
  propertiesFilter,
  type RabbitmqStreamStart,
  sqlFilter,
  streamFilter,
  streamOffset,
} from "./filters.ts";
export {
  type RabbitmqBinding,
  type RabbitmqExchangeOptions,
  RabbitmqManagement,
  type RabbitmqQueueInfo,
  type RabbitmqQueueOptions,
} from "./management.ts";
