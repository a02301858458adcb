// How often which duration came, for Prometheus: cheap to add to, formatted when scraped.

/** Upper limits, ms. */
const limitsMs = [1, 2, 5, 10, 20, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

export class Histogram {
  readonly #counts = limitsMs.map(() => 0);
  #count = 0;
  #sumMs = 0;

  add(ms: number): void {
    this.#count += 1;
    this.#sumMs += ms;
    const index = limitsMs.findIndex((limit) => ms <= limit);
    if (index >= 0) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Prometheus text, in seconds. */
  format(name: string, help: string): string {
    return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...this.series(name), ""].join("\n");
  }

  /** The lines of one of several that share a name. @param labels as in `method="GET"` */
  series(name: string, labels = ""): readonly string[] {
    let below = 0;
    const more = labels === "" ? "" : `${labels},`;
    const own = labels === "" ? "" : `{${labels}}`;
    const buckets = limitsMs.map((limit, index) => {
      below += this.#counts[index] ?? 0;
      return `${name}_bucket{${more}le="${limit / 1000}"} ${below}`;
    });
    return [
      ...buckets,
      `${name}_bucket{${more}le="+Inf"} ${this.#count}`,
      `${name}_sum${own} ${this.#sumMs / 1000}`,
      `${name}_count${own} ${this.#count}`,
    ];
  }
}
