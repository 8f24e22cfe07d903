import { describeExchange } from "./exchange.test-support.ts";

// An exchange with subscriptions, a group, retained messages and every QoS.
describeExchange(22);
