import type { Clock, Timer } from "./clock.ts";

/** The longest delay that runtimes keep; a longer one would fire at once, so it is walked in hops. */
const HOP_MS = 2_147_483_647;

/** {@link Clock} over the runtime's own timers. Timers keep a Node process alive until they fire or are cancelled. */
export function systemClock(): Clock {
  return {
    nowMs: () => performance.now(),
    epochMs: () => Date.now(),
    setTimer: (delayMs, fn) => startTimer(delayMs, fn),
    nextTurn: turnScheduler(),
  };
}

/** The part of a message channel that is used, typed as browsers have it. */
interface TaskChannel {
  readonly port1: { onmessage: (() => void) | null };
  readonly port2: { postMessage(value: number): void };
}

function startTimer(delayMs: number, fn: () => void): Timer {
  let left = Math.max(0, delayMs || 0);
  const hop = (): void => {
    const step = Math.min(left, HOP_MS);
    left -= step;
    handle = setTimeout(left > 0 ? hop : fn, step);
  };
  let handle: ReturnType<typeof setTimeout> | undefined;
  hop();
  return { cancel: () => clearTimeout(handle) };
}

/** `setImmediate` where there is one; else one message-channel task per call, which browsers do not throttle. */
function turnScheduler(): (fn: () => void) => void {
  if (typeof globalThis.setImmediate === "function") {
    const immediate = globalThis.setImmediate;
    return (fn) => {
      immediate(fn);
    };
  }
  const waiting: (() => void)[] = [];
  const channel = new MessageChannel() as unknown as TaskChannel;
  channel.port1.onmessage = () => waiting.shift()?.();
  return (fn) => {
    waiting.push(fn);
    channel.port2.postMessage(0);
  };
}
