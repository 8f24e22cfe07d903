// Hot path: asked per message. No closure, promise, spread, iterator or regex where a decision is known already.
import type { Principal } from "./auth-hooks.ts";
import { isPromiseLike } from "./deadline.ts";
import { type Decision, DecisionCache } from "./decision-cache.ts";
import type { TopicRules } from "./topic-rules.ts";

/** What {@link ConnectionAccess} decides by. */
export interface AccessRules {
  readonly principal: Principal;
  /** Null allows every topic. */
  readonly publish: TopicRules | null;
  readonly subscribe: TopicRules | null;
  /** The application's decision, failing closed; null when it has none. */
  readonly askPublish: ((topic: string, retain: boolean) => Decision) | null;
  readonly askSubscribe: ((filter: string, group: string | null) => Decision) | null;
  readonly cacheMs: number;
  readonly cachedDecisionsMax: number;
}

/** What one client may do. Lives as long as its connection. */
export class ConnectionAccess {
  readonly principal: Principal;
  /** True when the client may publish anything: nobody needs to be asked. */
  readonly mayPublishAll: boolean;
  readonly #rules: AccessRules;
  readonly #published: DecisionCache;
  readonly #retained: DecisionCache;

  constructor(rules: AccessRules) {
    this.principal = rules.principal;
    this.mayPublishAll = rules.publish === null && rules.askPublish === null;
    this.#rules = rules;
    // Static rules never change their mind.
    const lifetimeMs = rules.askPublish === null ? Number.POSITIVE_INFINITY : rules.cacheMs;
    this.#published = new DecisionCache(rules.cachedDecisionsMax, lifetimeMs);
    this.#retained = new DecisionCache(rules.cachedDecisionsMax, lifetimeMs);
  }

  /**
   * Whether a message may be published. A promise, which never rejects, only where the application's hook is asynchronous and its answer
   * not known yet; the connection's order is the caller's to keep meanwhile.
   * @param nowMs the time of the turn, on the broker's clock
   */
  mayPublish(topic: string, retain: boolean, nowMs: number): Decision {
    if (this.mayPublishAll) return true;
    const cache = retain ? this.#retained : this.#published;
    const known = cache.get(topic, nowMs);
    if (known !== undefined) return known;
    const decision = this.#decidePublish(topic, retain);
    cache.set(topic, decision, nowMs);
    if (isPromiseLike(decision)) void decision.then((value) => cache.settle(topic, decision, value));
    return decision;
  }

  /** Whether a subscription may be made; never from a cache. */
  maySubscribe(filter: string, group: string | null): Decision {
    const { subscribe, askSubscribe } = this.#rules;
    if (subscribe?.covers(filter) === false) return false;
    return askSubscribe === null ? true : askSubscribe(filter, group);
  }

  #decidePublish(topic: string, retain: boolean): Decision {
    const { publish, askPublish } = this.#rules;
    if (publish?.covers(topic) === false) return false;
    return askPublish === null ? true : askPublish(topic, retain);
  }
}
