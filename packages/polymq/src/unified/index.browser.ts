/** `polymq`: one client for MQTT and AMQP, for browsers. */
import { type Connect, connectWith } from "./connect.ts";

/**
 * Connects to `mqtt[s]://` and `ws[s]://` (MQTT 3.1.1 and 5.0), `amqp[s]://` (AMQP 0-9-1), or `amqp10[s]://` (AMQP 1.0); resolves when the connection is open. The code of a protocol is loaded when it is
 * first used. The client's type follows the scheme.
 * @throws {MessagingError} ERR_NO_SERVERS, ERR_INVALID_OPTIONS, ERR_INVALID_PROTOCOL; ERR_NOT_SUPPORTED_BY_SERVER for a server that answers AMQP 0-9-1 with AMQP 1.0 (see
 *   `protocol`); ERR_LOAD_FAILED; and what the protocol's client says: ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT, ERR_AUTH_FAILED, ERR_ABORTED, ...
 */
export const connect: Connect = ((where: Parameters<typeof connectWith>[1], options = {}) =>
  connectWith(
    {
      mqtt: async (target, tell) => {
        const [{ connectMqtt }, { MqttClient }] = await Promise.all([
          import("./adapters/mqtt/mqtt-adapter.ts"),
          import("../mqtt/index.browser.ts"),
        ]);
        return await connectMqtt((given) => new MqttClient(given), target, tell);
      },
      amqp091: async (target, tell) => {
        const [{ connectAmqp091 }, { AmqpClient }] = await Promise.all([
          import("./adapters/amqp091/amqp091-adapter.ts"),
          import("../amqp091/index.browser.ts"),
        ]);
        return await connectAmqp091((given) => new AmqpClient(given), target, tell);
      },
      amqp10: async (target, tell) => {
        const [{ connectAmqp10 }, amqp10] = await Promise.all([
          import("./adapters/amqp10/amqp10-adapter.ts"),
          import("../amqp10/index.browser.ts"),
        ]);
        return await connectAmqp10(amqp10.connect, target, tell);
      },
    },
    where,
    options,
  )) as unknown as Connect;

export * from "./exports.ts";
