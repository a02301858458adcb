// What is wrong with a page of metrics, by the rules of the Prometheus text format.

const helpLine = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S.*$/;
const typeLine = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/;
const sampleLine =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="[^"\n]*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="[^"\n]*")*\})? (\S+)$/;

/** Empty when a scraper takes all of it. */
export function faultsOf(page: string): readonly string[] {
  const faults: string[] = [];
  const helped = new Set<string>();
  const types = new Map<string, string>();
  const samples = new Set<string>();
  if (!page.endsWith("\n")) faults.push("the last line does not end");
  for (const line of page.split("\n").filter((one) => one !== "")) {
    const [, help] = helpLine.exec(line) ?? [];
    const [, typed, type = ""] = typeLine.exec(line) ?? [];
    if (help !== undefined) {
      if (helped.has(help)) faults.push(`two HELP of ${help}`);
      helped.add(help);
    } else if (typed !== undefined) {
      if (types.has(typed)) faults.push(`two TYPE of ${typed}`);
      types.set(typed, type);
    } else faults.push(...sampleFaults(line, { helped, types, samples }));
  }
  return faults;
}

interface Seen {
  readonly helped: ReadonlySet<string>;
  readonly types: ReadonlyMap<string, string>;
  readonly samples: Set<string>;
}

function sampleFaults(line: string, { helped, types, samples }: Seen): readonly string[] {
  const [, name = "", labels = "", value] = sampleLine.exec(line) ?? [];
  if (name === "") return [`not a sample: ${line}`];
  const faults: string[] = [];
  if (!Number.isFinite(Number(value))) faults.push(`not a number: ${line}`);
  const base = name.replace(/_(bucket|sum|count)$/, "");
  const family = types.get(base) === "histogram" ? base : name;
  if (!types.has(family) || !helped.has(family)) faults.push(`no HELP or TYPE before ${line}`);
  if (samples.has(`${name}${labels}`)) faults.push(`twice: ${name}${labels}`);
  samples.add(`${name}${labels}`);
  return faults;
}
