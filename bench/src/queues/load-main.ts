import { nowNs } from "../harness/clock.ts";
import { runChild } from "../harness/parent.ts";
import { AmqpGenerator } from "./amqp-generator.ts";
import { MqttGenerator } from "./mqtt-generator.ts";
import type { QueueGenerator } from "./queue-generator.ts";
import type { QueuePlan } from "./rows.ts";

/** Messages in flight while a queue is filled to be consumed from. */
const FILL_WINDOW = 1000;

/** The generator's process: a warm-up, "warm"; on "go" the measured load, "done" with its time; on "finish" it ends. */
runChild<QueuePlan>(async (parent) => {
  const { protocol, port, queue, queueType, size, window, work, warmup, measured } = parent.config;
  const generator: QueueGenerator =
    protocol === "mqtt" ? new MqttGenerator(port, queue, size) : await AmqpGenerator.open(port, queue, queueType, size);
  await generator.publish(work === "publish" ? warmup : warmup + measured, work === "publish" ? window : FILL_WINDOW);
  parent.send({ type: "warm" });
  await parent.next("go");
  const goNs = nowNs();
  if (work === "publish") {
    parent.send({ type: "done", data: (await generator.publish(measured, window)) - goNs });
  } else {
    const { startNs, endNs } = await generator.consume(warmup + measured, warmup, window);
    parent.send({ type: "done", data: endNs - startNs });
  }
  await parent.next("finish");
  await generator.close();
  parent.send({ type: "final" });
});
