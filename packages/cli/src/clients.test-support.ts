/** Commands that run against the embedded broker in this process, without sockets. */
import { type MemoryBroker, memoryBroker } from "@polymq/broker/testing";
import { type Client, type ClientOptions, connect } from "polymq";
import { runCli } from "./cli.ts";
import { FakeEnvironment } from "./environment.test-support.ts";

/** Every protocol, and the address of the broker over it. */
export const PROTOCOLS: readonly (readonly [protocol: string, url: string])[] = [
  ["mqtt", "mqtt://memory"],
  ["amqp091", "amqp://memory"],
  ["amqp10", "amqp10://memory"],
];

/** A broker and what is connected to it; `close` ends all. */
export class Site {
  readonly broker: MemoryBroker;
  readonly #clients: Client[] = [];

  private constructor(broker: MemoryBroker) {
    this.broker = broker;
  }

  static async start(options: Parameters<typeof memoryBroker>[0] = {}): Promise<Site> {
    return new Site(await memoryBroker(options));
  }

  /** A client of the test's own. */
  async client(url: string): Promise<Client> {
    const client = (await connect(url, { dial: this.broker.dial })) as Client;
    this.#clients.push(client);
    return client;
  }

  /** An environment whose commands connect to the broker. */
  environment(): ConnectedEnvironment {
    return new ConnectedEnvironment(this.broker);
  }

  /** Runs a command that ends by itself. */
  async run(...args: string[]): Promise<Ran> {
    const env = this.environment();
    const code = await runCli(args, env);
    return { code, stdout: env.stdout, stderr: env.stderr };
  }

  /** Runs a command that goes on. */
  start(...args: string[]): Running {
    const env = this.environment();
    return { env, code: runCli(args, env) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.broker.close();
  }
}

/** What a command that ended left. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Running {
  readonly env: ConnectedEnvironment;
  readonly code: Promise<number>;
}

/** A {@link FakeEnvironment} whose clients reach a broker. */
export class ConnectedEnvironment extends FakeEnvironment {
  readonly #broker: MemoryBroker;
  /** The version of MQTT on each of its connections. */
  readonly levels: (4 | 5 | null)[] = [];
  /** Subscriptions that the broker has confirmed. */
  subscriptions = 0;

  constructor(broker: MemoryBroker) {
    super();
    this.#broker = broker;
  }

  override async connect(url: string, options: ClientOptions): Promise<Client> {
    const client = (await connect(url, { ...options, dial: this.#broker.dial })) as Client;
    if (client.is("mqtt")) this.levels.push(client.native.protocolVersion);
    return told(client, () => {
      this.subscriptions++;
      this.changed();
    });
  }

  /** Resolves when so many subscriptions are there. */
  subscribed(count = 1): Promise<void> {
    return this.until(() => this.subscriptions >= count);
  }
}

const SUBSCRIBING: ReadonlySet<string | symbol> = new Set(["subscribe", "consume", "read", "respond"]);

type Call = (...args: unknown[]) => unknown;

/** The same object, which tells when what it is asked to subscribe to, consume or read is confirmed. */
function told<T extends object>(target: T, tell: () => void): T {
  return new Proxy(target, {
    get: (_, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      const call = value.bind(target) as Call;
      if (key === "queue" || key === "stream") return (...args: unknown[]) => told(call(...args) as object, tell);
      if (!SUBSCRIBING.has(key)) return call;
      return async (...args: unknown[]) => {
        const result = await call(...args);
        tell();
        return result;
      };
    },
  });
}
