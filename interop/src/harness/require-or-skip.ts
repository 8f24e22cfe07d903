import { spawnSync } from "node:child_process";
import { findBinary } from "./find-binary.ts";

/** What a `describe` needs to run or to skip in plain sight. */
export interface Requirement {
  /** For `describe.skipIf(requirement.skip)`. */
  readonly skip: boolean;
  /** The title, with the reason after it when the block is skipped. */
  title(name: string): string;
}

/**
 * Asks for programs (`"mosquitto"`) and Python modules (`"python:paho.mqtt.client"`) that a test file cannot do without.
 *
 * Where one is missing the block is skipped and its title says why. With `CI` set, or `POLYMQ_INTEROP_REQUIRED=1`, a
 * missing one throws instead, so that the file fails: a tier that quietly tests nothing is worse than a red one.
 *
 * ```ts
 * const mosquitto = requireOrSkip("mosquitto", "mosquitto_passwd");
 * describe.skipIf(mosquitto.skip)(mosquitto.title("against Mosquitto"), () => {});
 * ```
 */
export function requireOrSkip(...names: readonly string[]): Requirement {
  return requirementFor(
    names.filter((name) => !isPresent(name)),
    isRequired(process.env),
  );
}

/** The decision of {@link requireOrSkip}, apart from the machine it looks at. */
export function requirementFor(missing: readonly string[], when: "skip" | "fail"): Requirement {
  if (missing.length === 0) return { skip: false, title: (name) => name };
  const reason = `${missing.join(", ")} not installed, see interop/scripts/install-debian.sh`;
  if (when === "fail") throw new Error(reason);
  return { skip: true, title: (name) => `${name} (skipped: ${reason})` };
}

/** `"fail"` in CI and where `POLYMQ_INTEROP_REQUIRED=1`; an empty value, `0` and `false` count as unset. */
export function isRequired(environment: NodeJS.ProcessEnv): "skip" | "fail" {
  return isSet(environment["CI"]) || isSet(environment["POLYMQ_INTEROP_REQUIRED"]) ? "fail" : "skip";
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0" && value !== "false";
}

function isPresent(name: string): boolean {
  const python = findBinary("python3");
  if (!name.startsWith("python:")) return findBinary(name) !== undefined;
  if (python === undefined) return false;
  return spawnSync(python, ["-c", `import ${name.slice("python:".length)}`], { stdio: "ignore" }).status === 0;
}
