import { MessagingError } from "polymq/internal";
import type { Direction, FaultProxy, Faults } from "polymq/testing";
import { type Range, rangeOf } from "./proxy-flags.ts";

/** What may be written to a running proxy, a line each. */
export const CONTROL_HELP = `While it runs, lines on standard input change it:
  delay <ms|range>, pieces <bytes|range>, throughput <bytes>, stall <toServer|toClient|both>, clear
  cut [fin|rst], half-close <toServer|toClient>, refuse [seconds], accept, stats`;

/** Changes a running proxy by lines of text. */
export class ProxyControl {
  readonly #proxy: FaultProxy;
  #faults: Faults;

  constructor(proxy: FaultProxy, faults: Faults) {
    this.#proxy = proxy;
    this.#faults = faults;
  }

  /** Does what a line says; resolves with what is to be told, or null. @throws {MessagingError} ERR_INVALID_ARGUMENT for a line that says nothing */
  async run(line: string): Promise<object | null> {
    const [word = "", value = "", more] = line.trim().split(/\s+/);
    if (more !== undefined) throw wrong(`${word} takes no more than one word`);
    switch (word) {
      case "":
        return null;
      case "delay":
        return this.#set({ ...this.#faults, delayMs: rangeIn(word, value) });
      case "pieces":
        return this.#set({ ...this.#faults, pieceBytes: rangeIn(word, value) });
      case "throughput":
        return this.#set({ ...this.#faults, bytesPerSecond: rangeIn(word, value)[0] });
      case "stall":
        return this.#set({ ...this.#faults, stall: wordIn(word, value, ["toServer", "toClient", "both"]) });
      case "clear":
        return this.#set({});
      case "cut":
        this.#proxy.cut(value === "" ? "rst" : wordIn(word, value, ["fin", "rst"]));
        return null;
      case "half-close":
        this.#proxy.halfClose(wordIn<Direction>(word, value, ["toServer", "toClient"]));
        return null;
      case "refuse":
        await this.#proxy.refuse(value === "" ? Number.POSITIVE_INFINITY : rangeIn(word, value)[0] * 1_000);
        return null;
      case "accept":
        await this.#proxy.accept();
        return null;
      case "stats":
        return this.#proxy.stats;
      default:
        throw wrong(`nobody knows what ${word} is`);
    }
  }

  #set(faults: Faults): Faults {
    this.#faults = faults;
    this.#proxy.setFaults(faults);
    return faults;
  }
}

function rangeIn(command: string, text: string): Range {
  const range = rangeOf(text);
  if (range === null) throw wrong(`${command}: a whole number, or a range such as 10-50`);
  return range;
}

function wordIn<W extends string>(command: string, text: string, words: readonly W[]): W {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw wrong(`${command}: ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`);
}

function wrong(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", what);
}
