// For what makes more objects than a project usually may.
import { quotaKeys } from "../../src/config/quota-keys.ts";

const flagOf = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Flags of `netloom server` and `netloom up` that take away all limits of projects. */
export const unlimited: readonly string[] = Object.keys(quotaKeys).map((key) => `--quota-${flagOf(key)}=-1`);
