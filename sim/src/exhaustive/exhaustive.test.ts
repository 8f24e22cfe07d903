import { describeExchange } from "./exchange.test-support.ts";
import { QUIET_AMQP10, QUIET_AMQP091 } from "./exhaustive.ts";

// An exchange with subscriptions, a group, retained messages, every QoS, a stream, and queues with several groups.
describeExchange(49);
describeExchange(17, QUIET_AMQP091);
describeExchange(1, QUIET_AMQP10);
