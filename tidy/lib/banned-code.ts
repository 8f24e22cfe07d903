import { type AstNode, child, children, dottedName, nameOf, parse, valueReferences, walk } from "./ast.ts";
import { importsOf } from "./imports.ts";
import { isPackageSource, isTest, matches, type RepoFile, violation } from "./repo.ts";

/** `any`, `x!`, enums, namespaces and parameter properties: whatever switches the type checker off or does not erase. */
export function typeEscapeViolations(files: readonly RepoFile[]): string[] {
  return files.flatMap((file) => {
    const found = matches(file, /@ts-(?:ignore|nocheck)\b/g, (word) => `${word}: repair the type instead`);
    walk(parse(file), (node) => {
      const message = TYPE_ESCAPES.get(node.type);
      if (message !== undefined) found.push(violation(file, node.start, message));
      return undefined;
    });
    return found;
  });
}

const TYPE_ESCAPES = new Map([
  ["TSAnyKeyword", "any: use unknown and narrow it"],
  ["TSNonNullExpression", "!: check for null or undefined"],
  ["TSEnumDeclaration", "enum: use a union of literals"],
  ["TSModuleDeclaration", "namespace: use a module"],
  ["TSParameterProperty", "parameter property: declare the field"],
]);

/** Notes to oneself. They belong into an issue. */
export function noteViolations(files: readonly RepoFile[]): string[] {
  const note = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "X".repeat(3), "HA" + "CK"].join("|")})\\b`, "g");
  return files.flatMap((file) => matches(file, note, (word) => `${word}: do it or open an issue`));
}

/** Tests that run alone or not at all; `skipIf` with a visible reason is allowed. */
export function focusedTestViolations(files: readonly RepoFile[]): string[] {
  return files.filter((file) => isTest(file.path)).flatMap(focusedIn);
}

function focusedIn(file: RepoFile): string[] {
  const found: string[] = [];
  walk(parse(file), (node) => {
    const name = node.type === "MemberExpression" ? dottedName(node) : null;
    const banned = /^(?:test|it|describe|suite|bench)\..*?\b(?:only|skip|todo|fails)$/;
    if (name !== null && banned.test(name)) found.push(violation(file, node.start, `${name}: every test runs`));
    return undefined;
  });
  return found;
}

/** `console` in shipped code. */
export function consoleViolations(files: readonly RepoFile[]): string[] {
  return shipped(files).flatMap((file) =>
    valueReferences(parse(file))
      .filter((use) => use.name === "console")
      .map((use) => violation(file, use.start, "console: emit an event or publish to a diagnostics channel")),
  );
}

/** State that lives in a module: `let` and `var`, and containers that start empty and so can only be meant to be filled. */
export function moduleStateViolations(files: readonly RepoFile[]): string[] {
  return shipped(files).flatMap((file) =>
    children(parse(file), "body")
      .map((node) => child(node, "declaration") ?? node)
      .filter((node) => node.type === "VariableDeclaration" && node["declare"] !== true)
      .flatMap((node) => (node["kind"] === "const" ? emptyContainers(node) : [node]))
      .map((node) => violation(file, node.start, "module-level state: keep it in an object that somebody owns")),
  );
}

function emptyContainers(declaration: AstNode): AstNode[] {
  return children(declaration, "declarations").filter((declarator) => {
    let init = child(declarator, "init");
    while (init !== null && /^TS(?:As|Satisfies)Expression$/.test(init.type)) init = child(init, "expression");
    if (init === null) return false;
    if (init.type === "ArrayExpression") return children(init, "elements").length === 0;
    if (init.type === "ObjectExpression") return children(init, "properties").length === 0;
    const made = init.type === "NewExpression" ? nameOf(child(init, "callee")) : null;
    return made !== null && /^(?:Weak)?(?:Map|Set)$/.test(made) && children(init, "arguments").length === 0;
  });
}

/** Getters with a private name: V8 leaves optimized code for each look at one (some 20 ns), but not for a private method. */
export function privateGetterViolations(files: readonly RepoFile[]): string[] {
  return files.flatMap((file) => {
    const found: string[] = [];
    walk(parse(file), (node) => {
      if (
        node.type === "MethodDefinition" &&
        node["kind"] === "get" &&
        child(node, "key")?.type === "PrivateIdentifier"
      )
        found.push(violation(file, node.start, "a private getter: make it a private method"));
      return undefined;
    });
    return found;
  });
}

/** Tests that wait for time to pass: `setTimeout(resolve, …)`, `node:timers/promises`, anything called sleep. */
export function sleepViolations(files: readonly RepoFile[]): string[] {
  return files.filter((file) => isTest(file.path)).flatMap(sleepsIn);
}

function sleepsIn(file: RepoFile): string[] {
  const found = importsOf(file)
    .filter((edge) => edge.specifier.endsWith("timers/promises"))
    .map((edge) => violation(file, edge.start, `${edge.specifier}: use the virtual clock or await the event`));
  walk(parse(file), (node) => {
    if (node.type !== "CallExpression") return undefined;
    const name = dottedName(child(node, "callee")) ?? "";
    const sleeps = /(?:^|\.)sleep$/i.test(name) || (/(?:^|\.)setTimeout$/.test(name) && resolvesOnly(node));
    if (sleeps) found.push(violation(file, node.start, `${name}: use the virtual clock or await the event`));
    return undefined;
  });
  return found;
}

/** True when the timer does nothing but call (or be) one function named like a promise's resolve. */
function resolvesOnly(call: AstNode): boolean {
  const [callback] = children(call, "arguments");
  if (callback === undefined) return false;
  const target = callback.type === "ArrowFunctionExpression" ? callee(child(callback, "body")) : callback;
  return /^(?:r|res|resolve|done|ok|next)$/.test(nameOf(target) ?? "");
}

function callee(body: AstNode | null): AstNode | null {
  return body?.type === "CallExpression" ? child(body, "callee") : null;
}

function shipped(files: readonly RepoFile[]): RepoFile[] {
  return files.filter((file) => isPackageSource(file.path) && !isTest(file.path));
}
