import { InvalidArgumentError } from "commander";
import { type Client, type Message, MessagingError } from "polymq";
import { topicMatches, validateTopicFilter } from "polymq/mqtt/codec";
import type { CommandDefinition } from "../command.ts";
import { ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { type ConnectionFlags, connectionOptions } from "../options/connection.ts";
import { type LimitFlags, limitOptions } from "../options/consuming.ts";
import { collect, option, parseQos, wholeNumber } from "../options/parse.ts";
import { type OutputFlags, outputOptions, printerOf, TEMPLATE_HELP } from "../output/printer.ts";
import { type Session, withClient } from "../session/client-session.ts";
import { Consumption } from "../session/consumption.ts";

interface SubFlags extends ConnectionFlags, LimitFlags, OutputFlags {
  readonly topic?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly qos?: 0 | 1 | 2;
  readonly filterOut?: readonly string[];
  readonly exitAfterSubscribe?: boolean;
  readonly removeRetained?: boolean;
  readonly retainedOnly?: boolean;
  /** False: `--no-retained`. */
  readonly retained?: boolean;
  /** False: `--no-local`. */
  readonly local?: boolean;
  readonly retainAsPublished?: boolean;
  readonly retainHandling?: 0 | 1 | 2;
}

/** Filters that are wrong would match anything. */
function collectFilter(text: string, before: readonly string[] | undefined): readonly string[] {
  const fault = validateTopicFilter(text);
  if (fault !== null) throw new InvalidArgumentError(`${fault}.`);
  return collect(text, before);
}

const parseRetainHandling = wholeNumber(0, 2) as (text: string) => 0 | 1 | 2;

/** `polymq sub`: prints messages of topics. */
export const SUB_COMMAND: CommandDefinition<SubFlags> = {
  name: "sub",
  summary: "subscribe to topics and print their messages",
  options: [
    option("-t, --topic <filter>", "topic filter; + is one level, # all that follow; repeatable", collect),
    option(
      "-U, --unsubscribe <filter>",
      "MQTT: first end this subscription of the session; without --topic that is all; repeatable",
      collectFilter,
    ),
    option("-q, --qos <level>", "0 at most once, 1 at least once, 2 exactly once (MQTT) (default: 0)", parseQos),
    option("-T, --filter-out <filter>", "print and count no messages whose topic matches; repeatable", collectFilter),
    ...limitOptions(),
    option("-E, --exit-after-subscribe", "exit once the server has confirmed: keeps messages for --no-clean"),
    ...outputOptions(),
    option("-R, --no-retained", "MQTT: print no messages that were kept from earlier"),
    option("--retained-only", "MQTT: print only those, and exit at the first that is new"),
    option("--remove-retained", "MQTT: remove those that are printed from the server"),
    option("--no-local", "MQTT 5.0: not what this client publishes itself, as another with its --id may have"),
    option("--retain-as-published", "MQTT 5.0: the retain flag of new messages is the publisher's"),
    option(
      "--retain-handling <number>",
      "MQTT 5.0: kept messages are sent 0 at once, 1 if the subscription is new, 2 never (default: 0)",
      parseRetainHandling,
    ),
    ...connectionOptions(),
  ],
  examples: [
    ["-t 'sensors/#' -v", "topics and payloads, until stopped"],
    ["-t hello -C 1 -W 10", "one message, or exit code 124 after 10 seconds"],
    ["-L amqp10://localhost:5672 -t 'a/+' --json", "over AMQP 1.0, a line of JSON for each message"],
    ["-t 'jobs/#' -F '%I %t %p'", "with a template"],
  ],
  notes: TEMPLATE_HELP,
  run: async (call) => {
    const { flags, env } = call;
    if (flags.retainedOnly === true && flags.retained === false) {
      throw new UsageError("--no-retained and --retained-only exclude each other");
    }
    if (flags.topic === undefined && flags.unsubscribe === undefined) {
      throw new UsageError("say what to subscribe to with --topic");
    }
    const print = printerOf(flags, () => env.clock.epochMs());
    return await withClient(call, (session) => consume(session, flags, print));
  },
};

async function consume(
  session: Session,
  flags: SubFlags,
  print: (message: Message) => string | Uint8Array,
): Promise<ExitCode> {
  const { client } = session;
  if (client.protocol !== "mqtt") refuseMqttFlags(flags);
  if (flags.unsubscribe !== undefined && client.is("mqtt")) {
    await client.native.unsubscribe(flags.unsubscribe, { signal: session.stop.signal });
    if (flags.topic === undefined) return ExitCode.ok;
  }
  const { topic: filters = [] } = flags;
  const consumption = new Consumption(session, {
    count: flags.count,
    timeoutMs: flags.timeout,
    print: (message) => {
      const rule = ruleFor(flags, message);
      return rule === "print" ? print(message) : rule;
    },
    settle: async (message) => {
      if (flags.removeRetained === true && isKept(message) && ruleFor(flags, message) === "print") {
        await removeKept(client, message.topic);
      }
      await message.ack();
    },
  });
  return await consumption.run(async () => {
    await Promise.all(filters.map((filter) => subscribe(client, filter, flags, consumption)));
    if (flags.exitAfterSubscribe === true) consumption.end(ExitCode.ok);
  });
}

function subscribe(client: Client, filter: string, flags: SubFlags, { handler }: Consumption): Promise<unknown> {
  const { qos = 0, local, retainAsPublished, retainHandling } = flags;
  const topic = {
    ...(local === false ? { noLocal: true } : {}),
    ...(retainAsPublished === undefined ? {} : { retainAsPublished }),
    ...(retainHandling === undefined ? {} : { retainHandling }),
  };
  if (client.is("mqtt")) return client.subscribe(filter, { ...topic, qos, ack: "manual", handler });
  if (qos === 2) throw new MessagingError("ERR_UNSUPPORTED", "--qos 2 is for MQTT");
  return client.subscribe(filter, { qos, ack: "manual", handler });
}

/** @throws {MessagingError} ERR_UNSUPPORTED with the flags that only MQTT has */
function refuseMqttFlags({ retained, local, ...flags }: SubFlags): void {
  const given = [
    ...(flags.unsubscribe === undefined ? [] : ["--unsubscribe"]),
    ...(retained === false ? ["--no-retained"] : []),
    ...(flags.retainedOnly === true ? ["--retained-only"] : []),
    ...(flags.removeRetained === true ? ["--remove-retained"] : []),
    ...(local === false ? ["--no-local"] : []),
    ...(flags.retainAsPublished === true ? ["--retain-as-published"] : []),
    ...(flags.retainHandling === undefined ? [] : ["--retain-handling"]),
  ];
  if (given.length > 0) throw new MessagingError("ERR_UNSUPPORTED", `the options ${given.join(", ")} are for MQTT`);
}

/** What the flags say of a message. */
function ruleFor({ retained, retainedOnly, filterOut = [] }: SubFlags, message: Message): "print" | null | "end" {
  if (retainedOnly === true && !isKept(message)) return "end";
  if (retained === false && isKept(message)) return null;
  return filterOut.some((filter) => topicMatches(filter, message.topic)) ? null : "print";
}

function isKept({ properties }: Message): boolean {
  return properties["mqtt.retain"] === "true";
}

/** An empty message takes the place of the one that the server keeps. */
async function removeKept(client: Client, topic: string): Promise<void> {
  if (client.is("mqtt")) await client.publish(topic, "", { qos: 1, retain: true });
}
