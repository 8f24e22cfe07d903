import type { BrokerOptions } from "@polymq/broker";
import { MessagingError } from "polymq/internal";
import type { Environment, RunningBroker } from "./environment.ts";

/** An {@link Environment} that starts no broker and notes everything. */
export class FakeEnvironment implements Environment {
  readonly version: string = "1.2.3";
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

  out(text: string): void {
    this.stdout += text;
    // The banner is the last thing before the wait for the end.
    this.#resolveReady();
  }

  err(text: string): void {
    this.stderr += text;
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
