const SECTION = /^## \[(Unreleased|\d+\.\d+\.\d+)\](?: - (\d{4}-\d{2}-\d{2}))?$/;
const GROUP = /^### (?:Added|Changed|Deprecated|Removed|Fixed|Security)$/;

/** Departures of a CHANGELOG.md from the form of keepachangelog.com 1.1.0. */
export function changelogViolations(text: string): string[] {
  const lines = text.split("\n");
  const found = lines[0] === "# Changelog" ? [] : ["CHANGELOG.md:1: must start with # Changelog"];
  const sections = lines.filter((line) => line.startsWith("## "));
  if (!/^## \[Unreleased\]/.test(sections[0] ?? "")) found.push("CHANGELOG.md:1: the first section is [Unreleased]");
  let place: "preamble" | "section" | "group" = "preamble";
  lines.forEach((line, index) => {
    const message = lineMessage(line, place);
    if (message !== null) found.push(`CHANGELOG.md:${index + 1}: ${message}`);
    if (line.startsWith("## ")) place = "section";
    if (line.startsWith("### ")) place = "group";
  });
  return [...found, ...orderMessages(sections)];
}

function lineMessage(line: string, place: "preamble" | "section" | "group"): string | null {
  if (line.startsWith("## ")) {
    const match = SECTION.exec(line);
    if (match === null) return "a section is [Unreleased] or [x.y.z] - yyyy-mm-dd";
    return (match[1] === "Unreleased") === (match[2] === undefined) ? null : "a released version has a date";
  }
  if (line.startsWith("### ")) {
    if (place === "preamble") return "a group belongs to a section";
    return GROUP.test(line) ? null : "a group is Added, Changed, Deprecated, Removed, Fixed or Security";
  }
  if (line.startsWith("- ")) return place === "group" ? null : "an entry belongs to a group";
  return null;
}

/** Versions go down, each appears once. */
function orderMessages(sections: readonly string[]): string[] {
  const versions = sections.map((line) => SECTION.exec(line)?.[1]).filter((version) => version !== undefined);
  const numbered = versions.filter((version) => version !== "Unreleased");
  const sorted = [...new Set(numbered)].sort((a, b) => -a.localeCompare(b, "en", { numeric: true }));
  return sorted.join() === numbered.join() ? [] : [`CHANGELOG.md:1: versions out of order: ${numbered.join(", ")}`];
}
