// What must hold before the floating-IP agent touches anything: each failure is one line that says what to do.
import { NetloomError } from "../base/errors.ts";
import { isInSearchPath } from "../linux/search-path.ts";

const packageOf: Readonly<Record<string, string>> = { nft: "nftables", nsenter: "util-linux", perl: "perl-base" };

/** @param facts.searchPath where programs are searched, as in PATH. Throws NetloomError. */
export function checkFloatingIpPreflight(facts: { readonly uid: number | undefined; readonly searchPath: string }): void {
  if (facts.uid !== 0) {
    const why = "because it works in network namespaces: run it with sudo";
    throw new NetloomError("FORBIDDEN", `the floating IP agent needs root, ${why}`);
  }
  const missing = Object.keys(packageOf).filter((name) => !isInSearchPath(name, facts.searchPath));
  if (missing.length === 0) return;
  const packages = missing.map((name) => packageOf[name]).join(" ");
  throw new NetloomError("UNAVAILABLE", `${missing.join(", ")} not found in PATH: apt-get install -y ${packages}`);
}
