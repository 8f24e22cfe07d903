import { randomBytes } from "node:crypto";
import { startBroker } from "@polymq/broker";
import { type Client, connect } from "polymq";
import { AmqpClient } from "polymq/amqp091";
import type { ContractSite } from "../../../packages/polymq/src/unified/contract.test-support.ts";
import type { Amqp10Server } from "../harness/amqp10-server.ts";
import { findBinary } from "../harness/find-binary.ts";
import type { JavaBroker } from "../harness/java-broker.ts";
import { activemq, startActivemq } from "../harness/start-activemq.ts";
import { artemis, startArtemis } from "../harness/start-artemis.ts";
import { startFluxmq } from "../harness/start-fluxmq.ts";
import { startMosquitto } from "../harness/start-mosquitto.ts";
import { startRabbitmq } from "../harness/start-rabbitmq.ts";

/** A server with the protocols over which it is met: a column of the matrix for each. */
export interface Server {
  readonly name: string;
  /** Why it is not here, or null. */
  readonly missing: string | null;
  readonly protocols: readonly ("MQTT" | "AMQP 0-9-1" | "AMQP 1.0")[];
  start(): Promise<RunningServer>;
}

/** A server that runs. */
export interface RunningServer {
  readonly addresses: Readonly<Record<string, string>>;
  /** Makes a stream from outside of the client, where the protocol cannot; null when the server has none. */
  makeStream(name: string): Promise<void>;
  stop(): Promise<void>;
}

const flux = {
  MQTT: process.env["POLYMQ_FLUXMQ_MQTT_V5"] ?? "",
  "AMQP 0-9-1": process.env["POLYMQ_FLUXMQ_AMQP091"] ?? "",
  "AMQP 1.0": process.env["POLYMQ_FLUXMQ_AMQP10"] ?? "",
};

/** All servers of the matrix. */
export const servers: readonly Server[] = [
  {
    name: "polymq's broker",
    missing: null,
    protocols: ["MQTT", "AMQP 0-9-1", "AMQP 1.0"],
    start: async () => {
      const broker = await startBroker({ port: 0 });
      const amqp = `amqp://127.0.0.1:${broker.port}`;
      return {
        addresses: { MQTT: broker.url, "AMQP 0-9-1": amqp, "AMQP 1.0": amqp.replace("amqp:", "amqp10:") },
        makeStream: (name) => declareStream(amqp, name),
        stop: () => broker.close(),
      };
    },
  },
  {
    name: "RabbitMQ",
    missing: findBinary("rabbitmq-server") === undefined ? "rabbitmq-server is not installed" : null,
    protocols: ["MQTT", "AMQP 0-9-1", "AMQP 1.0"],
    start: async () => {
      const broker = await startRabbitmq({ plugins: ["rabbitmq_mqtt", "rabbitmq_amqp1_0"] });
      const amqp = `amqp://127.0.0.1:${broker.ports.amqp}`;
      return {
        addresses: {
          MQTT: `mqtt://guest:guest@127.0.0.1:${broker.ports.mqtt}`,
          "AMQP 0-9-1": amqp,
          "AMQP 1.0": `amqp10://guest:guest@127.0.0.1:${broker.ports.amqp}`,
        },
        makeStream: (name) => declareStream(amqp, name),
        stop: () => broker.stop(),
      };
    },
  },
  {
    name: "Mosquitto",
    missing: findBinary("mosquitto") === undefined ? "mosquitto is not installed" : null,
    protocols: ["MQTT"],
    start: async () => {
      const broker = await startMosquitto({});
      const nothing = (): Promise<void> => Promise.resolve();
      return {
        addresses: { MQTT: `mqtt://127.0.0.1:${broker.port}` },
        makeStream: nothing,
        stop: () => broker.stop(),
      };
    },
  },
  javaServer("Artemis", artemis(), startArtemis),
  javaServer("ActiveMQ Classic", activemq(), startActivemq),
  {
    name: "FluxMQ",
    missing: flux.MQTT === "" ? "POLYMQ_FLUXMQ_MQTT_V5 names no FluxMQ" : null,
    protocols: ["MQTT", "AMQP 0-9-1", "AMQP 1.0"],
    start: async () => {
      const tool = await startFluxmq(flux.MQTT);
      const amqp = `amqp://${flux["AMQP 0-9-1"]}`;
      return {
        addresses: { MQTT: `mqtt://${flux.MQTT}`, "AMQP 0-9-1": amqp, "AMQP 1.0": `amqp10://${flux["AMQP 1.0"]}` },
        makeStream: (name) => declareStream(amqp, name),
        stop: async () => {
          await tool?.stop();
        },
      };
    },
  },
];

/** A server out of Maven Central, over AMQP 1.0 alone. It has no streams. */
function javaServer(name: string, broker: JavaBroker, launch: () => Promise<Amqp10Server>): Server {
  return {
    name,
    missing: broker.missing,
    protocols: ["AMQP 1.0"],
    start: async () => {
      const { url, stop } = await launch();
      const nothing = (): Promise<void> => Promise.resolve();
      return { addresses: { "AMQP 1.0": url.replace("amqp:", "amqp10:") }, makeStream: nothing, stop };
    },
  };
}

async function declareStream(address: string, name: string): Promise<void> {
  await using client = new AmqpClient({ servers: address });
  await client.connect();
  await client.declareStreamQueue({ name });
}

/** One protocol of a running server. Connections are closed by `close`. */
export class Site implements ContractSite {
  readonly name: string;
  readonly #running: RunningServer;
  readonly #address: string;
  readonly #fluxmq: boolean;
  readonly #open: Client[] = [];

  constructor(server: Server, running: RunningServer, protocol: string) {
    this.name = columnOf(server, protocol);
    this.#running = running;
    this.#address = running.addresses[protocol] ?? "";
    this.#fluxmq = server.name === "FluxMQ";
  }

  async connect(): Promise<Client> {
    const client = await connect(this.#address, this.#fluxmq ? { dialect: "fluxmq" } : {});
    this.#open.push(client);
    return client;
  }

  unique(word: string): string {
    return `${word}-${randomBytes(6).toString("hex")}`;
  }

  async stream(): Promise<string> {
    const name = this.unique("stream");
    await this.#running.makeStream(name);
    return name;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((client) => client.close({ timeoutMs: 1_000 })));
  }
}

/** What a column of the matrix is called. */
export function columnOf(server: Server, protocol: string): string {
  return `${server.name}, ${protocol}`;
}
