/** Looks whether what a document has npm do is there: a script of the workspace that it names, or an installed package. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const [command, ...rest] = process.argv.slice(2);
const problem = problemOf(command, rest);
if (problem !== null) {
  process.stderr.write(`npm ${process.argv.slice(2).join(" ")}: ${problem}\n`);
  process.exitCode = 1;
}

function problemOf(name, args) {
  switch (name) {
    case "ci":
      return null;
    case "test":
      return missingScript("test", ".");
    case "run":
      return missingScript(args[0], args.includes("-w") ? args[args.indexOf("-w") + 1] : ".");
    case "install":
      return args.map(missingPackage).find((found) => found !== null) ?? null;
    default:
      return "the documents' check does not know this command";
  }
}

function missingScript(script, folder) {
  const { scripts } = JSON.parse(readFileSync(`${ROOT}${folder}/package.json`, "utf8"));
  return scripts[script] === undefined ? `no script ${script} in ${folder}/package.json` : null;
}

function missingPackage(name) {
  return name.startsWith("-") || existsSync(`${ROOT}node_modules/${name}`) ? null : `${name} is not installed here`;
}
