import { describeExchange } from "./exchange.test-support.ts";

for (const seed of [2, 6, 11, 42, 44]) describeExchange(seed);
