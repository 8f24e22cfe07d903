import { describeExchange } from "./exchange.test-support.ts";
import { QUIET_AMQP10, QUIET_AMQP091 } from "./exhaustive.ts";

// Exchanges with subscriptions, a group, retained messages, every QoS, a stream, queues with several groups, and transactions that are committed, rolled back and left alone.
describeExchange(49);
describeExchange(17, QUIET_AMQP091);
describeExchange(51, QUIET_AMQP10);
