/*
 * Names of what the broker says of a delivery, in headers, application properties or user properties: the same on all protocols, as FluxMQ has them. Each
 * protocol leaves out what a publisher gives under them where the broker writes its own.
 */

/** Of deliveries to consumers of addresses and groups. */
export const STAMP_NAMES: readonly string[] = [
  "group-id",
  "queue",
  "offset",
  "x-source-topic",
  "x-stream-timestamp",
  "x-work-committed-offset",
  "x-work-acked",
  "x-work-group",
  "client_id",
  "protocol",
  "external_id",
];

/** Of dead letters. */
export const DEAD_LETTER_NAMES: readonly string[] = [
  "x-dead-letter-reason",
  "x-dead-letter-queue",
  "x-dead-letter-offset",
  "x-dead-letter-count",
  "x-dead-letter-detail",
  "x-first-death-ms",
];
