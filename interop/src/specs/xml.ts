/** An element of an XML document. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
}

/** The children of one name. */
export function named(parent: Element, name: string): readonly Element[] {
  return parent.children.filter((child) => child.name === name);
}

/** An attribute that has to be there. */
export function attribute(element: Element, name: string): string {
  const value = element.attributes.get(name);
  if (value === undefined) throw new Error(`<${element.name}> without ${name}`);
  return value;
}

/** Enough of XML for the specifications: elements with quoted attributes, comments, no text. */
export function parseXml(xml: string): Element {
  const top: { name: string; attributes: Map<string, string>; children: Element[] } = {
    name: "",
    attributes: new Map(),
    children: [],
  };
  const open = [top];
  for (const [, close, name = "", rest = ""] of xml
    .replace(/<!--[\s\S]*?-->|<\?[\s\S]*?\?>/g, "")
    .matchAll(/<(\/?)([\w-]+)([^>]*)>/g)) {
    if (close === "/") {
      open.pop();
      continue;
    }
    const attributes = new Map(
      [...rest.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]),
    );
    const element = { name, attributes, children: [] };
    open.at(-1)?.children.push(element);
    if (!rest.trimEnd().endsWith("/")) open.push(element);
  }
  const [root] = top.children;
  if (root === undefined || open.length !== 1) throw new Error("not the XML that was expected");
  return root;
}
