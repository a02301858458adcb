// Of each dirty network or router, the change that made it so last: what is done for it runs under its trace.
import { createTrace, parseTraceparent, withTrace } from "../base/trace-context.ts";

export class ChangeTraces<Id> {
  readonly #traceparents = new Map<Id, string>();

  /** @param traceparent of the change; `undefined` leaves the last one */
  note(id: Id, traceparent: string | undefined): void {
    if (traceparent !== undefined) this.#traceparents.set(id, traceparent);
  }

  traceIdOf(id: Id): string | undefined {
    return parseTraceparent(this.#traceparents.get(id))?.traceId;
  }

  /**
   * Runs `work` under the trace of the last change, or under a new one. When it fails, the next attempt still belongs to that change.
   *
   * @returns `traceId` of the change, if there was one
   */
  async follow<T>(id: Id, work: () => Promise<T>): Promise<{ readonly done: T; readonly traceId: string | undefined }> {
    const traceparent = this.#traceparents.get(id);
    this.#traceparents.delete(id);
    const trace = parseTraceparent(traceparent);
    try {
      return { done: await withTrace(trace ?? createTrace(), work), traceId: trace?.traceId };
    } catch (thrown) {
      if (!this.#traceparents.has(id)) this.note(id, traceparent);
      throw thrown;
    }
  }
}
