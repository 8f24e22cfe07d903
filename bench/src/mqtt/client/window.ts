// Hot path: runs for every acknowledged message of ours and MQTT.js's.

/** Publishes message `index`; the promise settles with the message's acknowledgement. */
export type PublishOne = (index: number) => Promise<unknown>;

/**
 * Publishes messages `from` to `from + count - 1`, each with its own promise, at most `window` of them open: before a
 * message goes out, the promise of the one `window` places before it is awaited. Every promise is awaited once.
 */
export async function publishWindowed(from: number, count: number, window: number, publish: PublishOne): Promise<void> {
  const open: Promise<unknown>[] = new Array(Math.min(window, count)).fill(Promise.resolve());
  let slot = 0;
  for (let index = from; index < from + count; index += 1) {
    await open[slot];
    open[slot] = publish(index);
    slot = slot + 1 === open.length ? 0 : slot + 1;
  }
  await Promise.all(open);
}
