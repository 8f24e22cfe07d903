import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { describe, expect, test } from "vitest";

const SRC = fileURLToPath(new URL("..", import.meta.url));

/** What a bundler makes of an entry point for pages. */
async function bundled(entry: string): Promise<Metafile> {
  const result = await build({
    entryPoints: [`${SRC}${entry}`],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    outdir: "/out",
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  return result.metafile;
}

/** Folders below `src` whose modules are loaded with an output file, at once. */
function foldersOf(metafile: Metafile, output: string, seen: Set<string> = new Set()): Set<string> {
  const folders = new Set<string>();
  if (seen.has(output)) return folders;
  seen.add(output);
  const { inputs, imports } = metafile.outputs[output] ?? { inputs: {}, imports: [] };
  for (const input of Object.keys(inputs)) folders.add(input.slice(input.indexOf("src/") + 4).replace(/\/[^/]*$/, ""));
  for (const { path, kind } of imports) {
    if (kind !== "dynamic-import") for (const folder of foldersOf(metafile, path, seen)) folders.add(folder);
  }
  return folders;
}

function outputWith(metafile: Metafile, input: RegExp): string {
  const found = Object.entries(metafile.outputs).find(([, { entryPoint = "" }]) => input.test(entryPoint));
  if (found === undefined) throw new Error(`no output for ${input}`);
  return found[0];
}

const AMQP = /^amqp|adapters\/amqp/;

describe("bundles", () => {
  test("of polymq/mqtt have no AMQP code, and none of the unified client", async () => {
    const metafile = await bundled("mqtt/index.browser.ts");
    const all = Object.keys(metafile.inputs).map((input) => input.slice(input.indexOf("src/") + 4));
    expect(all.filter((input) => AMQP.test(input) || input.startsWith("unified/"))).toEqual([]);
    expect(all.some((input) => input.startsWith("mqtt/"))).toBe(true);
  });

  test("of polymq load a protocol only when it is used, and with MQTT no AMQP", async () => {
    const metafile = await bundled("unified/index.browser.ts");
    const atOnce = [...foldersOf(metafile, outputWith(metafile, /unified\/index\.browser\.ts$/))];
    expect(atOnce.filter((folder) => /^(?:mqtt|amqp)|adapters/.test(folder))).toEqual([]);
    for (const part of [/mqtt-adapter\.ts$/, /mqtt\/index\.browser\.ts$/]) {
      const folders = [...foldersOf(metafile, outputWith(metafile, part))];
      expect(folders.some((folder) => folder.includes("mqtt"))).toBe(true);
      expect(folders.filter((folder) => AMQP.test(folder))).toEqual([]);
    }
  });
});
