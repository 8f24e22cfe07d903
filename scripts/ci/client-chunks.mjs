import { rolldown } from "rolldown";

const ENTRY = "polymq-mqtt";

/**
 * Bundles an entry point of a package for browsers as an application's bundler does: nothing shaken off, since everything is exported, each `import()` a
 * chunk of its own, and what a chunk shares with the entry point stays in the entry point. The last has to be said to Rolldown, which else leaves some
 * of it in a file beside the entry point when the modules come in an unlucky order (https://github.com/rolldown/rolldown/issues/9963).
 * @param {string} specifier such as `polymq/mqtt`
 * @param {string} root the folder that the specifier is resolved from
 * @returns {Promise<{ name: string, isEntry: boolean, code: string, imports: string[], modules: { path: string, bytes: number }[] }[]>}
 */
export async function clientChunks(specifier, root) {
  const entry = `${root}/${ENTRY}.mjs`;
  const atOnce = new Set();
  const bundle = await rolldown({
    input: { [ENTRY]: entry },
    platform: "browser",
    // As Vite builds pages: the entry chunk may export more, so that parts can take what they share from it.
    preserveEntrySignatures: "allow-extension",
    plugins: [
      {
        name: "entry",
        load: (id) => (id === entry ? `export * from "${specifier}";` : null),
        resolveId: (id) => (id === entry ? id : null),
        buildEnd() {
          atOnce.add(entry);
          for (const id of atOnce)
            for (const imported of this.getModuleInfo(id)?.importedIds ?? []) atOnce.add(imported);
        },
      },
    ],
  });
  const { output } = await bundle.generate({
    format: "esm",
    minify: true,
    codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: ENTRY, test: (id) => atOnce.has(id) }] },
  });
  await bundle.close();
  return output
    .filter((file) => file.type === "chunk")
    .map(({ fileName: name, isEntry, code, imports, modules }) => ({
      name,
      isEntry,
      code,
      imports,
      modules: Object.entries(modules).map(([path, { renderedLength: bytes }]) => ({
        path: path.replace(/^.*\/dist\//, ""),
        bytes,
      })),
    }));
}

/**
 * The chunks that come with the entry point: itself, and what it imports other than by `import()`.
 * @template {{ name: string, isEntry: boolean, imports: string[] }} Chunk
 * @param {readonly Chunk[]} chunks
 * @returns {Set<Chunk>}
 */
export function staticClosure(chunks) {
  const reached = new Set(chunks.filter((chunk) => chunk.isEntry));
  for (const chunk of reached) {
    for (const other of chunks) if (chunk.imports.includes(other.name)) reached.add(other);
  }
  return reached;
}
