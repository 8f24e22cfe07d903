/** An empty property block: level 5, no properties. */
export const NO_PROPERTIES: Uint8Array = new Uint8Array(0);
