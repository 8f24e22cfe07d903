import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build, type Plugin } from "esbuild";

const PACKAGE = join(import.meta.dirname, "..", "..", "..", "packages", "polymq");

/** Node's globals; each use of one as a bare name, not as a property of `globalThis`, shows in a bundle under {@link BARE}. */
const NODE_GLOBALS: readonly string[] = ["Buffer", "process", "global", "require", "setImmediate", "__dirname"];

/** Marks what would be a ReferenceError in a browser, or a stand-in for something of Node's. */
export const BARE = "BARE_NODE_GLOBAL_";

/** The page's scripts, and the files they are made of. */
export interface PageBundle {
  /** By file name; the page loads `page.js`, which loads the others. */
  readonly scripts: ReadonlyMap<string, string>;
  /** Paths from the working directory. */
  readonly inputs: readonly string[];
}

/**
 * Bundles a page of this folder for browsers, with nothing put in for what Node has: a Node module anywhere below it is an error. The
 * package's entry points are resolved as its manifest says for browsers, but to sources, so that no build is needed.
 */
export async function bundlePage(page: string): Promise<PageBundle> {
  const result = await build({
    entryPoints: [{ in: join(import.meta.dirname, page), out: "page" }],
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    splitting: true,
    outdir: "out",
    target: "es2022",
    minify: true,
    legalComments: "none",
    metafile: true,
    define: Object.fromEntries(NODE_GLOBALS.map((name) => [name, BARE + name])),
    plugins: [await sourcesForBrowsers()],
  });
  if (result.warnings.length > 0) throw new Error(JSON.stringify(result.warnings));
  const scripts = new Map(result.outputFiles.map((file) => [basename(file.path), file.text]));
  return { scripts, inputs: Object.keys(result.metafile.inputs) };
}

async function sourcesForBrowsers(): Promise<Plugin> {
  const manifest = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8")) as {
    exports: Record<string, string | Record<string, string>>;
  };
  return {
    name: "sources-for-browsers",
    setup: (api) => {
      api.onResolve({ filter: /^polymq(\/|$)/ }, ({ path }) => {
        const target = manifest.exports[path.replace(/^polymq/, ".")];
        const file = typeof target === "object" ? (target["browser"] ?? target["default"]) : target;
        if (file === undefined) return { errors: [{ text: `polymq does not export ${path}` }] };
        return { path: join(PACKAGE, file.replace("./dist/", "src/").replace(/\.js$/, ".ts")) };
      });
    },
  };
}
