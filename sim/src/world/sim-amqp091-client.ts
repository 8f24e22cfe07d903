import { AmqpClientBase, type AmqpClientOptions } from "polymq/amqp091";
import { type SimClientParts, simPlatform } from "./sim-platform.ts";

/** The shipped AMQP 0-9-1 client, on the simulation's clock and network. */
export class SimAmqp091Client extends AmqpClientBase {
  readonly name: string;

  constructor(name: string, options: Omit<AmqpClientOptions, "servers">, parts: SimClientParts) {
    super({ servers: "amqp://broker", connectionName: name, ...options }, simPlatform(name, "amqp091", parts));
    this.name = name;
  }
}
