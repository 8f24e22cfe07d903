import type { IClientOptions } from "mqtt";
import { MqttJsPeer } from "./mqtt-js-peer.ts";
import { type Need, type PeerTarget, type Scenario, uniqueName } from "./scenario.ts";

/** Protocol level on the wire: 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type Level = 4 | 5;

/** What a scenario written for MQTT.js works with: the broker, fresh names, and clients that are ended afterwards. */
export class MqttJsStage {
  readonly target: PeerTarget;
  readonly level: Level;
  /** A topic of this run alone. */
  readonly topic: string = uniqueName("topic");
  readonly #peers: MqttJsPeer[] = [];

  constructor(target: PeerTarget, level: Level) {
    this.target = target;
    this.level = level;
  }

  /** Connects over plain TCP with a client identifier of its own, unless the options say otherwise. */
  connect(options: IClientOptions = {}): Promise<MqttJsPeer> {
    return this.connectTo(`mqtt://${this.target.host}:${this.target.port}`, options);
  }

  /** Connects to another listener of the target. */
  async connectTo(url: string, options: IClientOptions = {}): Promise<MqttJsPeer> {
    const peer = await MqttJsPeer.connect(url, {
      clientId: uniqueName("mqttjs"),
      protocolVersion: this.level,
      ...options,
    });
    this.#peers.push(peer);
    return peer;
  }

  /** Connects and subscribes to the run's topic (with QoS 2 unless said otherwise), so that whatever is sent there comes. */
  async watcher(topic: string = this.topic, qos: 0 | 1 | 2 = 2): Promise<MqttJsPeer> {
    const peer = await this.connect();
    await peer.client.subscribeAsync(topic, { qos });
    return peer;
  }

  /** Options that keep the session at the broker for a while after the connection. */
  lasting(clientId: string): IClientOptions {
    return {
      clientId,
      clean: false,
      ...(this.level === 5 ? { properties: { sessionExpiryInterval: 300 } } : {}),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.destroy()));
  }
}

/** The scenario at both protocol levels. */
export function atBothLevels(
  name: string,
  body: (stage: MqttJsStage) => Promise<void>,
  needs: readonly Need[] = [],
): readonly Scenario[] {
  return [atLevel(4, name, body, needs), atLevel(5, name, body, needs)];
}

/** The scenario at one protocol level. */
export function atLevel(
  level: Level,
  name: string,
  body: (stage: MqttJsStage) => Promise<void>,
  needs: readonly Need[] = [],
): Scenario {
  return {
    name: `MQTT.js ${level === 4 ? "3.1.1" : "5.0"}: ${name}`,
    needs,
    run: async (target) => {
      const stage = new MqttJsStage(target, level);
      try {
        await body(stage);
      } finally {
        await stage.close();
      }
    },
  };
}
