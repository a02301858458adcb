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
    let below = 0;
    const buckets = limitsMs.map((limit, index) => {
      below += this.#counts[index] ?? 0;
      return `${name}_bucket{le="${limit / 1000}"} ${below}`;
    });
    return [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} histogram`,
      ...buckets,
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sumMs / 1000}`,
      `${name}_count ${this.#count}`,
      "",
    ].join("\n");
  }
}
