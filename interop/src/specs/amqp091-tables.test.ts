import {
  BASIC_PROPERTIES,
  FRAME_BYTES_MIN,
  FRAME_END,
  FrameType,
  METHODS,
  type MethodName,
  methodRow,
  REPLY_CODES,
} from "polymq/amqp091/codec";
import { describe, expect, test } from "vitest";
import { isRequired, requirementFor } from "../harness/require-or-skip.ts";
import { AMQP091_XML, hasAmqp091Xml, readAmqp091Xml } from "./amqp091-xml.ts";

const xml = requirementFor(hasAmqp091Xml() ? [] : [`amqp-specs (${AMQP091_XML})`], isRequired(process.env));

/** RabbitMQ's additions after that XML, from its documents: name, numbers, sender, fields. */
const LATER = {
  "connection.blocked": [10, 60, "server", "reason:shortstr"],
  "connection.unblocked": [10, 61, "server", ""],
  "connection.update-secret": [10, 70, "client", "newSecret:longbytes,reason:shortstr"],
  "connection.update-secret-ok": [10, 71, "server", ""],
} as const;

/** Ours is camelCase and the XML's kebab-case; `nowait` of confirm.select is `noWait` here. */
function plain(name: string): string {
  return name.replaceAll("-", "").toLowerCase();
}

const NAMES = (Object.keys(METHODS) as MethodName[]).filter((name) => !(name in LATER));

describe.skipIf(xml.skip)(xml.title("the tables of AMQP 0-9-1 and Debian's amqp-specs"), () => {
  const specification = xml.skip ? undefined : readAmqp091Xml();
  const methods = specification?.methods ?? new Map();

  test("have the same methods", () => {
    expect([...NAMES].sort()).toEqual([...methods.keys()].sort());
  });

  test.each(NAMES)("have the same %s", (name) => {
    const row = methodRow(name);
    const theirs = methods.get(name);
    expect(row.id).toEqual([theirs?.classId, theirs?.methodId]);
    expect(row.content).toBe(theirs?.content);
    // The XML leaves out that recover is answered, and by its own text it is (§1.8.3.16).
    expect(row.replies).toEqual(name === "basic.recover" ? ["basic.recover-ok"] : theirs?.replies);
    const fields = row.fields.map(([field, wire]) => [
      plain(field),
      wire === "longbytes" ? "longstr" : wire,
      field.startsWith("reserved"),
    ]);
    expect(fields).toEqual(
      theirs?.fields.map(([field, type, reserved]: [string, string, boolean]) => [plain(field), type, reserved]),
    );
  });

  test.each(NAMES)("say alike who may send %s", (name) => {
    const takers = methods.get(name)?.takenBy ?? [];
    const from = takers.length === 2 ? "both" : takers[0] === "server" ? "client" : "server";
    expect(methodRow(name).from).toBe(from);
  });

  test("have the same properties in the same order", () => {
    const ours = BASIC_PROPERTIES.map(([name, wire]) => [name === "clusterId" ? "reserved" : plain(name), wire]);
    expect(ours).toEqual(specification?.properties.map(([name, type]) => [plain(name), type]));
  });

  test("have the same constants", () => {
    const constant = (name: string): number | undefined => specification?.constants.get(name)?.value;
    expect([FRAME_BYTES_MIN, FRAME_END]).toEqual([constant("frame-min-size"), constant("frame-end")]);
    expect(FrameType).toEqual({
      Method: constant("frame-method"),
      Header: constant("frame-header"),
      Body: constant("frame-body"),
      Heartbeat: constant("frame-heartbeat"),
    });
  });

  test("have the same reply codes with the same scope; 312 is in the full specification only", () => {
    const scopes = new Map([
      ["soft-error", "channel"],
      ["hard-error", "connection"],
    ]);
    const theirs = [...(specification?.constants ?? [])]
      .filter(([name]) => !name.startsWith("frame-") || name === "frame-error")
      .map(([name, { value, error }]) => [value, name, error === undefined ? "none" : scopes.get(error)]);
    const ours = Object.entries(REPLY_CODES)
      .filter(([code]) => code !== "312")
      .map(([code, row]) => [Number(code), row.name, row.scope]);
    expect(ours).toEqual(theirs);
  });
});

test.each(Object.entries(LATER))("%s is as RabbitMQ's documents have it", (name, [classId, methodId, from, fields]) => {
  const row = methodRow(name as MethodName);
  expect([...row.id, row.from, row.fields.map((each) => each.join(":")).join(",")]).toEqual([
    classId,
    methodId,
    from,
    fields,
  ]);
});
