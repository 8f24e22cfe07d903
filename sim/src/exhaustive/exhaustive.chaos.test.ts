import { describeExchange } from "./exchange.test-support.ts";
import { QUIET_AMQP10, QUIET_AMQP091 } from "./exhaustive.ts";

for (const seed of [3, 25, 39, 45, 51]) describeExchange(seed);
for (const seed of [1, 23, 32, 55]) describeExchange(seed, QUIET_AMQP091);
for (const seed of [10, 37, 38, 42]) describeExchange(seed, QUIET_AMQP10);
