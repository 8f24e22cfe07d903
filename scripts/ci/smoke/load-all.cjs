/** Loads each entry point that the arguments name: it must export something. */
for (const specifier of process.argv.slice(2)) {
  const names = Object.keys(require(specifier));
  if (names.length === 0) throw new Error(`${specifier} exports nothing`);
}
