"""Groups: covers that belong together, and how they are spread over train, valid and test, or over folds.

A *group* is a connected component of what shares an artist, a release or a near-duplicate: a model that has seen one
cover of it has seen something of the others. `groups` finds them; `assign` and `folds` deal them out so that every
genre is spread as evenly as whole groups allow.

Groups are dealt largest first, at equal size those with the rarest genre first, as in the iterative stratification of
K. Sechidis, G. Tsoumakas and I. Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011, section 4; each
goes where the counts of its genres then lie nearest to their shares (χ²), and is moved once more where that helps.

Genres are (n,) names or numbers, one a cover, or (n, K) 0 or 1, any number a cover. Sides are numbered from 0.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleevenotes.covers.duplicates import Components, Pair
from sleevenotes.covers.placeholders import names_nobody, names_several
from sleevenotes.errors import SplitError

LONGEST_KEY = 40  # characters of what joins a group, in words
ROUNDS = 10  # of moving groups; two or three are usually enough


def groups(keys: Mapping[str, Sequence[str]], pairs: Iterable[Pair] = ()) -> list[str]:
    """Return the name of each cover's group: connected components of what shares a key or is a near-duplicate.

    Parameters
    ----------
    keys
        Columns of n entries each. Covers with the same entry in one belong together, whatever its case and spaces. An
        empty entry joins nothing, nor does "unknown", "none" or the like (`covers.placeholders`). Under `artist`,
        "Various Artists" joins nothing either, and each of several artists between `;` does.
    pairs
        Near-duplicates.

    Returns
    -------
    list of str
        `g0001`, `g0002`, …, numbered by each group's first cover.

    Raises
    ------
    ValueError
        Where the columns are of different lengths.

    Examples
    --------
    >>> groups({"artist": ["Yes", "yes ", "Various", "Various"]}, [Pair(1, 3, 0, 1.0)])
    ['g0001', 'g0001', 'g0002', 'g0001']
    """
    lengths = {len(column) for column in keys.values()}
    if len(lengths) != 1:
        raise ValueError(f"keys: columns of {sorted(lengths)} entries. Expected one length.")
    (n,) = lengths
    components = Components(n)
    for name, column in keys.items():
        firsts: dict[str, int] = {}
        for index, cell in enumerate(column):
            for key in _keys_of(name, cell):
                components.join(firsts.setdefault(key, index), index)
    for pair in pairs:
        components.join(pair.a, pair.b)
    width = max(4, len(str(n)))
    names = [""] * n
    for number, members in enumerate(components.members(), start=1):
        for index in members:
            names[index] = f"g{number:0{width}}"
    return names


def release_keys(artists: Sequence[str], albums: Sequence[str], releases: Sequence[str]) -> list[str]:
    """Return what names each cover's release: the `release` column, else artist and album if both are known.

    An album by various artists is one release, unless it is itself called "Soundtrack" or the like.

    Examples
    --------
    >>> release_keys(["Yes", "", "V.A.", "None"], ["Relayer", "Relayer", "Now 42", "Now 42"], ["", "r1", "nan", ""])
    ['yes / relayer', 'r1', 'various artists / now 42', '']
    """
    return [_release_key(*cells) for cells in zip(artists, albums, releases, strict=True)]


def _release_key(artist: str, album: str, release: str) -> str:
    if not (names_nobody(release) or names_several(release)):
        return folded(release)
    several = names_several(artist)
    if names_nobody(artist) or names_nobody(album) or (several and names_several(album)):
        return ""
    return f"{'various artists' if several else folded(artist)} / {folded(album)}"


def folded(cell: str) -> str:
    """Return a cell without differences of case and spaces."""
    return " ".join(unicodedata.normalize("NFKC", cell).casefold().split())


def artists_of(cell: str) -> list[str]:
    """Return the artists in one cell, `;` between them, spelt alike, without "Various Artists", "unknown" and the like.

    Examples
    --------
    >>> artists_of("Brian  Eno; David Byrne"), artists_of("V/A")
    (['brian eno', 'david byrne'], [])
    """
    return [folded(name) for name in cell.split(";") if not (names_nobody(name) or names_several(name))]


def _keys_of(column: str, cell: str) -> list[str]:
    """Return what joins a cover with the entry `cell` to others with the same in that column."""
    if column == "artist":
        return artists_of(cell)
    return [] if names_nobody(cell) else [folded(cell)]


def cause_of(members: Sequence[int], keys: Mapping[str, Sequence[str]], pairs: Iterable[Pair]) -> str:
    """Return what joined the covers of a group, the commonest first, such as `the artist 'yes' (12 covers)`.

    Parameters
    ----------
    members
        The covers of the group, by their number from 0 on.
    keys, pairs
        As for `groups`.
    """
    own = set(members)
    causes: list[tuple[int, str]] = []
    given = ""
    for column, cells in keys.items():
        counts = Counter(key for index in members for key in set(_keys_of(column, cells[index])))
        shared = [(key, count) for key, count in counts.most_common() if count > 1]
        if not shared:
            continue
        if column == "group":  # an earlier split may have written it, so its names say nothing
            given = "the column `group`"
            continue
        key, count = shared[0]
        more = f" and {len(shared) - 1:,} more of that kind" if len(shared) > 1 else ""
        causes.append((count, f"the {column} '{key[:LONGEST_KEY]}' ({count:,} covers){more}"))
    alike = {cover for pair in pairs for cover in (pair.a, pair.b) if {pair.a, pair.b} <= own}
    if alike:
        causes.append((len(alike), f"near-duplicates ({len(alike):,} covers)"))
    told = [cause for _, cause in sorted(causes, key=lambda each: -each[0])]
    return ", ".join([*told, *filter(None, [given])])


def assign(groups: ArrayLike, strata: ArrayLike, shares: Sequence[float], *, seed: int = 0) -> NDArray[np.intp]:
    """Deal out groups to sides so that each genre is spread by the shares as well as whole groups allow.

    Parameters
    ----------
    groups
        Each cover's group, n of them.
    strata
        (n,) the genre of each cover, or (n, K) 0 or 1 for each of K genres.
    shares
        Of each side, S of them, positive.
    seed
        Of the order in which equal groups are dealt out.

    Returns
    -------
    (n,) int
        The side of each cover, 0 to S - 1; equal for covers of one group.

    Notes
    -----
    With c the covers of a genre on a side and w the side's share of that genre, the sum of (c - w)² / w over genres and
    sides is made small: first greedily, then by moving single groups for as long as that makes it smaller. All covers
    together count as one more genre, as heavy as the others together, so that sizes fit too.

    Examples
    --------
    >>> assign(["a", "a", "b", "c"], ["rock"] * 4, [0.5, 0.5]).tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    True
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if not len(names):
        return np.zeros(0, np.intp)
    table = _indicators(strata)
    counts = np.zeros((len(names), table.shape[1]))
    np.add.at(counts, member, table)  # (groups, K + 1)
    totals = counts.sum(axis=0)
    wanted = np.outer(np.asarray(shares, float) / np.sum(shares), totals)  # (S, K + 1)
    rng = np.random.default_rng(seed)
    rarest = np.where(counts > 0, totals, np.inf).min(axis=1)
    order = np.lexsort((rng.random(len(names)), rarest, -counts[:, -1]))
    balance = _Sides(wanted)
    sides = balance.deal(counts, order, rng.random((len(names), len(wanted))))
    for _ in range(ROUNDS):
        if not balance.move(counts, sides, rng.permutation(len(names))):
            break
    return sides[member]


def folds(groups: ArrayLike, strata: ArrayLike, k: int, seed: int = 0) -> NDArray[np.intp]:
    """Return each cover's fold, (n,), 0 to k - 1: groups kept apart, genres spread evenly.

    Parameters
    ----------
    groups, strata, seed
        As for `assign`.
    k
        Number of folds, 2 to the number of groups.

    Raises
    ------
    SplitError
        Where there are fewer groups than folds.

    Examples
    --------
    >>> sorted(folds(["a", "b", "c", "d"], ["rock", "rock", "pop", "pop"], 2)[:2].tolist())
    [0, 1]
    """
    found = len(np.unique(np.asarray(groups)))
    if not 2 <= k <= found:
        raise SplitError(
            "folds", f"{k} folds of {found:,} groups", f"2 to {found:,} folds", "Take fewer folds or more covers"
        )
    return assign(groups, strata, [1 / k] * k, seed=seed)


def _indicators(strata: ArrayLike) -> NDArray[np.float64]:
    """Return (n, K + 1) 0 or 1: a column a genre that occurs, the last one for all covers."""
    given = np.asarray(strata)
    if given.ndim == 1:
        given = given[:, None] == np.unique(given)
    table = np.concatenate([given.astype(float), np.ones((len(given), 1))], axis=1)
    return table[:, table.any(axis=0)]


class _Sides:
    """What each side has of each genre, and should have, (S, K + 1) each."""

    def __init__(self, wanted: NDArray[np.float64]) -> None:
        self.wanted = wanted
        self.have = np.zeros_like(wanted)
        self.weights = 1 / wanted
        self.weights[:, -1] *= max(1, wanted.shape[1] - 1)

    def cost(self, count: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what a group of these counts, (K + 1,), would add to the χ² of each side, (S,)."""
        cost: NDArray[np.float64] = (count * (count + 2 * (self.have - self.wanted)) * self.weights).sum(axis=1)
        return cost

    def deal(self, counts: NDArray[np.float64], order: NDArray[np.intp], luck: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the side of each group; `luck`, (groups, S), chooses between sides that are equally good."""
        sides = np.zeros(len(counts), np.intp)
        for group in order:
            sides[group] = np.argmin(self.cost(counts[group]) + 1e-9 * luck[group])
            self.have[sides[group]] += counts[group]
        return sides

    def move(self, counts: NDArray[np.float64], sides: NDArray[np.intp], order: NDArray[np.intp]) -> bool:
        """Move single groups, in place, where that makes χ² smaller; return whether any was moved."""
        moved = False
        for group in order:
            side = sides[group]
            self.have[side] -= counts[group]
            cost = self.cost(counts[group])
            best = np.argmin(cost)
            if cost[best] < cost[side] - 1e-6:
                sides[group], moved = best, True
            self.have[sides[group]] += counts[group]
        return moved
