// Hot path: `write` runs per turn.
import type { ConnectionFacts } from "../connection-inspection.ts";
import { ConnectionWire } from "../connection-wire.ts";
import { AmqpConnection } from "./amqp-connection.ts";
import type { AmqpContext } from "./amqp-context.ts";

/** A transport whose client speaks AMQP 0-9-1. */
export class AmqpWire extends ConnectionWire {
  protected readonly end: AmqpConnection;

  constructor(context: AmqpContext) {
    super(context);
    this.end = new AmqpConnection(context, this);
  }

  protected begin(): void {
    // The client speaks first.
  }

  protected pump(): void {
    // The engine holds nothing back.
  }

  protected write(nowMs: number): void {
    const { engine } = this.end;
    engine.onTurn(nowMs);
    engine.beforeFlush();
    if (this.outbox.hasUnflushed) engine.sent(nowMs);
    this.outbox.flush();
  }

  protected facts(): Omit<ConnectionFacts, "transport" | "unsentBytes"> | null {
    const { id } = this.end;
    if (id === "") return null;
    const user = this.end.client.access.principal.name;
    const name = this.end.engine.clientProperties["connection_name"];
    const clientId = typeof name === "string" && name !== "" ? name : id;
    return { id, protocol: "amqp091", protocolVersion: "0-9-1", clientId, user };
  }
}
