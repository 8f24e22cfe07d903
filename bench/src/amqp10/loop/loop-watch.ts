import { monitorEventLoopDelay } from "node:perf_hooks";

/** Starts to watch this process's event loop; the function that is returned stops and gives the longest time, in ms, that it was held up. */
export function watchLoop(): () => number {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  return () => {
    delays.disable();
    // Its timer is due after 1 ms, which counts as delay.
    return Math.max(0, delays.max / 1e6 - 1);
  };
}
