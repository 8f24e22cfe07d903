import { readFileSync } from "node:fs";

/** Linux reports process times in hundredths of a second to user space on every architecture Node runs on. */
const MICROS_PER_TICK = 10_000;

/** User and system CPU time that a process has used, in microseconds (resolution 10 ms), or null without Linux's /proc. */
export function cpuMicrosOf(pid: number): number | null {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the command in parentheses and may hold spaces; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
}

/** The peak resident memory of a process in KiB, or null without Linux's /proc. */
export function peakKibOf(pid: number): number | null {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(`/proc/${pid}/status`) ?? "");
  return match === null ? null : Number(match[1]);
}

/** The anonymous memory of a process in KiB (not what it maps from files), or null without Linux's /proc. */
export function anonymousKibOf(pid: number): number | null {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readProc(`/proc/${pid}/status`) ?? "");
  return match === null ? null : Number(match[1]);
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null; // not Linux: the caller leaves the figure out
  }
}
