/**
 * The reference of all public entry points, with the guides, as HTML in dist/. Fails on a link that leads nowhere, on an exported
 * name or method without a docstring, and on a type that is used and not exported.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Converter, ReflectionKind } from "typedoc";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PACKAGES = ["packages/polymq", "packages/broker"];
/** Not covered by the version promise. */
const LEFT_OUT = new Set(["polymq/internal"]);

/** Public entry points: source file -> what users import. */
const entryPoints = new Map(PACKAGES.flatMap(entryPointsOf));

/** @type {import("typedoc").TypeDocOptions} */
export default {
  name: "polymq",
  entryPoints: [...entryPoints.keys()],
  tsconfig: `${ROOT}docs/reference/tsconfig.json`,
  out: `${ROOT}docs/reference/dist`,
  readme: `${ROOT}README.md`,
  plugin: [namedAsImported],
  packagesRequiringDocumentation: ["polymq", "@polymq/broker"],
  projectDocuments: [`${ROOT}docs/guides/*.md`],
  excludePrivate: true,
  excludeInternal: true,
  disableSources: true,
  validation: { notExported: true, invalidLink: true, rewrittenLink: true, notDocumented: true, invalidPath: false },
  requiredToBeDocumented: ["Class", "Function", "Variable", "Method", "Interface", "TypeAlias", "Enum"],
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
};

function entryPointsOf(folder) {
  const manifest = JSON.parse(readFileSync(`${ROOT}${folder}/package.json`, "utf8"));
  return Object.entries(manifest.exports)
    .map(([path, target]) => [target.types, `${manifest.name}${path.slice(1)}`])
    .filter(([types, specifier]) => types !== undefined && !LEFT_OUT.has(specifier))
    .map(([types, specifier]) => [
      `${ROOT}${folder}/${types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts")}`,
      specifier,
    ]);
}

/** Modules have the names under which they are imported, not those of their files. */
function namedAsImported(app) {
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return;
    const file = context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName;
    reflection.name = entryPoints.get(file) ?? reflection.name;
  });
}
