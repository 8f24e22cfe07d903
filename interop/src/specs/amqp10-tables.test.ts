import { CODES_OF_TYPE, COMPOSITES, Condition, type TypeName } from "polymq/amqp10/codec";
import { describe, expect, test } from "vitest";
import { isRequired, requirementFor } from "../harness/require-or-skip.ts";
import { AMQP10_XML, hasAmqp10Xml, readAmqp10Xml } from "./amqp10-xml.ts";

const xml = requirementFor(hasAmqp10Xml() ? [] : [`amqp-specs (${AMQP10_XML})`], isRequired(process.env));

/** What the XML requires of a field of any type, and how our tables name it. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ["delivery-state", "deliveryState"],
  ["outcome", "deliveryState"],
  ["address", "value"],
  ["message-id", "value"],
  ["txn-id", "value"],
  ["global-tx-id", "value"],
  ["*", "value"],
]);

/** Sections whose defaults are for whoever reads the message: an absent field stays absent. */
const WITHOUT_DEFAULTS = ["header", "properties"];

function camel(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

describe.skipIf(xml.skip)(xml.title("the tables of AMQP 1.0 and Debian's amqp-specs"), () => {
  const specification = xml.skip ? { composites: [], encodings: new Map(), conditions: [] } : readAmqp10Xml();

  test("have the same composites", () => {
    expect(Object.keys(COMPOSITES).sort()).toEqual(specification.composites.map((each) => camel(each.name)).sort());
  });

  test.each(specification.composites)("have the same $name", (theirs) => {
    const ours = COMPOSITES[camel(theirs.name)];
    expect([ours?.code, ours?.symbol]).toEqual([theirs.code, theirs.symbol]);
    const fields = Object.entries(ours?.fields ?? {}).map(([name, field]) => ({
      name,
      type: field.type,
      mandatory: field.mandatory ?? false,
      multiple: field.multiple ?? false,
      default: field.default,
    }));
    expect(fields).toEqual(
      theirs.fields.map((field) => ({
        name: camel(field.name),
        type: KINDS.get(field.type) ?? field.type,
        mandatory: field.mandatory,
        multiple: field.multiple,
        default: WITHOUT_DEFAULTS.includes(theirs.name) ? undefined : field.default,
      })),
    );
  });

  test("have the same primitive types", () => {
    expect(Object.keys(CODES_OF_TYPE).sort()).toEqual([...specification.encodings.keys()].sort());
  });

  test.each([...specification.encodings.keys()])("have the same encodings of %s", (name: TypeName) => {
    expect([...CODES_OF_TYPE[name]].sort()).toEqual([...(specification.encodings.get(name) ?? [])].sort());
  });

  test("have the same error conditions", () => {
    expect([...Object.values(Condition)].sort()).toEqual([...specification.conditions].sort());
  });
});
