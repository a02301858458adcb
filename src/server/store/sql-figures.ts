// How many statements the database was asked, and how long it took over them.

export class SqlFigures {
  #statements = 0;
  #failed = 0;
  #ms = 0;

  add(ms: number, isFailed: boolean): void {
    this.#statements += 1;
    this.#ms += ms;
    if (isFailed) this.#failed += 1;
  }

  get statements(): number {
    return this.#statements;
  }

  get failed(): number {
    return this.#failed;
  }

  get seconds(): number {
    return this.#ms / 1000;
  }
}
