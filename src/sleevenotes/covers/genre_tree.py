"""The genre tree: progressive rock is rock, and thrash metal is metal.

`genre_tree.csv` beside this module has a row `child,parent` for each such sentence; a child may have several parents.
It holds what nearly everybody means who says the child, and no more: `new wave`, `disco` and `r&b/swing` have no
parent, as many covers that bear them bear no such genre. It knows genres in whichever spelling (`covers/genres.py`).

A file of your own, `genre-tree.csv` beside `metadata.csv` or named with `--genre-tree`, goes before it: a genre that
stands there as a child has the parents that stand there and no others, none where the cell is empty.

What the tree is for, in the task `multi`:

- **truth**: a cover of a child is one of its parents, too (`close_upwards`);
- **proba**: no genre is less likely than one of its children (`respect`);
- **names**: with a genre that is named, so are its parents (`close_upwards`).

A tree travels as **pairs**: (child, parent), each parent the nearest that is asked about (`GenreTree.pairs`). They
stand in `split.json` and in a model's `model.json`, so that predicting needs neither file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.genres import SEPARATOR, column_rows, spelling_key, tidy
from sleevenotes.errors import DatasetError

Pairs = tuple[tuple[str, str], ...]

TREE_NAME = "genre-tree.csv"
NO_TREE = "none"
DEFAULT = Path(__file__).with_name("genre_tree.csv")
COLUMNS = ("child", "parent")


@dataclass(frozen=True)
class GenreTree:
    """Which genres are kinds of which others.

    Parameters
    ----------
    parents
        Each genre's parents, by spelling keys.
    own
        The genres that a file of the user's names, as they are written there: these are wanted even where no cover
        bears them.

    Examples
    --------
    >>> tree = GenreTree.of([("thrash metal", "metal"), ("metal", "rock")])
    >>> tree.pairs(["Thrash Metal", "polka"], ["rock", "polka"])
    (('Thrash Metal', 'rock'),)
    """

    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str]], *, where: str = "the genre tree") -> GenreTree:
        """Make a tree of (child, parent).

        Raises
        ------
        DatasetError
            Where a genre is its own ancestor; the circle is named.
        """
        parents: dict[str, tuple[str, ...]] = {}
        for child, parent in rows:
            before = parents.get(_key(child), ())
            parents[_key(child)] = tuple(dict.fromkeys((*before, *([_key(parent)] if parent else ()))))
        _refuse_circles(parents, {_key(name): tidy(name) for row in rows for name in row if name}, where)
        return cls(parents)

    @classmethod
    def read(cls, path: Path) -> GenreTree:
        """Read a CSV file with the columns `child` and `parent`, `;` between several parents.

        Raises
        ------
        DatasetError
            Where it can't be read, lacks a column, has a row without a child, or goes round in a circle.
        """
        path = Path(path)
        rows = _rows(path)
        tree = cls.of(rows, where=str(path))
        return cls(tree.parents, tuple(dict.fromkeys(name for row in rows for name in row if name)))

    def extended(self, other: GenreTree, *, where: str = "the genre tree") -> GenreTree:
        """Return this tree with what another one says of its children in place of what this one does.

        Raises
        ------
        DatasetError
            Where both together go round in a circle.
        """
        parents = {**self.parents, **other.parents}
        _refuse_circles(parents, {_key(name): name for name in other.own}, where)
        return GenreTree(parents, tuple(dict.fromkeys((*self.own, *other.own))))

    def ancestors(self, genre: str) -> frozenset[str]:
        """Return the spelling keys of all that a genre is a kind of, not itself."""
        found: set[str] = set()
        waiting = list(self.parents.get(_key(genre), ()))
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.parents.get(one, ())
        return frozenset(found)

    def pairs(self, genres: Iterable[str], asked: Collection[str]) -> Pairs:
        """Return (child, parent) of genres and their nearest ancestors among those asked about, by name.

        Parameters
        ----------
        genres
            Whose parents are looked for; the asked ones among them.
        asked
            The genres that may be parents. Both as the dataset writes them.
        """
        written = {_key(name): name for name in asked}
        found: list[tuple[str, str]] = []
        for child in dict.fromkeys((*genres, *asked)):
            above = [key for key in self.ancestors(child) if key in written and key != _key(child)]
            further = {key for one in above for key in self.ancestors(one)}
            found += [(child, written[key]) for key in above if key not in further]
        return tuple(sorted(found))


@lru_cache(maxsize=1)
def default_tree() -> GenreTree:
    """Return the tree that comes with sleevenotes."""
    tree = GenreTree.read(DEFAULT)
    return GenreTree(tree.parents)


def find_tree(folder: Path, choice: str | Path | None = None) -> GenreTree:
    """Return the tree of a dataset: the default one, with the user's own file before it.

    Parameters
    ----------
    folder
        Of the dataset, where `genre-tree.csv` is looked for.
    choice
        Another file, or `none` for no tree at all.

    Raises
    ------
    DatasetError
        Where the file can't be read or goes round in a circle.
    """
    if choice is not None and str(choice) == NO_TREE:
        return GenreTree()
    path = Path(folder) / TREE_NAME if choice is None else Path(choice)
    if choice is None and not path.is_file():
        return default_tree()
    return default_tree().extended(GenreTree.read(path), where=str(path))


def upwards(pairs: Iterable[Sequence[str]]) -> dict[str, frozenset[str]]:
    """Return for each child of (child, parent) all of its ancestors.

    Examples
    --------
    >>> sorted(upwards([("thrash metal", "metal"), ("metal", "rock")])["thrash metal"])
    ['metal', 'rock']
    """
    parents: dict[str, list[str]] = {}
    for child, parent in pairs:
        parents.setdefault(child, []).append(parent)
    found: dict[str, frozenset[str]] = {}
    for child in parents:
        above, waiting = set[str](), list(parents[child])
        while waiting:
            one = waiting.pop()
            if one not in above:
                above.add(one)
                waiting += parents.get(one, ())
        found[child] = frozenset(above)
    return found


def close_upwards(
    named: NDArray[np.integer], genres: Sequence[str], pairs: Iterable[Sequence[str]]
) -> NDArray[np.int64]:
    """Return names, (n, K) of 0 and 1, with the ancestors of each.

    Parameters
    ----------
    named
        (n, K), 1 where a genre is named, 0 where not; or bool.
    genres
        The K genres in order.
    pairs
        (child, parent); those of other genres are passed over.

    Examples
    --------
    >>> close_upwards(np.array([[1, 0], [0, 1]]), ["prog", "rock"], [("prog", "rock")]).tolist()
    [[1, 1], [0, 1]]
    """
    return _lifted(np.array(named, dtype=np.int64), genres, pairs)


def respect(proba: NDArray[np.floating], genres: Sequence[str], pairs: Iterable[Sequence[str]]) -> NDArray[np.float64]:
    """Return proba, (n, K), in which no genre is less likely than one of its children.

    A parent's proba becomes the largest of its own and of all its descendants': p'(g) = max of p(d) over g and all d
    below it (E. Giunchiglia and T. Lukasiewicz, "Coherent hierarchical multi-label classification networks", NeurIPS
    2020, section 3). What is said of genres without children stays as it is, and doing it twice changes nothing.

    Parameters
    ----------
    proba
        (n, K), 0..1, calibrated or not.
    genres
        The K genres in order.
    pairs
        (child, parent); those of other genres are passed over.

    Examples
    --------
    >>> respect(np.array([[0.6, 0.4], [0.1, 0.4]]), ["prog", "rock"], [("prog", "rock")]).tolist()
    [[0.6, 0.6], [0.1, 0.4]]
    """
    return _lifted(np.array(proba, dtype=np.float64), genres, pairs)


def in_order(genres: Sequence[str], pairs: Iterable[Sequence[str]]) -> list[tuple[str, int]]:
    """Return each genre with its depth, each child after its nearest ancestor, siblings in the order given.

    Examples
    --------
    >>> in_order(["folk", "prog", "rock"], [("prog", "rock")])
    [('folk', 0), ('rock', 0), ('prog', 1)]
    """
    known, found = set(genres), upwards(pairs)
    ways = {genre: found.get(genre, frozenset()) & known for genre in genres}
    above = {genre: max(sorted(way), key=lambda one: len(ways[one])) for genre, way in ways.items() if way}
    below: dict[str, list[str]] = {}
    for genre in genres:
        if genre in above:
            below.setdefault(above[genre], []).append(genre)

    told: list[tuple[str, int]] = []
    waiting = [(genre, 0) for genre in reversed(genres) if genre not in above]
    while waiting:
        genre, depth = waiting.pop()
        told.append((genre, depth))
        waiting += [(child, depth + 1) for child in reversed(below.get(genre, []))]
    return told


# --- innards ----------------------------------------------------------------------------------------------------------


def _key(name: str) -> str:
    return spelling_key(tidy(name))


def _lifted(values: NDArray[Any], genres: Sequence[str], pairs: Iterable[Sequence[str]]) -> NDArray[Any]:
    """Change values, (n, K), so that none of a parent is less than that of a child, and return them."""
    for child, parent in _upwards(genres, pairs):
        values[:, parent] = np.maximum(values[:, parent], values[:, child])
    return values


def _upwards(genres: Sequence[str], pairs: Iterable[Sequence[str]]) -> list[tuple[int, int]]:
    """Return pairs as columns, so ordered that all into a child come before those out of it."""
    at = {genre: column for column, genre in enumerate(genres)}
    edges = [(at[child], at[parent]) for child, parent in pairs if child in at and parent in at]
    height: dict[int, int] = dict.fromkeys(range(len(genres)), 0)
    for _ in genres:  # as often as a way up can be long; a tree without circles is done before
        higher = [(parent, height[child] + 1) for child, parent in edges if height[parent] <= height[child]]
        if not higher:
            break
        for parent, least in higher:
            height[parent] = max(height[parent], least)
    return sorted(edges, key=lambda edge: height[edge[0]])


def _refuse_circles(parents: Mapping[str, tuple[str, ...]], written: Mapping[str, str], where: str) -> None:
    circle = _circle(parents)
    if circle:
        way = " → ".join(written.get(key, tidy(key)) for key in circle)
        raise DatasetError(where, f"the tree goes round in a circle: {way}", cure="Take out one of these rows")


def _circle(parents: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return a way up that comes back to where it began, both ends the same; empty where there is none."""
    left = set(parents)
    while free := {key for key in left if not left & set(parents[key])}:
        left -= free
    if not left:
        return []
    way = [min(left)]
    while way[-1] not in way[:-1]:  # each of those left has a parent among them
        way.append(min(left & set(parents[way[-1]])))
    return way[way.index(way[-1]) :]


def _rows(path: Path) -> list[tuple[str, str]]:
    """Return (child, parent) of a file, an empty parent where a child has none."""
    rows: list[tuple[str, str]] = []
    problems: list[str] = []
    for number, cells in column_rows(path, COLUMNS):
        child, parent = (" ".join(cell.split()) for cell in cells)
        parents = [part.strip() for part in parent.split(SEPARATOR)]
        if child:
            rows += [(child, parent) for parent in filter(None, parents)] or [(child, "")]
        else:
            problems.append(f"row {number}: 'child' is empty")
    if problems:
        some = "1 row" if len(problems) == 1 else f"{len(problems):,} rows"
        raise DatasetError(str(path), f"{some} can't be used", cure="Mend the rows", problems=problems)
    return rows
