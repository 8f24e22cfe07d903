import { rolldown } from "rolldown";

const ENTRY = "polymq-mqtt";

/**
 * Bundles an entry point of a package for browsers as an application's bundler does: nothing shaken off, since everything is exported, each `import()` a
 * chunk of its own, and what a chunk shares with the entry point stays in the entry point.
 * @param {string} specifier such as `polymq/mqtt`
 * @param {string} root the folder that the specifier is resolved from
 * @returns {Promise<{ name: string, isEntry: boolean, code: string, imports: string[], modules: { path: string, bytes: number }[] }[]>}
 */
export async function clientChunks(specifier, root) {
  const entry = `${root}/${ENTRY}.mjs`;
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
      },
    ],
  });
  const { output } = await bundle.generate({ format: "esm", minify: true });
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
