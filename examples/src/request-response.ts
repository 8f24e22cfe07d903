/** MQTT 5.0 request and response: the response topic and the correlation data are the client's business. */
import { startBroker } from "@polymq/broker";
import { isMessagingError, MqttClient } from "polymq/mqtt";

const given = process.env["POLYMQ_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const servers = given ?? `mqtt://127.0.0.1:${broker?.port}`;
const service = new MqttClient({ servers, clientId: "example-service", protocolVersion: 5 });
const caller = new MqttClient({ servers, clientId: "example-caller", protocolVersion: 5 });

try {
  await service.connect();
  await caller.connect();
  await service.respond("math/double", (request) => String(Number(request.text()) * 2), { concurrency: 8 });

  const answers = await Promise.all([1, 2, 3].map((number) => caller.request("math/double", String(number))));
  process.stdout.write(`doubled: ${answers.map((answer) => answer.text()).join(", ")}\n`);

  try {
    await caller.request("math/halve", "4", { timeoutMs: 300 });
  } catch (error) {
    if (!isMessagingError(error)) throw error;
    process.stdout.write(`nobody halves: ${error.code}\n`);
  }
} finally {
  await caller.close();
  await service.close();
  await broker?.close();
}
