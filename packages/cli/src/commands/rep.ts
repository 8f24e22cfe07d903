import type { Message, Responding } from "polymq";
import type { CommandDefinition } from "../command.ts";
import type { Environment } from "../environment.ts";
import { UsageError } from "../failure.ts";
import { type ConnectionFlags, connectionOptions } from "../options/connection.ts";
import { type LimitFlags, limitOptions } from "../options/consuming.ts";
import { option } from "../options/parse.ts";
import { type OutputFlags, outputOptions, printerOf, TEMPLATE_HELP } from "../output/printer.ts";
import { withClient } from "../session/client-session.ts";
import { Consumption } from "../session/consumption.ts";

interface RepFlags extends ConnectionFlags, LimitFlags, OutputFlags {
  readonly topic: string;
  readonly message?: string;
  readonly file?: string;
  readonly echo?: boolean;
}

/** `polymq rep`: answers requests, and prints them. */
export const REP_COMMAND: CommandDefinition<RepFlags> = {
  name: "rep",
  summary: "answer requests at an address, and print them",
  options: [
    option("-t, --topic <address>", "the address; its responders share the requests").makeOptionMandatory(),
    option("-m, --message <text>", "the answer"),
    option("-f, --file <path>", "the answer is this file"),
    option("--echo", "the answer is the request"),
    ...limitOptions(),
    ...outputOptions(),
    ...connectionOptions(),
  ],
  examples: [
    ["-t prices -m 9.99", "until stopped"],
    ["-t echo --echo -L amqp://localhost:5672 -C 1", "one request over AMQP 0-9-1"],
  ],
  notes: TEMPLATE_HELP,
  run: async (call) => {
    const { flags, env } = call;
    const answer = await answerOf(flags, env);
    const print = printerOf(flags, () => env.clock.epochMs());
    const { topic, count, timeout: timeoutMs } = flags;
    return await withClient(call, async (session) => {
      // A request is settled by its answer.
      const consumption = new Consumption(session, { count, timeoutMs, print, settle: () => Promise.resolve() });
      const responding: Responding[] = [];
      const code = await consumption.run(async () => {
        const started = await session.client.respond(topic, async (request) => {
          await consumption.handler(request);
          return answer(request);
        });
        responding.push(started);
      });
      // The last answer leaves after its request was counted.
      for (const each of responding) await each.stop();
      return code;
    });
  },
};

/** @throws {UsageError} unless the flags say how to answer in one way */
async function answerOf(
  { message, file, echo }: RepFlags,
  env: Environment,
): Promise<(request: Message) => string | Uint8Array> {
  if ([message, file, echo].filter((each) => each !== undefined).length !== 1) {
    throw new UsageError("say how to answer with exactly one of --message, --file and --echo");
  }
  if (file !== undefined) {
    const bytes = await env.readFile(file);
    return () => bytes;
  }
  return message === undefined ? ({ payload }) => payload : () => message;
}
