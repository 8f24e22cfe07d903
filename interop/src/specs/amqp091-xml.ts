import { existsSync, readFileSync } from "node:fs";
import { attribute, type Element, named, parseXml } from "./xml.ts";

/** Where Debian's `amqp-specs` puts the specification of AMQP 0-9-1 with RabbitMQ's extensions of 2013. */
export const AMQP091_XML = "/usr/share/amqp/specs/0-9-1-rabbit/amqp0-9-1.stripped.extended.xml";

/** A method as the XML has it. */
export interface XmlMethod {
  readonly classId: number;
  readonly methodId: number;
  readonly content: boolean;
  readonly replies: readonly string[];
  /** Who must be able to take it. */
  readonly takenBy: readonly string[];
  /** Name, basic type, and whether it is reserved. */
  readonly fields: readonly (readonly [name: string, type: string, reserved: boolean])[];
}

/** What the XML says. */
export interface XmlSpecification {
  readonly constants: ReadonlyMap<string, { readonly value: number; readonly error: string | undefined }>;
  /** By `class.method`. */
  readonly methods: ReadonlyMap<string, XmlMethod>;
  /** Properties of class basic: name and basic type. */
  readonly properties: readonly (readonly [name: string, type: string])[];
}

/** True when the XML is there. */
export function hasAmqp091Xml(): boolean {
  return existsSync(AMQP091_XML);
}

/** Reads the XML. */
export function readAmqp091Xml(): XmlSpecification {
  const root = parseXml(readFileSync(AMQP091_XML, "utf8"));
  const domains = new Map(named(root, "domain").map((each) => [attribute(each, "name"), attribute(each, "type")]));
  const classes = named(root, "class");
  return {
    constants: new Map(
      named(root, "constant").map((each) => [
        attribute(each, "name"),
        { value: Number(attribute(each, "value")), error: each.attributes.get("class") },
      ]),
    ),
    methods: new Map(
      classes.flatMap((each) =>
        named(each, "method").map((method) => [
          `${attribute(each, "name")}.${attribute(method, "name")}`,
          readMethod(each, method, domains),
        ]),
      ),
    ),
    properties: classes
      .filter((each) => attribute(each, "name") === "basic")
      .flatMap((each) => named(each, "field"))
      .map((field) => [attribute(field, "name"), typeOf(field, domains)]),
  };
}

function readMethod(owner: Element, method: Element, domains: ReadonlyMap<string, string>): XmlMethod {
  return {
    classId: Number(attribute(owner, "index")),
    methodId: Number(attribute(method, "index")),
    content: method.attributes.get("content") === "1",
    replies: named(method, "response").map((each) => `${attribute(owner, "name")}.${attribute(each, "name")}`),
    takenBy: named(method, "chassis").map((each) => attribute(each, "name")),
    fields: named(method, "field").map((field) => [
      attribute(field, "name"),
      typeOf(field, domains),
      field.attributes.get("reserved") === "1",
    ]),
  };
}

function typeOf(field: Element, domains: ReadonlyMap<string, string>): string {
  const own = field.attributes.get("type");
  if (own !== undefined) return own;
  return domains.get(attribute(field, "domain")) ?? `unknown domain ${attribute(field, "domain")}`;
}
