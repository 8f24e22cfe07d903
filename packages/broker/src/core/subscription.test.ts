import { describe, expect, test } from "vitest";
import { Recorder } from "./session.test-support.ts";
import { Subscription, type SubscriptionTerms } from "./subscription.ts";

const subscriber = new Recorder("s");

function subscription(terms: Partial<SubscriptionTerms>): Subscription {
  return new Subscription(subscriber, { filter: "a", guaranteeMax: 0, ...terms });
}

describe("overlapping subscriptions of one subscriber, merged", () => {
  test("the highest guarantee holds", () => {
    const merged = Subscription.merge([
      subscription({ guaranteeMax: 1 }),
      subscription({ guaranteeMax: 2 }),
      subscription({}),
    ]);
    expect(merged.guaranteeMax).toBe(2);
  });

  test("all identifiers come along", () => {
    const merged = Subscription.merge([
      subscription({ identifier: 5 }),
      subscription({}),
      subscription({ identifier: 9 }),
    ]);
    expect(merged.identifiers).toEqual([5, 9]);
  });

  test("the publisher's retain flag is passed on when one of them asks for it", () => {
    expect(Subscription.merge([subscription({}), subscription({ retainAsPublished: true })]).retainAsPublished).toBe(
      true,
    );
  });

  test("own messages come for those that want them, with their terms only", () => {
    const merged = Subscription.merge([
      subscription({ guaranteeMax: 2, noLocal: true, identifier: 1 }),
      subscription({ guaranteeMax: 1, identifier: 2 }),
    ]);
    expect(merged.noLocal).toBe(true);
    expect(merged.forOwn).toMatchObject({ guaranteeMax: 1, identifiers: [2] });
  });

  test("own messages do not come when none of them wants them", () => {
    const merged = Subscription.merge([subscription({ noLocal: true }), subscription({ noLocal: true })]);
    expect(merged.forOwn).toBeNull();
  });

  test("when all want own messages there is nothing to tell apart", () => {
    const merged = Subscription.merge([subscription({}), subscription({})]);
    expect([merged.noLocal, merged.forOwn === merged]).toEqual([false, true]);
  });

  test("one alone stays what it is", () => {
    const one = subscription({});
    expect(Subscription.merge([one])).toBe(one);
  });
});
