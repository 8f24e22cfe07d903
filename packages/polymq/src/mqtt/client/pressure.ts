/** How full a subscription's buffer is. */
export const Pressure = {
  None: 0,
  /** At the high-water mark: reading should stop, unless an answer is awaited that only reading can bring. */
  Soft: 1,
  /** Far above it: reading must stop. */
  Hard: 2,
} as const;

/** One of {@link Pressure}. */
export type Pressure = (typeof Pressure)[keyof typeof Pressure];
