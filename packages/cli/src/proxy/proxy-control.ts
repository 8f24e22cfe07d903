import type { Direction, FaultProxy, Faults } from "polymq/testing";
import { parseRange } from "./proxy-flags.ts";

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

  /** Does what a line says; resolves with what is to be told, or null. @throws {Error} for a line that says nothing */
  async run(line: string): Promise<object | null> {
    const [word = "", value = ""] = line.trim().split(/\s+/);
    switch (word) {
      case "":
        return null;
      case "delay":
        return this.#set({ ...this.#faults, delayMs: parseRange(value) });
      case "pieces":
        return this.#set({ ...this.#faults, pieceBytes: parseRange(value) });
      case "throughput":
        return this.#set({ ...this.#faults, bytesPerSecond: parseRange(value)[0] });
      case "stall":
        return this.#set({ ...this.#faults, stall: value === "both" ? "both" : directionOf(value) });
      case "clear":
        return this.#set({});
      case "cut":
        this.#proxy.cut(value === "fin" ? "fin" : "rst");
        return null;
      case "half-close":
        this.#proxy.halfClose(directionOf(value));
        return null;
      case "refuse":
        await this.#proxy.refuse(value === "" ? Number.POSITIVE_INFINITY : parseRange(value)[0] * 1_000);
        return null;
      case "accept":
        await this.#proxy.accept();
        return null;
      case "stats":
        return this.#proxy.stats;
      default:
        throw new Error(`nobody knows what ${word} is`);
    }
  }

  #set(faults: Faults): Faults {
    this.#faults = faults;
    this.#proxy.setFaults(faults);
    return faults;
  }
}

function directionOf(word: string): Direction {
  if (word === "toServer" || word === "toClient") return word;
  throw new Error("a direction is toServer or toClient");
}
