const BASE = 500;
const CAP = 20_000;

/**
 * The wait in milliseconds before the given attempt, counted from 0: anything
 * between nothing and a ceiling that doubles from 0.5 s to 20 s (full jitter),
 * so that a thousand clients cut off together do not return together.
 */
export function backoff(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(CAP, BASE * 2 ** Math.min(attempt, 16));
}
