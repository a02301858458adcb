// What must hold before the agent makes anything: each failure is one line that says what to do.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { NetloomError } from "../base/errors.ts";

const packageOf: Readonly<Record<string, string>> = {
  dnsmasq: "dnsmasq-base",
  ip: "iproute2",
  nsenter: "util-linux",
  perl: "perl-base",
};

export interface PreflightFacts {
  readonly uid: number | undefined;
  /** Where programs are searched, as in PATH. */
  readonly searchPath: string;
}

/** Throws NetloomError. */
export function checkPreflight(facts: PreflightFacts): void {
  if (facts.uid !== 0) {
    throw new NetloomError("FORBIDDEN", "the DHCP agent needs root, because it makes network namespaces: run it with sudo");
  }
  const missing = Object.keys(packageOf).filter((name) => !isInPath(name, facts.searchPath));
  if (missing.length > 0) {
    const packages = missing.map((name) => packageOf[name]).join(" ");
    throw new NetloomError("UNAVAILABLE", `${missing.join(", ")} not found in PATH: apt-get install -y ${packages}`);
  }
}

function isInPath(name: string, searchPath: string): boolean {
  return searchPath.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
