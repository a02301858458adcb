// Tests that share what they are about and follow each other: where one failed, what the others wait for may never come.
import { afterEach, beforeEach, type TestContext } from "node:test";

/** To be called in the `describe` that they are in: after one that failed the others fail at once, and say which. */
export function failAfterTheFirst(): void {
  let failed: string | undefined;
  beforeEach(() => {
    if (failed !== undefined) throw new Error(`not begun, because "${failed}" before it failed`);
  });
  afterEach((context) => {
    // Known to Node (21.7), not to its types.
    const { name, passed } = context as TestContext & { readonly passed: boolean };
    if (!passed) failed ??= name;
  });
}
