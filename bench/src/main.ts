import { GoProgram } from "./amqp10/go-program.ts";
import { amqp10LoopSuite } from "./amqp10/loop/suite.ts";
import { amqp10ClientSuite } from "./amqp10/suite.ts";
import { amqp091ClientSuite } from "./amqp091/suite.ts";
import { parseOptions, USAGE, UsageError } from "./harness/options.ts";
import { printProgress, printResult } from "./harness/report.ts";
import { runSuites } from "./harness/run.ts";
import type { Suite } from "./harness/suite.ts";
import { brokerSuite } from "./mqtt/broker/suite.ts";
import { clientSuite } from "./mqtt/client/suite.ts";
import { queueSuite } from "./queues/suite.ts";
import { unifiedSuite } from "./unified/suite.ts";

/** The suites of each protocol, in the order they run. */
const SUITES: Readonly<Record<string, readonly Suite[]>> = {
  mqtt: [clientSuite, brokerSuite],
  amqp091: [amqp091ClientSuite],
  amqp10: [amqp10ClientSuite(new GoProgram()), amqp10LoopSuite],
  queues: [queueSuite],
  unified: [unifiedSuite],
};

// An orderly exit, so that what was started is ended too.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

const args = process.argv.slice(2);
if (args.length === 0 || args.includes("--help")) printResult(USAGE);
else process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = parseOptions(args);
    return await runSuites(SUITES[options.protocol] ?? [], options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    printProgress(`${error.message}\n\n${USAGE}`);
    return 2;
  }
}
