import { type Client, type Codec, json } from "polymq";

/** An order, as shops send it. */
export interface Order {
  readonly id: number;
  readonly item: string;
}

const orders: Codec<Order> = json<Order>();

/** Ships orders of the queue `orders`: what cannot be shipped for good is rejected, what fails otherwise comes again. */
export async function startShipping(
  client: Client,
  ship: (order: Order) => Promise<"shipped" | "impossible">,
): Promise<void> {
  const queue = client.queue("orders", { codec: orders });
  await queue.consume({
    group: "shipping",
    handler: async (message) => {
      if ((await ship(message.value)) === "impossible") await message.reject();
    },
  });
}
