// Group commit: what is asked for while the same kind of work is under way waits for its end and is then done in one go. Those who
// would have waited for each other's locks anyway share the way to the database.
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";

export interface GroupCommitOptions<Request, Answer> {
  /** All or nothing; one answer per request, same order. Runs in the asynchronous context of the first of them. */
  readonly commit: (requests: readonly Request[]) => Promise<readonly Answer[]>;
  /**
   * Whether a group's failure may be the fault of one of its requests, and nothing of it was done: then each is tried alone, and
   * only that one fails.
   */
  readonly isRefusal: (thrown: unknown) => boolean;
  readonly maxTogether: number;
  /**
   * After a group of several: how long, in milliseconds, to wait for as many again. Those who were just answered may ask at once,
   * and who came meanwhile would otherwise go alone, and all others wait for it.
   */
  readonly lingerMs: number;
}

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly inContext: <T>(work: () => T) => T;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (thrown: unknown) => void;
}

interface Queue<Request, Answer> {
  readonly waiting: Waiting<Request, Answer>[];
  onArrival: (() => void) | undefined;
}

export class GroupCommit<Request, Answer> {
  readonly #options: GroupCommitOptions<Request, Answer>;
  /** By key, of those that are at work. */
  readonly #queues = new Map<string, Queue<Request, Answer>>();

  constructor(options: GroupCommitOptions<Request, Answer>) {
    this.#options = options;
  }

  /** Rejects with what `commit` throws for this request alone. Requests of one key begin in the order of the calls. */
  run(key: string, request: Request): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const waiting = { request, inContext: AsyncLocalStorage.snapshot(), resolve, reject };
    const queue = this.#queues.get(key);
    if (queue === undefined) {
      const started: Queue<Request, Answer> = { waiting: [waiting], onArrival: undefined };
      this.#queues.set(key, started);
      void this.#work(key, started);
    } else {
      queue.waiting.push(waiting);
      queue.onArrival?.();
    }
    return promise;
  }

  /** Keys that are at work. */
  get size(): number {
    return this.#queues.size;
  }

  /** Never rejects. */
  async #work(key: string, queue: Queue<Request, Answer>): Promise<void> {
    let size = 1;
    for (;;) {
      await this.#gather(queue, size);
      // Not in an await's time from the look at the queue to its end: who comes then would wait for nobody.
      if (queue.waiting.length === 0) break;
      const group = queue.waiting.splice(0, this.#options.maxTogether);
      size = group.length;
      await this.#commitTogether(group);
    }
    this.#queues.delete(key);
  }

  async #gather(queue: Queue<Request, Answer>, size: number): Promise<void> {
    // What has arrived at the sockets is read first: an embedded database works without a pause in which that would happen.
    await setImmediate();
    if (size === 1 || queue.waiting.length >= size) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.lingerMs);
    queue.onArrival = () => {
      if (queue.waiting.length >= size) resolve();
    };
    await promise;
    queue.onArrival = undefined;
    clearTimeout(timer);
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
