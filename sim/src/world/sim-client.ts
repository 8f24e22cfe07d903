import { MqttClientBase, type MqttClientOptions } from "polymq/mqtt";
import { type SimClientParts, simPlatform } from "./sim-platform.ts";

/** The shipped MQTT client, on the simulation's clock and network. */
export class SimClient extends MqttClientBase {
  readonly name: string;

  constructor(name: string, options: Omit<MqttClientOptions, "servers" | "clientId">, parts: SimClientParts) {
    super({ servers: "mqtt://broker", clientId: name, ...options }, simPlatform(name, "mqtt", parts));
    this.name = name;
  }
}
