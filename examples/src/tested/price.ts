import { type Client, isMessagingError } from "polymq";

/** Asks for a price; null when nobody answers in time. */
export async function askPrice(client: Client, item: string, timeoutMs = 1_000): Promise<number | null> {
  try {
    const answer = await client.request("prices", item, { timeoutMs });
    return Number(answer.text());
  } catch (error) {
    if (isMessagingError(error) && error.code === "ERR_TIMEOUT") return null;
    throw error;
  }
}
