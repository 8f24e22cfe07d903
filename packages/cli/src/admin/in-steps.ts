import type { Row } from "./admin-client.ts";

/** Messages that one request may move. */
const STEP_MAX = 1_000;

/** Repeats a request that is done for so many messages at most, until all are done or it gets no further; the number done. */
export async function inSteps(most: number, request: (limit: number) => Promise<Row>): Promise<number> {
  let done = 0;
  while (done < most) {
    const limit = Math.min(STEP_MAX, most - done);
    const count = messagesIn(await request(limit));
    done += count;
    if (count < limit) break;
  }
  return done;
}

/** How many messages an answer is about. */
export function messagesIn({ messages }: Row): number {
  return typeof messages === "number" ? messages : 0;
}
