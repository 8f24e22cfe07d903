import { type ChildProcess, fork } from "node:child_process";
import type { ChildMessage, ParentMessage } from "./messages.ts";

/** Told of each message of a child. */
export type OnMessage = (message: ChildMessage, from: Member) => void;

/** A child process and what the parent waits for from it. */
export class Member {
  readonly name: string;
  readonly #child: ChildProcess;
  #isSlain = false;
  readonly #heard = new Map<ChildMessage["type"], ChildMessage>();
  readonly #waiters = new Map<ChildMessage["type"], (message: ChildMessage) => void>();

  constructor(name: string, child: ChildProcess, onMessage: OnMessage) {
    this.name = name;
    this.#child = child;
    child.on("message", (message: ChildMessage) => {
      this.#heard.set(message.type, message);
      this.#waiters.get(message.type)?.(message);
      onMessage(message, this);
    });
  }

  tell(type: ParentMessage["type"]): void {
    if (this.#child.connected) this.#child.send({ type } satisfies ParentMessage);
  }

  /** Resolves with the child's message of this type, now or before. */
  said<T extends ChildMessage["type"]>(type: T): Promise<ChildMessage & { type: T }> {
    return new Promise((resolve) => {
      const tell = (message: ChildMessage): void => resolve(message as ChildMessage & { type: T });
      const before = this.#heard.get(type);
      if (before === undefined) this.#waiters.set(type, tell);
      else tell(before);
    });
  }

  /** True once its end is wanted. */
  get isSlain(): boolean {
    return this.#isSlain;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Kills it in the middle of its work; resolves when it is gone. */
  async slay(): Promise<void> {
    this.#isSlain = true;
    const gone = new Promise((resolve) => this.#child.once("close", resolve));
    this.kill();
    await gone;
  }
}

/** The child processes of the demo. One that ends early, and was not meant to, ends the demo: `failed` rejects. */
export class Crew {
  readonly members: Member[] = [];
  readonly failed: Promise<never>;
  readonly #onMessage: OnMessage;
  #fail: (error: Error) => void = () => undefined;

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // It is raced against whatever the demo waits for; in between nobody listens.
    this.failed.catch(() => undefined);
  }

  /** Starts a program of this folder with a plan. */
  start(program: string, name: string, plan: object): Member {
    const child = fork(new URL(`./${program}.js`, import.meta.url), [JSON.stringify(plan)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const member = new Member(name, child, this.#onMessage);
    this.members.push(member);
    child.on("error", (error) => this.fail(error));
    child.on("exit", (code, signal) => {
      if (code !== 0 && !member.isSlain) this.#fail(new Error(`${name} ended early (${signal ?? `code ${code}`})`));
    });
    return member;
  }

  /** Resolves as `work` does, unless a child ends early. */
  async unlessFailed<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([work, this.failed]);
  }

  /** Gives up. */
  fail(error: Error): void {
    this.#fail(error);
  }

  kill(): void {
    for (const member of this.members) member.kill();
  }
}
