import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseDeclarationFile } from "./declaration-file.mjs";
import { membersOfBody, sourcesOfType } from "./type-members.mjs";

const NOT_PUBLIC = new Set(["./internal", "./package.json"]);

/** Reads the public names of the packages from the declarations that the compiler wrote. */
export class PublicApi {
  /** Entry points by the name they are imported by; the value is their .d.ts file. @type {Map<string, string>} */
  entries = new Map();
  /** What is wrong with the packages. @type {string[]} */
  failures = [];
  /** Every entry point, the internal ones included. */
  #specifiers = new Map();
  #files = new Map();

  /** @param {string} root the repository's root */
  constructor(root) {
    const packages = join(root, "packages");
    for (const directory of existsSync(packages) ? readdirSync(packages).sort() : []) {
      const manifest = join(packages, directory, "package.json");
      if (existsSync(manifest)) this.#addPackage(root, manifest);
    }
  }

  #addPackage(root, manifest) {
    const { name, exports = {} } = JSON.parse(readFileSync(manifest, "utf8"));
    for (const [subpath, target] of Object.entries(exports)) {
      const types = typesOf(target);
      if (types === undefined) continue;
      const file = resolve(dirname(manifest), types);
      const specifier = name + subpath.slice(1);
      this.#specifiers.set(specifier, file);
      if (NOT_PUBLIC.has(subpath)) continue;
      this.entries.set(specifier, file);
      if (!existsSync(file)) this.failures.push(`${specifier}: ${relative(root, file)} is missing: build first`);
    }
  }

  /** @param {string} specifier an entry point @returns {string[]} the names it exports, sorted */
  exportedNames(specifier) {
    const file = this.entries.get(specifier);
    return file === undefined ? [] : [...this.#exportsOf(file).keys()].sort();
  }

  /**
   * @param {string[]} path an exported name, and for a member its name, a member of that, and so on
   * @returns {boolean} whether any public entry point has it
   */
  has([name, ...members]) {
    return [...this.entries.values()].some((file) => {
      const target = this.#exportsOf(file).get(name);
      return target !== undefined && this.#hasMembers(target, members);
    });
  }

  #hasMembers(target, [first, ...rest]) {
    if (first === undefined) return true;
    let members = this.#membersOfName(target.file, target.name, new Set());
    for (const next of rest) {
      const member = members.get(first);
      if (!member) return false;
      members = this.#membersOfType(member.file, member.type, new Set());
      first = next;
    }
    return members.has(first);
  }

  /** Where each exported name of a file is declared. @returns {Map<string, { file: string, name: string }>} */
  #exportsOf(file, seen = new Set()) {
    const found = new Map();
    if (seen.has(file)) return found;
    seen.add(file);
    const { exports, stars } = this.#read(file);
    for (const star of stars) {
      const target = this.#locate(file, star);
      if (target) for (const [name, place] of this.#exportsOf(target, seen)) found.set(name, place);
    }
    for (const [exported, { from, name }] of exports) {
      const target = from === undefined ? file : this.#locate(file, from);
      found.set(exported, this.#follow(target, name, from !== undefined));
    }
    return found;
  }

  /** Goes from a name in a file to the file that declares it. */
  #follow(file, name, isExported, depth = 0) {
    if (file === undefined || name === "*" || depth > 50) return { file, name };
    const { declarations, imports, exports, stars } = this.#read(file);
    const exported = isExported ? exports.get(name) : undefined;
    if (exported?.from) return this.#follow(this.#locate(file, exported.from), exported.name, true, depth + 1);
    const local = exported ? exported.name : name;
    const imported = imports.get(local);
    if (imported) return this.#follow(this.#locate(file, imported.from), imported.name, true, depth + 1);
    if (declarations.has(local) || !isExported) return { file, name: local };
    for (const star of stars) {
      const place = this.#follow(this.#locate(file, star), name, true, depth + 1);
      if (place.file !== undefined && this.#read(place.file).declarations.has(place.name)) return place;
    }
    return { file, name: local };
  }

  #membersOfName(file, name, seen) {
    const members = new Map();
    const key = `${file}:${name}`;
    if (file === undefined || seen.has(key)) return members;
    seen.add(key);
    for (const { types, body } of this.#read(file).declarations.get(name) ?? []) {
      for (const type of types) addAll(members, this.#membersOfType(file, type, seen));
      if (body) for (const [member, type] of membersOfBody(body)) members.set(member, { file, type });
    }
    return members;
  }

  #membersOfType(file, type, seen) {
    const members = new Map();
    for (const source of sourcesOfType(type)) {
      if ("body" in source) {
        for (const [member, memberType] of membersOfBody(source.body)) members.set(member, { file, type: memberType });
      } else if ("keys" in source) {
        for (const [member, place] of this.#membersOfType(file, source.type, seen)) {
          if (source.keys.has(member) === source.keep) members.set(member, place);
        }
      } else {
        const start = source.from === undefined ? file : this.#locate(file, source.from);
        const place = this.#follow(start, source.name, source.from !== undefined);
        addAll(members, this.#membersOfName(place.file, place.name, seen));
      }
    }
    return members;
  }

  #locate(file, specifier) {
    if (!specifier.startsWith(".")) return this.#specifiers.get(specifier);
    const path = resolve(dirname(file), specifier).replace(/(?:\.d)?\.[mc]?[jt]s$/, "");
    return [`${path}.d.ts`, join(path, "index.d.ts")].find((candidate) => existsSync(candidate));
  }

  #read(file) {
    let parsed = this.#files.get(file);
    if (!parsed) {
      parsed = parseDeclarationFile(existsSync(file) ? readFileSync(file, "utf8") : "");
      this.#files.set(file, parsed);
    }
    return parsed;
  }
}

/** The first `types` condition of an entry of a package's `exports`. */
function typesOf(target) {
  if (typeof target !== "object" || target === null) return undefined;
  if (typeof target.types === "string") return target.types;
  return Object.values(target)
    .map(typesOf)
    .find((types) => types !== undefined);
}

function addAll(members, more) {
  for (const [name, place] of more) members.set(name, place);
}
