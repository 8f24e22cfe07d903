/** Exit codes of the command; the only place where they stand. */
export const ExitCode = {
  /** It did what was asked; a command that runs until it is stopped was stopped. */
  ok: 0,
  /** It failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** No server was reached, or the connection was refused or lost for good. */
  noConnection: 3,
  /** The time of `-W` was over first. */
  timedOut: 124,
  /** It was stopped before it had done what was asked. */
  interrupted: 130,
} as const;

/** One of {@link ExitCode}. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What each exit code means, for the help text and the guide. */
export const EXIT_CODE_HELP = `Exit codes: 0 done or stopped, 1 failed, 2 wrong command line, 3 no connection, 124 timed out, 130 stopped before it was done`;
