import { describeExchange } from "./exchange.test-support.ts";

// An exchange with subscriptions, a group, retained messages, every QoS, a stream, and queues with several groups.
describeExchange(49);
