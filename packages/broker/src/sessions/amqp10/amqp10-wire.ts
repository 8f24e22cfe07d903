// Hot path: `write` runs per turn.
import type { ConnectionFacts } from "../connection-inspection.ts";
import { ConnectionWire } from "../connection-wire.ts";
import { Amqp10Connection } from "./amqp10-connection.ts";
import type { Amqp10Context } from "./amqp10-context.ts";

/** A transport whose client speaks AMQP 1.0. */
export class Amqp10Wire extends ConnectionWire {
  protected readonly end: Amqp10Connection;

  constructor(context: Amqp10Context) {
    super(context);
    this.end = new Amqp10Connection(context, this);
  }

  protected begin(): void {
    this.end.engine.start();
  }

  protected pump(): void {
    this.end.engine.pump();
  }

  protected write(nowMs: number): void {
    this.end.engine.flush(nowMs);
  }

  protected facts(): Omit<ConnectionFacts, "transport" | "unsentBytes"> | null {
    const { id } = this.end;
    if (id === "") return null;
    const { container, access } = this.end.client;
    return { id, protocol: "amqp10", protocolVersion: "1.0", clientId: container, user: access.principal.name };
  }
}
