// Timers as a value that tests can drive by hand.

/** Cancels; harmless when the timer has fired. */
export type CancelTimer = () => void;

export interface Timers {
  after(ms: number, work: () => void): CancelTimer;
}

/** Timers of this kind never keep the process alive: what holds it is its connection and its sockets. */
export const systemTimers: Timers = {
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Calls `work` every `ms`, counted from the end of its last call, so that a slow call never piles up. */
export function repeatEvery(timers: Timers, ms: number, work: () => Promise<void>): CancelTimer {
  let cancel: CancelTimer = () => {};
  let isStopped = false;
  const schedule = () => {
    if (!isStopped) cancel = timers.after(ms, tick);
  };
  const tick = () => void work().then(schedule, schedule);
  schedule();
  return () => {
    isStopped = true;
    cancel();
  };
}
