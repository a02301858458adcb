// What must hold before the L3 agent makes anything: each failure is one line that says what to do.
import { NetloomError } from "../base/errors.ts";
import { isInSearchPath } from "../linux/search-path.ts";

const packageOf: Readonly<Record<string, string>> = {
  ip: "iproute2",
  nft: "nftables",
  nsenter: "util-linux",
  perl: "perl-base",
};

export interface PreflightFacts {
  readonly uid: number | undefined;
  /** Where programs are searched, as in PATH. */
  readonly searchPath: string;
}

/** Throws NetloomError. @returns what works only in part, in words */
export function checkPreflight({ uid, searchPath }: PreflightFacts): readonly string[] {
  if (uid !== 0) {
    throw new NetloomError("FORBIDDEN", "the L3 agent needs root, because it makes network namespaces: run it with sudo");
  }
  const missing = Object.keys(packageOf).filter((name) => !isInSearchPath(name, searchPath));
  if (missing.length > 0) {
    const packages = missing.map((name) => packageOf[name]).join(" ");
    throw new NetloomError("UNAVAILABLE", `${missing.join(", ")} not found in PATH: apt-get install -y ${packages}`);
  }
  return Object.entries(lackOf)
    .filter(([name]) => !isInSearchPath(name, searchPath))
    .map(([name, lack]) => `${name} not found in PATH, ${lack}: apt-get install -y ${name}`);
}

/** Programs that are packages of the same name, and what does not work without them. */
const lackOf: Readonly<Record<string, string>> = {
  radvd: "no router advertisements",
  keepalived: "no routers of high availability",
};
