import { isMessage, Mailbox, type Message } from "./mailbox.ts";

/** The parent, seen from a child process of a benchmark. */
export interface Parent<Config> {
  /** What the parent gave this process to do. */
  readonly config: Config;
  /** Sends a message to the parent. */
  send(message: Message): void;
  /** The data of the next message of a type (both ends are ours: taken as `Data` unseen). */
  next<Data = void>(type: string): Promise<Data>;
}

/**
 * Runs the body of a child process with its configuration. Whatever goes wrong in it, now or later, is reported to the
 * parent as a fault and ends the process; the process also ends when the parent does.
 */
export function runChild<Config>(body: (parent: Parent<Config>) => Promise<void>): void {
  const mailbox = new Mailbox();
  const send = (message: Message): void => {
    process.send?.(message);
  };
  const fault = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (process.send === undefined) process.exit(1);
    process.send({ type: "fault", data: text }, undefined, undefined, () => process.exit(1));
  };
  process.on("message", (value) => {
    if (isMessage(value)) mailbox.put(value);
  });
  process.once("disconnect", () => process.exit(0));
  process.once("uncaughtException", fault);
  process.once("unhandledRejection", fault);
  const config = JSON.parse(process.argv[2] ?? "null") as Config;
  body({ config, send, next: async <Data>(type: string) => (await mailbox.next(type)) as Data }).catch(fault);
}
