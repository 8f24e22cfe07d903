import { describeExchange } from "./exchange.test-support.ts";

for (const seed of [53, 10, 55, 16, 56]) describeExchange(seed);
