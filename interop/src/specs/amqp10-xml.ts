import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { attribute, type Element, named, parseXml } from "./xml.ts";

/** Where Debian's `amqp-specs` puts the specification of AMQP 1.0. */
export const AMQP10_XML = "/usr/share/amqp/specs/1-0";

const FILES = ["types", "transport", "messaging", "transactions", "security"];

/** A composite as the XML has it. */
export interface XmlComposite {
  readonly name: string;
  readonly symbol: string;
  readonly code: number;
  readonly fields: readonly XmlField[];
}

/** A field, its type resolved to a primitive one or to a kind of composite. */
export interface XmlField {
  readonly name: string;
  readonly type: string;
  readonly mandatory: boolean;
  readonly multiple: boolean;
  readonly default: boolean | number | string | undefined;
}

/** What the XML says. */
export interface Amqp10Specification {
  readonly composites: readonly XmlComposite[];
  /** Constructor bytes of each primitive type. */
  readonly encodings: ReadonlyMap<string, readonly number[]>;
  /** Symbols of all error conditions. */
  readonly conditions: readonly string[];
}

/** True when the XML is there. */
export function hasAmqp10Xml(): boolean {
  return FILES.every((file) => existsSync(join(AMQP10_XML, `${file}.bare.xml`)));
}

/** Reads the XML. */
export function readAmqp10Xml(): Amqp10Specification {
  const types = FILES.map((file) => parseXml(readFileSync(join(AMQP10_XML, `${file}.bare.xml`), "utf8")))
    .flatMap((root) => named(root, "section"))
    .flatMap((section) => named(section, "type"));
  const restricted = new Map(
    types.filter((type) => attribute(type, "class") === "restricted").map((type) => [attribute(type, "name"), type]),
  );
  const ofClass = (name: string): Element[] => types.filter((type) => attribute(type, "class") === name);
  return {
    composites: ofClass("composite").map((type) => readComposite(type, restricted)),
    encodings: new Map(
      ofClass("primitive").map((type) => [
        attribute(type, "name"),
        named(type, "encoding").map((encoding) => Number(attribute(encoding, "code"))),
      ]),
    ),
    conditions: [...restricted.values()]
      .filter((type) => type.attributes.get("provides") === "error-condition")
      .flatMap((type) => named(type, "choice"))
      .map((choice) => attribute(choice, "value")),
  };
}

function readComposite(type: Element, restricted: ReadonlyMap<string, Element>): XmlComposite {
  const [descriptor] = named(type, "descriptor");
  if (descriptor === undefined) throw new Error(`${attribute(type, "name")} without descriptor`);
  const [domain = "", code = ""] = attribute(descriptor, "code").split(":");
  if (Number(domain) !== 0) throw new Error(`domain ${domain}`);
  return {
    name: attribute(type, "name"),
    symbol: attribute(descriptor, "name"),
    code: Number(code),
    fields: named(type, "field").map((field) => readField(field, restricted)),
  };
}

function readField(field: Element, restricted: ReadonlyMap<string, Element>): XmlField {
  const type = attribute(field, "type");
  const resolved = type === "*" ? (field.attributes.get("requires") ?? "*") : sourceOf(type, restricted);
  return {
    name: attribute(field, "name"),
    type: resolved,
    mandatory: field.attributes.get("mandatory") === "true",
    multiple: field.attributes.get("multiple") === "true",
    default: defaultOf(field.attributes.get("default"), restricted.get(type), resolved),
  };
}

/** The type behind restrictions; maps with symbol keys stay `fields`. */
function sourceOf(type: string, restricted: ReadonlyMap<string, Element>): string {
  const restriction = restricted.get(type);
  if (type === "fields" || restriction === undefined) return type;
  const source = sourceOf(attribute(restriction, "source"), restricted);
  return source === "map" ? "fields" : source;
}

function defaultOf(text: string | undefined, restriction: Element | undefined, type: string): XmlField["default"] {
  if (text === undefined) return undefined;
  const choice = restriction && named(restriction, "choice").find((each) => attribute(each, "name") === text);
  const value = choice === undefined ? text : attribute(choice, "value");
  if (type === "boolean") return value === "true";
  return type === "symbol" || type === "string" ? value : Number(value);
}
