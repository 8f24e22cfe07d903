import { describeExchange } from "./exchange.test-support.ts";

for (const seed of [3, 25, 39, 45, 51]) describeExchange(seed);
