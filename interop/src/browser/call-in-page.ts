import type { Page } from "playwright-core";

/** What a page offers to its test under `globalThis.pageTests`: functions whose arguments and results JSON can hold. */
type PageFunctions<Tests> = { readonly [K in keyof Tests]: (...args: never) => unknown };

/** Calls one of the page's functions there. */
export async function callInPage<Tests extends PageFunctions<Tests>, K extends keyof Tests>(
  page: Page,
  name: K,
  args: Parameters<Tests[K]>,
): Promise<Awaited<ReturnType<Tests[K]>>> {
  const result: unknown = await page.evaluate(
    ([name, args]) => {
      const { pageTests } = globalThis as unknown as {
        pageTests: Record<string, (...args: readonly unknown[]) => unknown>;
      };
      return pageTests[name]?.(...args);
    },
    [String(name), args as readonly unknown[]] as const,
  );
  return result as Awaited<ReturnType<Tests[K]>>;
}
