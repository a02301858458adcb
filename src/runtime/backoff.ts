// How long to wait before trying again: doubling, bounded, with jitter so that many waiters do not come back together.

export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** @param failures how often it failed so far, at least 1. @returns between 75 % and 125 % of the nominal delay. */
export function backoffMs(failures: number, limits: BackoffLimits, random: () => number): number {
  // 2 ** 30 is beyond any sensible maximum and keeps the product finite.
  const nominal = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(failures - 1, 30));
  return nominal * (0.75 + random() / 2);
}
