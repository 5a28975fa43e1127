/** Park and Miller's minimal generator, as in test/fixtures/evaluate/make.py: integers from 0 to below `n`. */
export function lcg(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state * 16807) % 2147483647;
    return state % n;
  };
}
