/** How many of a set of validators it takes. Spec: qbft.md §1; QBFT L1 `quorum` and `f`. */

/** Most faulty validators that a set survives: floor((n - 1) / 3). */
export function faultsTolerated(size: number): number {
  return Math.floor((size - 1) / 3)
}

/**
 * Smallest count at which any two such sets of validators share an honest one: ceil(2n / 3).
 * @param size validators at this height, at least 1
 */
export function quorum(size: number): number {
  return Math.floor((size * 2 - 1) / 3) + 1
}

/** So many validators include an honest one: f + 1. Their round is followed early. */
export function earlyRoundChangeCount(size: number): number {
  return faultsTolerated(size) + 1
}

/** Votes that add or remove a validator: more than half of the set, floor(n / 2) + 1. */
export function voteMajority(size: number): number {
  return Math.floor(size / 2) + 1
}
