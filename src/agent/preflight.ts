// What must hold before the agent makes anything: each failure is one line that says what to do.
import { NetloomError } from "../base/errors.ts";
import { isInSearchPath } from "../linux/search-path.ts";

const packageOf: Readonly<Record<string, string>> = {
  dnsmasq: "dnsmasq-base",
  ip: "iproute2",
  nsenter: "util-linux",
  perl: "perl-base",
};
const packageOfOvs: typeof packageOf = { "ovs-vsctl": "openvswitch-switch" };

export interface PreflightFacts {
  readonly uid: number | undefined;
  /** Where programs are searched, as in PATH. */
  readonly searchPath: string;
  /** Ports join a bridge of Open vSwitch. */
  readonly usesOvs?: boolean;
}

/** Throws NetloomError. */
export function checkPreflight(facts: PreflightFacts): void {
  if (facts.uid !== 0) {
    throw new NetloomError("FORBIDDEN", "the DHCP agent needs root, because it makes network namespaces: run it with sudo");
  }
  const needed = facts.usesOvs === true ? { ...packageOf, ...packageOfOvs } : packageOf;
  const missing = Object.keys(needed).filter((name) => !isInSearchPath(name, facts.searchPath));
  if (missing.length > 0) {
    const packages = missing.map((name) => needed[name]).join(" ");
    throw new NetloomError("UNAVAILABLE", `${missing.join(", ")} not found in PATH: apt-get install -y ${packages}`);
  }
}
