import type { BrokerOptions } from "@polymq/broker";
import type { Client, ClientOptions } from "polymq";
import { MessagingError } from "polymq/internal";
import { VirtualClock } from "polymq/testing";
import type { Environment, RunningBroker } from "./environment.ts";

/** An {@link Environment} that starts no broker, connects no client and notes everything. */
export class FakeEnvironment implements Environment {
  readonly version: string = "1.2.3";
  readonly clock: VirtualClock = new VirtualClock();
  isTerminal = false;
  /** What standard input gives. */
  stdin: AsyncIterable<Uint8Array> = input();
  stdout = "";
  stderr = "";
  readonly started: BrokerOptions[] = [];
  readonly exits: number[] = [];
  readonly files: Map<string, string> = new Map();
  closes = 0;
  /** Resolves when the broker has been started. */
  readonly ready: Promise<void>;
  /** What starting does; set it to make it fail. */
  start: (options: BrokerOptions) => Promise<RunningBroker>;
  #resolveReady: () => void = () => {};
  #stop: (() => void) | null = null;
  #waiting: { readonly condition: () => boolean; readonly resolve: () => void }[] = [];

  constructor() {
    this.ready = new Promise((resolve) => {
      this.#resolveReady = resolve;
    });
    this.start = () => Promise.resolve(this.broker({}));
  }

  /** A broker at 127.0.0.1:4321. */
  broker(more: Partial<RunningBroker>): RunningBroker {
    return {
      addresses: [
        {
          transport: "tcp",
          host: "127.0.0.1",
          port: 4321,
          urls: ["mqtt://127.0.0.1:4321", "ws://127.0.0.1:4321/mqtt"],
        },
      ],
      httpToken: null,
      close: () => {
        this.closes++;
        return Promise.resolve();
      },
      closed: new Promise(() => {}),
      ...more,
    };
  }

  /** True while the command listens for requests to stop. */
  get isListening(): boolean {
    return this.#stop !== null;
  }

  /** What SIGINT and SIGTERM do. */
  stop(): void {
    if (this.#stop === null) throw new Error("nobody listens for requests to stop");
    this.#stop();
  }

  out(data: string | Uint8Array): void {
    this.stdout += typeof data === "string" ? data : new TextDecoder().decode(data);
    this.changed();
    // The banner is the last thing before the wait for the end.
    this.#resolveReady();
  }

  outReady(): Promise<void> {
    return Promise.resolve();
  }

  err(text: string): void {
    this.stderr += text;
    this.changed();
  }

  /** Resolves when what was written satisfies `condition`. */
  until(condition: (written: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ condition: () => condition(this), resolve });
      this.changed();
    });
  }

  /** Looks again whether what `until` waits for is there. */
  changed(): void {
    this.#waiting = this.#waiting.filter(({ condition, resolve }) => {
      if (!condition()) return true;
      resolve();
      return false;
    });
  }

  connect(url: string, _options: ClientOptions): Promise<Client> {
    return Promise.reject(new MessagingError("ERR_CONNECT_FAILED", `nobody listens at ${url}`));
  }

  readonly readFile = (path: string): Promise<Uint8Array> => {
    const text = this.files.get(path);
    if (text !== undefined) return Promise.resolve(new TextEncoder().encode(text));
    const error = new Error(`ENOENT: no such file or directory, open '${path}'`);
    return Promise.reject(Object.assign(error, { code: "ENOENT" }));
  };

  /** Configuration files by path. */
  readonly configs: Map<string, BrokerOptions> = new Map();

  readConfig(path: string): Promise<BrokerOptions> {
    const found = this.configs.get(path);
    if (found !== undefined) return Promise.resolve(found);
    return Promise.reject(new MessagingError("ERR_INVALID_OPTIONS", `${path}: cannot be read`));
  }

  fetch(url: string, init: RequestInit): Promise<Response> {
    return fetch(url, init);
  }

  async startBroker(options: BrokerOptions): Promise<RunningBroker> {
    this.started.push(options);
    const broker = await this.start(options);
    setImmediate(this.#resolveReady);
    return broker;
  }

  onStop(fn: () => void): () => void {
    this.#stop = fn;
    return () => {
      this.#stop = null;
    };
  }

  exit(code: number): void {
    this.exits.push(code);
  }
}

/** Standard input that gives these texts, and ends. */
export async function* input(...texts: readonly string[]): AsyncGenerator<Uint8Array, void, void> {
  for (const text of texts) yield await Promise.resolve(new TextEncoder().encode(text));
}
