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
  if (isInSearchPath("radvd", searchPath)) return [];
  return ["radvd not found in PATH, no router advertisements: apt-get install -y radvd"];
}
