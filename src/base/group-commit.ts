// Group commit: what is asked for while the same kind of work is under way waits for its end and is then done in one go. Those who
// would have waited for each other's locks anyway share the way to the database.
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";

export interface GroupCommitOptions<Request, Answer> {
  /** All or nothing; one answer per request, same order. Runs in the asynchronous context of the first of them. */
  readonly commit: (requests: readonly Request[]) => Promise<readonly Answer[]>;
  /** Whether a group's failure may be the fault of one of its requests: then each is tried alone, and only that one fails. */
  readonly isRefusal: (thrown: unknown) => boolean;
  readonly maxTogether: number;
}

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly inContext: <T>(work: () => T) => T;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (thrown: unknown) => void;
}

export class GroupCommit<Request, Answer> {
  readonly #options: GroupCommitOptions<Request, Answer>;
  /** By key, of those that are at work: who waits for the end of it. */
  readonly #queues = new Map<string, Waiting<Request, Answer>[]>();

  constructor(options: GroupCommitOptions<Request, Answer>) {
    this.#options = options;
  }

  /** Rejects with what `commit` throws for this request alone. Requests of one key begin in the order of the calls. */
  run(key: string, request: Request): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const waiting = { request, inContext: AsyncLocalStorage.snapshot(), resolve, reject };
    const queue = this.#queues.get(key);
    if (queue === undefined) {
      this.#queues.set(key, [waiting]);
      void this.#work(key);
    } else {
      queue.push(waiting);
    }
    return promise;
  }

  /** Keys that are at work. */
  get size(): number {
    return this.#queues.size;
  }

  /** Never rejects. */
  async #work(key: string): Promise<void> {
    const queue = this.#queues.get(key) ?? [];
    while (queue.length > 0) {
      // What has arrived at the sockets is read first: an embedded database works without a pause in which that would happen.
      await setImmediate();
      await this.#commitTogether(queue.splice(0, this.#options.maxTogether));
    }
    this.#queues.delete(key);
  }

  async #commitTogether(group: readonly Waiting<Request, Answer>[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    try {
      const answers = await first.inContext(() => this.#options.commit(group.map(({ request }) => request)));
      // The cast: `commit` answers for each.
      group.forEach(({ resolve }, index) => resolve(answers[index] as Answer));
    } catch (thrown) {
      if (group.length > 1 && this.#options.isRefusal(thrown)) {
        await Promise.all(group.map((one) => this.#commitTogether([one])));
      } else {
        for (const { reject } of group) reject(thrown);
      }
    }
  }
}
