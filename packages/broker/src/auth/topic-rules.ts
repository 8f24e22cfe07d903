/** What a placeholder in a filter stands for. */
export interface PlaceholderValues {
  /** For `%u`; null when there is no user. */
  readonly username: string | null;
  /** For `%c`. */
  readonly clientId: string;
}

/** A list of filters that says which topics, and which narrower filters, are allowed. */
export class TopicRules {
  readonly #filters: readonly (readonly string[])[];

  /**
   * Placeholders are filled in once. A rule whose value is missing, empty or contains a level separator or wildcard is left out: a
   * client must not widen its own permissions by the name it chooses.
   */
  constructor(filters: readonly string[], values: PlaceholderValues) {
    this.#filters = filters.flatMap((filter) => {
      const filled = fillIn(filter, values);
      return filled === null ? [] : [filled.split("/")];
    });
  }

  /** True when every topic that `requested` matches is allowed by one of the filters; a topic is a filter without wildcards. */
  covers(requested: string): boolean {
    const levels = requested.split("/");
    return this.#filters.some((filter) => levelsCover(filter, levels));
  }
}

/** A filter that begins with a wildcard covers nothing that begins with `$`, as in matching. */
function levelsCover(allowed: readonly string[], requested: readonly string[]): boolean {
  if ((allowed[0] === "#" || allowed[0] === "+") && requested[0]?.startsWith("$") === true) return false;
  for (let i = 0; i < allowed.length; i++) {
    const rule = allowed[i];
    // `#` stands for its parent level, too: the requested filter may end here.
    if (rule === "#") return true;
    const level = requested[i];
    if (level === undefined || level === "#") return false;
    if (rule !== "+" && rule !== level) return false;
  }
  return requested.length === allowed.length;
}

function fillIn(filter: string, values: PlaceholderValues): string | null {
  const withUser = fillOne(filter, "%u", values.username);
  // In one direction only: a user name that contains "%c" is no placeholder. It is refused along with the separators.
  return withUser === null ? null : fillOne(withUser, "%c", values.clientId);
}

function fillOne(filter: string, placeholder: string, value: string | null): string | null {
  if (!filter.includes(placeholder)) return filter;
  if (value === null || value === "" || /[/+#%]/.test(value)) return null;
  return filter.replaceAll(placeholder, () => value);
}
