import { type ClientRequestOptions, isMessagingError } from "polymq";
import type { CommandDefinition } from "../command.ts";
import { ExitCode } from "../exit-code.ts";
import { payloadsOf, type SourceFlags, sourceOptions } from "../input/payloads.ts";
import { type ConnectionFlags, connectionOptions } from "../options/connection.ts";
import { option, parseSeconds } from "../options/parse.ts";
import { type OutputFlags, outputOptions, printerOf, TEMPLATE_HELP } from "../output/printer.ts";
import { withClient } from "../session/client-session.ts";
import { untilAborted } from "../session/until-aborted.ts";

interface ReqFlags extends ConnectionFlags, SourceFlags, OutputFlags {
  readonly topic: string;
  readonly timeout?: number;
  readonly contentType?: string;
}

/** `polymq req`: sends requests and prints their answers. */
export const REQ_COMMAND: CommandDefinition<ReqFlags> = {
  name: "req",
  summary: "send a request to whoever responds at an address, and print the answer",
  options: [
    option("-t, --topic <address>", "where the responders are").makeOptionMandatory(),
    ...sourceOptions(),
    option("--content-type <type>", "content type of the request"),
    option("-W, --timeout <seconds>", "longest wait for an answer; then exit with 124 (default: 10)", parseSeconds),
    ...outputOptions(),
    ...connectionOptions(),
  ],
  examples: [
    ["-t prices -m widget", "over MQTT 5.0"],
    ["-t prices -l -L amqp10://localhost:5672 < names.txt", "a request for each line, one after the other"],
  ],
  notes: TEMPLATE_HELP,
  run: async (call) => {
    const { flags, env } = call;
    const payloads = payloadsOf(flags, env);
    const print = printerOf(flags, () => env.clock.epochMs());
    const { topic, timeout, contentType } = flags;
    return await withClient(call, async ({ client, stop }) => {
      const options: ClientRequestOptions = {
        signal: stop.signal,
        ...(timeout === undefined ? {} : { timeoutMs: timeout }),
        ...(contentType === undefined ? {} : { contentType }),
      };
      try {
        for await (const payload of untilAborted(payloads, stop.signal)) {
          env.out(print(await client.request(topic, payload, options)));
          await env.outReady();
        }
      } catch (error) {
        if (isMessagingError(error) && error.code === "ERR_TIMEOUT") return ExitCode.timedOut;
        throw error;
      }
      return stop.signal.aborted ? ExitCode.interrupted : ExitCode.ok;
    });
  },
};
