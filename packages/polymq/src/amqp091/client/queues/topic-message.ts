// Hot path: one object per message of a topic.
import type { AmqpDialect } from "../dialect.ts";
import type { AmqpMessage } from "../message.ts";
import { AmqpDelivery } from "./delivery.ts";
import { topicOfKey } from "./topic-keys.ts";

/** A message of a topic. */
export class AmqpTopicMessage extends AmqpDelivery {
  readonly #dialect: AmqpDialect;

  /** @internal */
  constructor(message: AmqpMessage, dialect: AmqpDialect) {
    super(message);
    this.#dialect = dialect;
  }

  /** The topic that it was published to, its levels separated by slashes. */
  get topic(): string {
    return topicOfKey(this.#dialect, this.message.routingKey);
  }

  protected override settled(): void {
    // Nobody counts the messages of a topic.
  }
}
