/** Names by their length: most names of publishers differ from all that are looked for in that already. A length that no name has is missing or empty. */
export function namesByLength(names: readonly string[]): readonly (readonly string[] | undefined)[] {
  const lists: string[][] = [];
  for (const name of names) {
    while (lists.length <= name.length) lists.push([]);
    lists[name.length]?.push(name);
  }
  return lists;
}
