import type { FieldTable } from "../codec/field-value.ts";

/** Whose ways a server has: how queues, streams and topics are addressed there. */
export type AmqpDialect = "polymq" | "fluxmq" | "rabbitmq";

/** The ways of the server that says this of itself: polymq's broker and FluxMQ by their `product`, all others are taken for RabbitMQ's kin. */
export function dialectOf(serverProperties: FieldTable): AmqpDialect {
  const { product } = serverProperties;
  const name = typeof product === "string" ? product.toLowerCase() : "";
  return name === "polymq" || name === "fluxmq" ? name : "rabbitmq";
}
