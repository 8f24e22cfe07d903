import type { CommandDefinition, CommandEntry } from "../command.ts";

/** What other tools call an option; it stands for ours where the command has that, and a name of our own goes before it. */
const NAMES: ReadonlyMap<string, string> = new Map([
  // MQTTX
  ["-ct", "--content-type"],
  ["-rt", "--response-topic"],
  ["-cd", "--correlation-data"],
  ["-pf", "--payload-format-indicator"],
  ["-up", "--prop"],
  ["-lm", "--stdin-lines"],
  ["-nl", "--no-local"],
  ["-rap", "--retain-as-published"],
  ["-rh", "--retain-handling"],
  ["-se", "--session-expiry"],
  ["-wh", "--ws-header"],
  ["-Wt", "--will-topic"],
  ["-Wm", "--will-payload"],
  ["-Wq", "--will-qos"],
  ["-Wr", "--will-retain"],
  ["-Wd", "--will-delay"],
  ["-We", "--will-expires"],
  ["-Wct", "--will-content-type"],
  ["-Wup", "--will-prop"],
  ["-Cup", "--connect-prop"],
  ["--rcv-max", "--receive-maximum"],
  ["--conn-user-properties", "--connect-prop"],
  ["--will-delay-interval", "--will-delay"],
  ["--will-message-expiry-interval", "--will-expires"],
  ["--will-user-properties", "--will-prop"],
  ["--hostname", "--host"],
  ["--client-id", "--id"],
  ["--ca", "--cafile"],
  ["--file-read", "--file"],
  ["--line-mode", "--stdin-lines"],
  ["--user-properties", "--prop"],
  ["--message-expiry-interval", "--expires"],
  ["--session-expiry-interval", "--session-expiry"],
  ["--ws-headers", "--ws-header"],
  ["--will-message", "--will-payload"],
  ["--no_local", "--no-local"],
  // mosquitto
  ["--pw", "--password"],
  ["--disable-clean-session", "--no-clean"],
  ["--tls-alpn", "--alpn"],
  ["--tls-use-os-certs", "--tls"],
  ["--stdin-file", "--stdin"],
  ["--stdin-line", "--stdin-lines"],
  // amqp-tools
  ["-H", "--prop"],
  ["--header", "--prop"],
  ["--body", "--message"],
  ["--reply-to", "--response-topic"],
  ["--line-buffered", "--stdin-lines"],
]);

/** Names whose value is `name: value` in the other tool. */
const WITH_COLON: ReadonlySet<string> = new Set([
  "-up",
  "--user-properties",
  "-Cup",
  "--conn-user-properties",
  "-Wup",
  "--will-user-properties",
  "-H",
  "--header",
  "-wh",
  "--ws-headers",
]);

/** mosquitto's `-D <packet> <property> <value>`: packet and property, and the option of ours. */
const PROPERTIES: ReadonlyMap<string, string> = new Map([
  ["publish content-type", "--content-type"],
  ["publish correlation-data", "--correlation-data"],
  ["publish message-expiry-interval", "--expires"],
  ["publish payload-format-indicator", "--payload-format-indicator"],
  ["publish response-topic", "--response-topic"],
  ["publish user-property", "--prop"],
  ["connect session-expiry-interval", "--session-expiry"],
  ["connect receive-maximum", "--receive-maximum"],
  ["connect maximum-packet-size", "--maximum-packet-size"],
  ["connect user-property", "--connect-prop"],
  ["will will-delay-interval", "--will-delay"],
  ["will message-expiry-interval", "--will-expires"],
  ["will content-type", "--will-content-type"],
  ["will user-property", "--will-prop"],
]);

/** Puts our names in place of other tools' in a command line; values, and what no tool calls so, stay as they are. */
export function withOurNames(args: readonly string[], entries: readonly CommandEntry[]): readonly string[] {
  const [word = "", ...rest] = args;
  const entry = entries.find(({ name }) => name === word);
  if (entry === undefined) return args;
  if ("commands" in entry) return [word, ...withOurNames(rest, entry.commands)];
  return [word, ...rewritten(rest, new OptionTable(entry))];
}

/** The options of a command by their names. */
class OptionTable {
  /** True for those that a value follows. */
  readonly #takesValue: ReadonlyMap<string, boolean>;

  constructor({ options }: CommandDefinition) {
    this.#takesValue = new Map(
      options.flatMap(({ long, short, required, optional }) =>
        [long, short].flatMap((name) => (name == null ? [] : [[name, required || optional] as const])),
      ),
    );
  }

  has(name: string): boolean {
    return this.#takesValue.has(name);
  }

  takesValue(name: string): boolean {
    return this.#takesValue.get(name) === true;
  }

  /** True when the word leaves its value to the next one: `--topic`, `-t`, and `-vt` as well. */
  awaitsValue(word: string): boolean {
    if (word.startsWith("--")) return this.takesValue(word);
    if (!word.startsWith("-")) return false;
    const letters = [...word.slice(1)];
    const first = letters.findIndex((letter) => this.takesValue(`-${letter}`));
    return first >= 0 && first === letters.length - 1;
  }
}

function rewritten(words: readonly string[], table: OptionTable): readonly string[] {
  const out: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") return [...out, ...words.slice(i)];
    const property = word === "-D" ? PROPERTIES.get(`${words[i + 1]} ${words[i + 2]}`) : undefined;
    if (property !== undefined && table.has(property)) {
      const length = property.endsWith("prop") ? 2 : 1;
      out.push(...propertyWords(property, words.slice(i + 3, i + 3 + length)));
      i += 2 + length;
      continue;
    }
    const [name, attached] = taken(word);
    const ours = table.has(name) ? undefined : NAMES.get(name);
    if (ours !== undefined && table.has(ours)) {
      const value = attached ?? (table.takesValue(ours) ? words[++i] : undefined);
      out.push(ours, ...(value === undefined ? [] : [WITH_COLON.has(name) ? withEquals(value) : value]));
    } else {
      out.push(word);
      if (attached === undefined && table.awaitsValue(word) && i + 1 < words.length) out.push(words[++i] ?? "");
    }
  }
  return out;
}

/** The name in `--name=value`, and the value. */
function taken(word: string): readonly [name: string, attached: string | undefined] {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

/** A missing value stays away, so that the parser says so. */
function propertyWords(option: string, values: readonly string[]): readonly string[] {
  if (option === "--payload-format-indicator") return values[0] === "1" ? [option] : [];
  return values.length === 0 ? [option] : [option, values.join("=")];
}

function withEquals(text: string): string {
  const [, name, value] = /^([^:=]+):\s*(.*)$/s.exec(text) ?? [];
  return name === undefined ? text : `${name}=${value}`;
}
