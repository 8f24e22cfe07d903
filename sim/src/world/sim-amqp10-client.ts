import { type AmqpConnection, type ConnectOptions, connectOver } from "polymq/amqp10";
import { type SimClientParts, simPlatform } from "./sim-platform.ts";

/** Connects the shipped AMQP 1.0 client, on the simulation's clock and network. */
export function connectAmqp10(name: string, options: ConnectOptions, parts: SimClientParts): Promise<AmqpConnection> {
  return connectOver(simPlatform(name, "amqp10", parts), "amqp://broker", { containerId: name, ...options });
}
