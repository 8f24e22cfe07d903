/** Reading with `for await`: backpressure instead of a growing heap, and acknowledgements by hand where they are wanted. */
import { startBroker } from "@polymq/broker";
import { MqttClient } from "polymq/mqtt";

const COUNT = 1_000;

const given = process.env["POLYMQ_URL"];
const broker = given === undefined ? await startBroker({ port: 0 }) : null;
const servers = given ?? `mqtt://127.0.0.1:${broker?.port}`;
const worker = new MqttClient({ servers, clientId: "example-iterator-worker", protocolVersion: 5 });
const source = new MqttClient({ servers, clientId: "example-iterator-source", protocolVersion: 5 });

try {
  await worker.connect();
  await source.connect();

  // With 64 messages waiting here the client stops reading from the connection, and the broker keeps the rest.
  const jobs = await worker.subscribe("jobs/+", { qos: 1, ack: "manual", highWaterMark: 64 });
  const sending = Promise.all(
    Array.from({ length: COUNT }, (_, i) => source.publish(`jobs/${i % 10}`, JSON.stringify({ id: i }), { qos: 1 })),
  );

  let sum = 0;
  let fullest = 0;
  for await (const message of jobs) {
    fullest = Math.max(fullest, jobs.buffered);
    sum += idOf(message.json());
    message.ack(); // from here on the broker does not send it again
    if (jobs.received === COUNT && jobs.buffered === 0) break;
  }
  await sending;
  process.stdout.write(`${jobs.received} jobs, sum of ids ${sum}, at most ${fullest} waited\n`);
} finally {
  await worker.close();
  await source.close();
  await broker?.close();
}

function idOf(job: unknown): number {
  if (typeof job === "object" && job !== null && "id" in job && typeof job.id === "number") return job.id;
  throw new TypeError("not a job");
}
