// Which programs this machine has.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** @param searchPath as in PATH */
export function isInSearchPath(name: string, searchPath: string): boolean {
  return searchPath.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
