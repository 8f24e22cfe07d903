import { afterBrackets, findOutside, isName, splitOutside, stringValue } from "./declaration-tokens.mjs";

const MODIFIERS = new Set(
  "public private protected static readonly abstract declare override async accessor get set".split(" "),
);
const HIDDEN = new Set(["private", "protected"]);
const AFTER_A_NAME = new Set([":", "?", "(", "<", ";", ",", "=", undefined]);
const MEMBER_ENDS = new Set([";", ","]);
const BRANCHES = new Set(["|", "&"]);
const TRANSPARENT = new Set(["Readonly", "Partial", "Required", "NonNullable"]);

/**
 * @param {string[]} body the tokens between the braces of a class, an interface, a type literal or an enum
 * @returns {Map<string, string[]>} the type of each visible member by its name; empty for a method
 */
export function membersOfBody(body) {
  const members = new Map();
  for (const member of splitOutside(body, MEMBER_ENDS)) {
    const { hidden, at } = skipModifiers(member);
    const named = readMemberName(member, at);
    if (!hidden && named) members.set(named.name, memberType(member, named.next));
  }
  return members;
}

function skipModifiers(member) {
  let hidden = false;
  let at = 0;
  for (; MODIFIERS.has(member[at]) && !AFTER_A_NAME.has(member[at + 1]); at++) hidden ||= HIDDEN.has(member[at]);
  return { hidden, at };
}

function readMemberName(member, at) {
  const token = member[at];
  if (isName(token) && token !== "constructor" && !(token === "new" && member[at + 1] === "(")) {
    return { name: token, next: at + 1 };
  }
  if (stringValue(token) !== undefined) return { name: stringValue(token), next: at + 1 };
  if (token !== "[") return undefined;
  const next = afterBrackets(member, at);
  const inside = member.slice(at + 1, next - 1);
  return inside.every((part) => part === "." || isName(part)) ? { name: `[${inside.join("")}]`, next } : undefined;
}

function memberType(member, next) {
  let at = next;
  if (member[at] === "?") at++;
  const isGetter = member[at] === "(" && member.includes("get");
  if (isGetter) at = afterBrackets(member, at);
  return member[at] === ":" ? member.slice(at + 1) : [];
}

/**
 * Splits a type expression into what gives it members.
 *
 * @param {string[]} type
 * @returns {({ body: string[] } | { name: string, from?: string } | { type: string[], keys: Set<string>, keep: boolean })[]}
 * type literals, names (of another module with `from`), and types of which some keys are kept or left out
 */
export function sourcesOfType(type) {
  if (findOutside(type, 0, (token) => token === "=>" || token === "extends") < type.length) return [];
  const branches = splitOutside(type, BRANCHES);
  return branches.length > 1 ? branches.flatMap(sourcesOfType) : sourcesOfPrimary(branches[0] ?? []);
}

function sourcesOfPrimary(type) {
  const [first, second] = type;
  if (first === "readonly" || first === "typeof") return sourcesOfPrimary(type.slice(1));
  if (first === "(" && afterBrackets(type, 0) === type.length) return sourcesOfType(type.slice(1, -1));
  if (first === "{" && afterBrackets(type, 0) === type.length) return [{ body: type.slice(1, -1) }];
  if (first === "import" && second === "(") return [{ from: stringValue(type[2]), name: type[5] }];
  if (!isName(first)) return [];
  const end = second === "<" ? afterBrackets(type, 1) : 1;
  if (end !== type.length) return [];
  return sourcesOfReference(first, splitOutside(type.slice(2, end - 1), new Set([","])));
}

function sourcesOfReference(name, typeArguments) {
  const [target = [], keys = []] = typeArguments;
  if (TRANSPARENT.has(name)) return sourcesOfType(target);
  if (name === "Pick" || name === "Omit") {
    return [{ type: target, keys: new Set(keys.map(stringValue)), keep: name === "Pick" }];
  }
  return [{ name }];
}
