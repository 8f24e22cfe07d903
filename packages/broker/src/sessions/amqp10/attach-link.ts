import {
  type AmqpErrorInput,
  type Composite,
  Condition,
  type SourceInput,
  type TargetInput,
} from "polymq/amqp10/codec";
import type { AnyLink } from "polymq/amqp10/engine";
import { isMessagingError } from "polymq/internal";
import type { Decision } from "../../auth/decision-cache.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { Amqp10Types, BrokerLink } from "./amqp10-types.ts";
import { attachSource } from "./attach-source.ts";
import { attachTarget } from "./attach-target.ts";
import { errorFor, Refused } from "./refused.ts";

export type Attach = Composite<"attach">;

/** What a link turned out to be, once it is known that its client may have it. */
export interface Opening {
  /** Whether the client may; null for what needs nobody's permission. */
  readonly decision: Decision;
  /** What it wants, for people. */
  readonly what: string;
  /** Makes the broker's side. @throws {Refused} */
  open(): Opened;
}

/** The broker's side of a link, and what the client is told of it. */
export interface Opened {
  readonly owner: BrokerLink;
  readonly source?: SourceInput | null;
  readonly target?: TargetInput | { readonly type: "coordinator"; readonly capabilities: readonly string[] } | null;
  readonly maxMessageSize?: number;
  readonly offeredCapabilities?: readonly string[];
  /** The link is open: the first messages or the first credit may leave. */
  start(): void;
}

/** Answers a client's attach (§2.6.3): with what it asked for, once that is durable (a group that it joins must not be gone after a crash), or with no and the reason. */
export function attachLink(connection: Amqp10Connection, link: AnyLink<Amqp10Types>, attach: Attach): void {
  const { context, gate } = connection;
  const finish = (opening: Opening): void => {
    if (link.state.is !== "offered") return;
    guarded(connection, link, () => {
      const opened = opening.open();
      connection.opening.set(link, opened.owner);
      context.hub.committer.whenDurable(
        { onDurable: () => answer(connection, link, opened), onCommitFailed: () => undefined },
        0,
      );
    });
  };
  guarded(connection, link, () => {
    if (connection.links.size + connection.opening.size >= context.settings.linksMax) {
      throw new Refused(Condition.resourceLimitExceeded, `a connection has at most ${context.settings.linksMax} links`);
    }
    const opening = link.isSender ? attachSource(connection, link, attach) : attachTarget(connection, link, attach);
    if (opening.decision === true && gate.isOpen) return finish(opening);
    gate.pass(opening.decision, (allowed) => {
      if (allowed) return finish(opening);
      context.metrics.subscriptionsRefused += link.isSender ? 1 : 0;
      refuse(connection, link, {
        type: "error",
        condition: Condition.unauthorizedAccess,
        description: `${opening.what} is not allowed`,
      });
    });
  });
}

function answer(connection: Amqp10Connection, link: AnyLink<Amqp10Types>, opened: Opened): void {
  // Whoever left before has its answer; its owner is ended with the link.
  if (link.state.is !== "offered" || !connection.opening.delete(link)) return;
  const { context, client } = connection;
  const { owner, start, ...fields } = opened;
  guarded(connection, link, () => {
    connection.links.add(owner);
    link.owner = owner;
    // Before the answer: clients find the link that an answer is for by its name.
    context.linkNames.take({ container: client.container, user: client.username, connection: connection.number }, link);
    link.accept(fields);
    start();
  });
}

/** What throws in `action` is why the client does not get the link. */
function guarded(connection: Amqp10Connection, link: AnyLink<Amqp10Types>, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Refused || isMessagingError(error))) connection.context.metrics.internalErrors++;
    refuse(connection, link, errorFor(error));
  }
}

function refuse(connection: Amqp10Connection, link: AnyLink<Amqp10Types>, error: AmqpErrorInput): void {
  const { owner } = link;
  if (owner !== undefined) {
    connection.links.delete(owner);
    owner.end({ scope: "link", by: "us", error: null, cause: null }, false);
    link.owner = undefined;
  }
  try {
    link.refuse(error);
  } catch (cause) {
    // Not even the answer fits into the client's frames.
    connection.engine.fail(Condition.frameSizeTooSmall, "an attach does not fit into a frame", cause);
  }
}
