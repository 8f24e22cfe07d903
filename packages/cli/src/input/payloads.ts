import type { Option } from "commander";
import { MessagingError } from "polymq/internal";
import type { Environment } from "../environment.ts";
import { UsageError } from "../failure.ts";
import { option, parseCount, parseSeconds, wordOption } from "../options/parse.ts";
import type { PublishRules } from "../session/publish-all.ts";
import { allOf, linesOf } from "./lines.ts";

/** Flags that say what is sent. */
export interface SourceFlags {
  readonly message?: string;
  readonly file?: string;
  readonly stdinLines?: boolean;
  readonly stdin?: boolean;
  readonly nullMessage?: boolean;
  readonly encoding?: PayloadEncoding;
}

/** How text stands for bytes. */
type PayloadEncoding = "hex" | "base64";

/** What may stand in such a text. */
const ENCODINGS: Readonly<Record<PayloadEncoding, RegExp>> = {
  hex: /^(?:[\da-f]{2})*$/i,
  base64: /^(?:[\da-z+/]{4})*(?:[\da-z+/]{2}==|[\da-z+/]{3}=)?$/i,
};

/** The options behind {@link SourceFlags}. */
export function sourceOptions(): readonly Option[] {
  return [
    option("-m, --message <text>", "the payload"),
    option("-f, --file <path>", "the payload is this file"),
    option("-l, --stdin-lines", "each line of standard input is a payload"),
    option("-s, --stdin", "all of standard input is one payload"),
    option("-n, --null-message", "an empty payload"),
    wordOption("--encoding <name>", "what is given stands for bytes in this way", Object.keys(ENCODINGS)),
  ];
}

/** Flags that say what is published, and how often. */
export interface PayloadFlags extends SourceFlags {
  readonly repeat?: number;
  readonly delay?: number;
  readonly repeatDelay?: number;
  readonly json?: boolean;
}

/** The options behind {@link PayloadFlags}. */
export function payloadOptions(): readonly Option[] {
  return [
    ...sourceOptions(),
    option("--repeat <count>", "publish each payload so many times (default: 1)", parseCount),
    option("--delay <seconds>", "pause between messages (default: 0)", parseSeconds),
    option("--repeat-delay <seconds>", "as --delay", parseSeconds).hideHelp(),
    option("--json", "print one line of JSON at the end"),
  ];
}

/** Checks that there is exactly one source of payloads. @throws {UsageError} */
export function payloadsOf(flags: SourceFlags, env: Environment): AsyncIterable<Uint8Array> {
  const { message, file, stdinLines, stdin, nullMessage } = flags;
  const sources: (() => AsyncIterable<Uint8Array>)[] = [];
  if (message !== undefined) sources.push(() => once(() => Buffer.from(message)));
  if (file !== undefined) sources.push(() => once(() => env.readFile(file)));
  if (stdinLines === true) sources.push(() => linesOf(env.stdin));
  if (stdin === true) sources.push(() => once(() => allOf(env.stdin)));
  if (nullMessage === true) sources.push(() => once(() => new Uint8Array()));
  const [source] = sources;
  if (source === undefined || sources.length > 1) {
    throw new UsageError(
      "say what to publish with exactly one of --message, --file, --stdin-lines, --stdin and --null-message",
    );
  }
  const { encoding } = flags;
  return encoding === undefined ? source() : decoded(source(), encoding);
}

/** The bytes that the text of each payload stands for; white space in it does not count. @throws {MessagingError} ERR_INVALID_MESSAGE */
async function* decoded(
  texts: AsyncIterable<Uint8Array>,
  encoding: PayloadEncoding,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const bytes of texts) {
    const text = Buffer.from(bytes).toString("latin1").replaceAll(/\s/g, "");
    if (!ENCODINGS[encoding].test(text))
      throw new MessagingError("ERR_INVALID_MESSAGE", `a payload that is no ${encoding}`);
    yield Buffer.from(text, encoding);
  }
}

/** How often and how fast. */
export function publishRules({ repeat = 1, delay, repeatDelay, json }: PayloadFlags): PublishRules {
  return { repeat, delayMs: delay ?? repeatDelay ?? 0, json: json === true };
}

async function* once(make: () => Uint8Array | Promise<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  yield await make();
}
