/** Counters of one queue since it was opened. */
export class QueueStatistics {
  /** Messages appended, dead letters of other queues included. */
  appended = 0;
  /** Deliveries to consumers, repeated ones included. */
  delivered = 0;
  redelivered = 0;
  acked = 0;
  nacked = 0;
  rejected = 0;
  /** Deliveries that nobody settled in time. */
  timedOut = 0;
  expired = 0;
  /** Messages that left at the head because the queue was full. */
  overflowed = 0;
  /** Messages handed to a dead-letter queue. */
  deadLettered = 0;
  /** Messages that died and went nowhere: dead letters are off, or it was a dead letter before. */
  dropped = 0;
  /** Messages of ordinary topics that the queue could not take. */
  captureRefused = 0;
}
