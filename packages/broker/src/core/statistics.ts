/** Counters since the hub was opened. The hub counts what comes in and what it drops; whoever writes a message to a peer counts it as out. */
export class Statistics {
  messagesIn = 0;
  /** Payload bytes of messages that came in. */
  bytesIn = 0;
  messagesOut = 0;
  /** Payload bytes of messages written to peers. */
  bytesOut = 0;
  /** Deliveries dropped: no room, expired, or nobody there to take them. */
  messagesDropped = 0;
  /** Messages that no subscription matched. */
  messagesUnmatched = 0;
  sessionsCreated = 0;
  sessionsResumed = 0;
  sessionsTakenOver = 0;
  sessionsExpired = 0;
}
