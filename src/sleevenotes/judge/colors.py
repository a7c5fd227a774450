"""The colours of each genre: which genres are alike in them, their palettes and their mean covers.

`compare` does what the Bandcamp study did, many times over: two disjoint random draws of covers of each genre, the mean
similarity of each genre's first draw to each one's second, and the rank that a genre has with itself. Beside it stands
what no draw can say better: the mean over all pairs of covers. `colors` does all of it for a dataset.

`colors.json`
-------------
============== =======================================================================================
key            meaning
============== =======================================================================================
format         1
genres         in order
n              covers of each
by             {`cubic`, `antialiased`}: what `compare` returns, on 32 px by either way
palettes       genre: its colours, see `palette`
means          genre: the file with its mean cover
left_out       genre: covers, of the genres with too few
seed           of the draws
dataset        name, fingerprint
============== =======================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.images import encode
from sleevenotes.covers.sampling import Sampling, sampled_pixels
from sleevenotes.covers.tasks import Task
from sleevenotes.errors import EvaluationError
from sleevenotes.learn.color import histogram
from sleevenotes.learn.similarity import MEASURES, Floats, Measure, blocks, genre_sums, mean_of

FORMAT = 1
FILE_NAME = "colors.json"
DRAWS = 100
COVERS = 50  # a draw and genre, as in the Bandcamp study
FEWEST = 4  # covers of a genre: two draws of two
HISTOGRAM_PX = 32
MEAN_PX = 128
COLORS = 6

STARTS = 4  # of k-means
ROUNDS = 100
FINE = 32  # levels a channel to which a palette's pixels are gathered before k-means

# of linear sRGB to CIE XYZ under D65: IEC 61966-2-1
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = XYZ.sum(axis=1)  # what white gives, so that its a and b are 0

Drawn = tuple[NDArray[np.int64], NDArray[np.int64]]


# -------------------------------------------------------------------------------- genres beside genres


def compare(
    histograms: NDArray[np.floating[Any]],
    truth: NDArray[np.int64],
    genres: Sequence[str],
    *,
    draws: int = DRAWS,
    covers: int = COVERS,
    seed: int = 0,
) -> dict[str, Any]:
    """Return how alike the genres are in their colours, by draws as the Bandcamp study did it and over all pairs.

    Parameters
    ----------
    histograms
        (n, D), each row sums to 1.
    truth
        The genre of each cover, (n,), 0 to K - 1.
    genres
        Their names, K.
    draws
        How often covers are drawn, R.
    covers
        Covers of a genre in each of the two sets of a draw; a genre with fewer than twice as many gives half of its
        covers to each.
    seed
        Of the draws.

    Returns
    -------
    dict[str, Any]
        Ready for JSON: `genres`; `n`, covers of each; `draws`; `covers_a_draw`; `drawn`, how many of each genre were in
        a set; and `measures`, for each of `MEASURES`:

        ======================= ==================================================================================
        alike, symmetric        "large" or "small" means alike; whether (i, j) is (j, i)
        formula                 in a line
        mean, low, high         K × K: mean over the draws, and the ends of the middle 95 % of them; the first cover of
                                a pair is of the row's genre
        exact                   K × K: mean over all pairs of different covers
        self_rank               a genre's rank with itself, 1 where none is more alike: mean (`value`) over the draws,
                                `low` and `high`
        mean_self_rank          the same of the mean over the genres
        first_draw_self_rank    of the first draw alone, as in the study
        exact_self_rank         over all pairs
        ======================= ==================================================================================

    Raises
    ------
    EvaluationError
        Where a genre has fewer than two covers, or no draws are asked for.

    Notes
    -----
    As in the study, whose matrix is symmetric, (i, j) of a draw is the mean of i's first set with j's second and of j's
    first with i's second; but not for chi-square, which is not symmetric. The draws overlap, as they are of the same
    covers: their spread tells how far one draw can be trusted, and not how another thousand covers would come out.
    """
    counts = np.bincount(truth, minlength=len(genres))
    if draws < 1 or covers < 1:
        raise EvaluationError("colors", f"{draws:,} draws of {covers:,} covers", "Both are 1 or more")
    if counts.min() < 2:
        name = genres[int(counts.argmin())]
        raise EvaluationError("colors", f"{counts.min()} of the covers are {name}", "two covers or more of each genre")
    sets = _draws(truth, np.minimum(covers, counts // 2), draws, seed)
    return {
        "genres": list(genres),
        "n": counts.tolist(),
        "draws": draws,
        "covers_a_draw": covers,
        "drawn": np.minimum(covers, counts // 2).tolist(),
        "measures": {
            name: _figures(measure, *_means(histograms, truth, len(genres), measure, sets))
            for name, measure in MEASURES.items()
        },
    }


def self_ranks(matrix: Floats, alike: str) -> NDArray[np.int64]:
    """Return the rank of each genre's similarity to itself in its row of (K, K); 1 where none is more alike.

    Of equals all have the best rank.

    Examples
    --------
    >>> similar = np.array([[0.9, 0.1, 0.2], [0.3, 0.2, 0.2], [0.5, 0.6, 0.4]])
    >>> self_ranks(similar, "large").tolist(), self_ranks(similar, "small").tolist()
    ([1, 2, 3], [3, 1, 1])
    """
    own = np.diagonal(matrix)[:, None]
    more: NDArray[np.bool_] = matrix > own if alike == "large" else matrix < own
    ranks: NDArray[np.int64] = 1 + more.sum(axis=1)
    return ranks


def _draws(truth: NDArray[np.int64], sizes: NDArray[np.int64], draws: int, seed: int) -> list[Drawn]:
    """Return for each draw two disjoint sets of covers, each with so many of each genre, (K,)."""
    rng = np.random.default_rng(seed)
    of_genre = [np.flatnonzero(truth == genre) for genre in range(len(sizes))]
    sets = []
    for _ in range(draws):
        both = [rng.choice(rows, (2, size), replace=False) for rows, size in zip(of_genre, sizes, strict=True)]
        first, second = np.sort(np.concatenate(both, axis=1), axis=1)
        sets.append((first, second))
    return sets


def _means(
    histograms: NDArray[np.floating[Any]], truth: NDArray[np.int64], genres: int, measure: Measure, sets: list[Drawn]
) -> tuple[Floats, Floats]:
    """Return the mean similarities over all pairs, (K, K), and in each draw, (R, K, K), in one pass over the blocks."""
    member = np.eye(genres)[truth]  # (n, K)
    exact, drawn = np.zeros((genres, genres)), np.zeros((len(sets), genres, genres))
    for rows, columns, block in blocks(histograms, measure.name):
        exact += genre_sums(block, member[rows], member[columns], same=rows == columns)
        for sums, (first, second) in zip(drawn, sets, strict=True):
            one, other = _within(first, rows), _within(second, columns)
            part = block[np.ix_(one - rows.start, other - columns.start)]
            sums += genre_sums(part, member[one], member[other], same=False)
    sizes = member[sets[0][0]].sum(axis=0)
    drawn /= np.outer(sizes, sizes)
    if measure.symmetric:
        drawn = (drawn + drawn.transpose(0, 2, 1)) / 2
    return mean_of(exact, member.sum(axis=0)), drawn


def _within(rows: NDArray[np.int64], part: slice) -> NDArray[np.int64]:
    return rows[slice(*np.searchsorted(rows, (part.start, part.stop)))]


def _figures(measure: Measure, exact: Floats, drawn: Floats) -> dict[str, Any]:
    """Return what is told of one measure, of the exact means, (K, K), and those of the draws, (R, K, K)."""
    ranks = np.stack([self_ranks(matrix, measure.alike) for matrix in drawn])  # (R, K)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return {
        "alike": measure.alike,
        "symmetric": measure.symmetric,
        "formula": measure.formula,
        "mean": drawn.mean(axis=0).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "exact": exact.tolist(),
        "self_rank": [_spread(column) for column in ranks.T],
        "mean_self_rank": _spread(ranks.mean(axis=1)),
        "first_draw_self_rank": ranks[0].tolist(),
        "exact_self_rank": self_ranks(exact, measure.alike).tolist(),
    }


def _spread(values: NDArray[Any]) -> dict[str, float]:
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    return {"value": float(values.mean()), "low": low, "high": high}


# -------------------------------------------------------------------------------- palettes and mean covers


def lab(rgb: NDArray[Any]) -> Floats:
    """Return CIE L*a*b* under D65, (…, 3), of sRGB, (…, 3), 0 to 255.

    Notes
    -----
    sRGB to XYZ as in IEC 61966-2-1, XYZ to L*a*b* as in CIE 15:2004, colorimetry: L* is 0 (black) to 100 (white), a*
    green (below 0) to red, b* blue (below 0) to yellow.

    Examples
    --------
    >>> lab(np.array([255, 0, 0])).round(1).tolist()
    [53.2, 80.1, 67.2]
    """
    share = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    ratio = linear @ XYZ.T / WHITE
    x, y, z = np.moveaxis(np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def srgb(colors: Floats) -> NDArray[np.uint8]:
    """Return sRGB, (…, 3), of CIE L*a*b* under D65, (…, 3); what no screen can show is brought to the nearest edge.

    Examples
    --------
    >>> srgb(lab(np.array([12, 200, 99]))).tolist()
    [12, 200, 99]
    """
    y = (colors[..., 0] + 16) / 116
    roots = np.stack([y + colors[..., 1] / 500, y, y - colors[..., 2] / 200], axis=-1)
    ratio = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    linear = (ratio * WHITE @ np.linalg.inv(XYZ).T).clip(0, 1)
    share = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    levels: NDArray[np.uint8] = np.rint(share * 255).astype(np.uint8)
    return levels


def palette(covers: NDArray[np.uint8], colors: int = COLORS, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return the colours that stand for many covers, each with the share of all pixels that are nearest to it.

    Parameters
    ----------
    covers
        (n, H, W, 3), one or more.
    colors
        How many, fewer where there are not so many different ones.
    seed
        Of where k-means starts.

    Returns
    -------
    list[dict[str, Any]]
        The largest share first: `lab`, its L*, a* and b*; `hex`, "#rrggbb"; `share`, 0 to 1.

    Notes
    -----
    k-means in CIE L*a*b*, where distances are about those that are seen: Lloyd, Least squares quantization in PCM, IEEE
    Transactions on Information Theory 28 (1982), started by k-means++ (Arthur and Vassilvitskii, SODA 2007), the best
    of four starts. Pixels are gathered to 32 levels a channel first, each gathering with the mean of its pixels.

    Examples
    --------
    >>> flag = np.array([[[[255, 0, 0], [255, 0, 0], [255, 255, 255]]]], dtype=np.uint8)
    >>> [(color["hex"], round(color["share"], 2)) for color in palette(flag)]
    [('#ff0000', 0.67), ('#ffffff', 0.33)]
    """
    points, weights = _gathered(covers)
    rng = np.random.default_rng(seed)
    found = [_k_means(points, weights, min(colors, len(points)), rng) for _ in range(STARTS)]
    _, centres, nearest = min(found, key=lambda run: run[0])
    shares = np.bincount(nearest, weights, minlength=len(centres)) / weights.sum()
    return [
        {
            "lab": centres[index].tolist(),
            "hex": "#" + srgb(centres[index]).tobytes().hex(),
            "share": float(shares[index]),
        }
        for index in np.argsort(-shares, kind="stable")
    ]


def mean_cover(covers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean of covers, (n, H, W, 3), one or more, pixel by pixel: (H, W, 3).

    Examples
    --------
    >>> mean_cover(np.array([[[[0, 0, 0]]], [[[255, 100, 3]]]], dtype=np.uint8)).tolist()
    [[[128, 50, 2]]]
    """
    mean: NDArray[np.uint8] = np.rint(covers.mean(axis=0)).astype(np.uint8)
    return mean


def _gathered(covers: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return the different colours of covers in L*a*b*, (m, 3), and how many pixels each has, (m,)."""
    pixels = covers.reshape(-1, 3)
    level = (pixels // (256 // FINE)).astype(np.int64)
    bins = (level[:, 0] * FINE + level[:, 1]) * FINE + level[:, 2]
    weights = np.bincount(bins, minlength=FINE**3).astype(np.float64)
    sums = np.stack([np.bincount(bins, channel, minlength=FINE**3) for channel in pixels.T], axis=1)
    filled = weights > 0
    return lab(sums[filled] / weights[filled, None]), weights[filled]


def _k_means(
    points: Floats, weights: Floats, k: int, rng: np.random.Generator
) -> tuple[float, Floats, NDArray[np.intp]]:
    """Return the weighted sum of squared distances, the centres, (k, 3), and the nearest centre of each point, (m,)."""
    centres = points[rng.choice(len(points), 1, p=weights / weights.sum())]
    while len(centres) < k:
        far = weights * _squares(points, centres).min(axis=1)
        centres = np.concatenate([centres, points[rng.choice(len(points), 1, p=far / far.sum())]])
    nearest = _squares(points, centres).argmin(axis=1)
    for _ in range(ROUNDS):
        total = np.bincount(nearest, weights, minlength=k)
        moved = np.stack([np.bincount(nearest, weights * axis, minlength=k) for axis in points.T], axis=1)
        # a centre that lost all of its points stays where it is
        centres = np.where(total[:, None] > 0, moved / np.maximum(total, 1)[:, None], centres)
        before, nearest = nearest, _squares(points, centres).argmin(axis=1)
        if np.array_equal(before, nearest):
            break
    return float((weights * _squares(points, centres).min(axis=1)).sum()), centres, nearest


def _squares(points: Floats, centres: Floats) -> Floats:
    found: Floats = np.square(points[:, None] - centres).sum(axis=2)
    return found


# -------------------------------------------------------------------------------- a dataset


def colors(
    dataset: Dataset,
    out: Path,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Compare the colours of a dataset's genres and write `colors.json` and their mean covers.

    Covers of one genre count, those that `split` left out do not, nor do genres with fewer than four covers.

    Parameters
    ----------
    dataset
        Split or not: all sides are taken together.
    out
        The folder to write to. It is made if need be.
    draws
        How often covers are drawn.
    seed
        Of the draws and of the palettes.
    progress
        Called with (covers done, covers in all) while covers are decoded, which happens three times.

    Returns
    -------
    dict[str, Any]
        What `colors.json` holds; see the head of this module.

    Raises
    ------
    CoverError
        Where a cover can't be decoded.
    EvaluationError
        Where fewer than two genres have four covers.
    """
    usable, task, left_out = _usable(dataset)
    truth = task.truth(usable.genre_lists)

    def sampled(size_px: int, how: Sampling) -> NDArray[np.uint8]:
        return sampled_pixels(usable, size_px, how, progress=progress)

    own = sampled(HISTOGRAM_PX, "antialiased")
    by = {
        "cubic": compare(histogram(sampled(HISTOGRAM_PX, "cubic")), truth, task.genres, draws=draws, seed=seed),
        "antialiased": compare(histogram(own), truth, task.genres, draws=draws, seed=seed),
    }
    result = {
        "format": FORMAT,
        "genres": list(task.genres),
        "n": np.bincount(truth).tolist(),
        "by": by,
        "palettes": {genre: palette(own[truth == index], seed=seed) for index, genre in enumerate(task.genres)},
        "means": _write_means(sampled(MEAN_PX, "antialiased"), truth, task.genres, out),
        "left_out": left_out,
        "seed": seed,
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
    }
    write_json(out / FILE_NAME, result)
    return result


def _usable(dataset: Dataset) -> tuple[Dataset, Task, dict[str, int]]:
    """Return the covers that count, the task, and the genres that are left out with their number of covers."""
    settings = dataset.settings
    known = settings["genres"] if settings.get("task") == "single" else dataset.genres
    single = Task("single", tuple(known)).answerable(dataset.genre_lists)
    if settings:
        single &= np.array([bool(side) for side in dataset.column("split")])
    first = [genres[0] if genres else "" for genres in dataset.genre_lists]
    counts = {genre: sum(name == genre for name, one in zip(first, single, strict=True) if one) for genre in known}
    kept = tuple(genre for genre in known if counts[genre] >= FEWEST)
    if len(kept) < 2:
        found = f"{len(kept)} of {len(known)} genres with {FEWEST} covers or more that have no other genre"
        raise EvaluationError(str(dataset.folder), found, "two genres or more", "Collect more covers of them")
    task = Task("single", kept)
    usable = dataset.where(single & task.answerable(dataset.genre_lists))
    return usable, task, {genre: counts[genre] for genre in known if genre not in kept}


def _write_means(
    covers: NDArray[np.uint8], truth: NDArray[np.int64], genres: Sequence[str], out: Path
) -> dict[str, str]:
    """Write the mean cover of each genre and return the files' names."""
    out.mkdir(parents=True, exist_ok=True)
    names: dict[str, str] = {}
    for index, genre in enumerate(genres):
        plain = re.sub(r"[^\w-]+", "-", genre).strip("-") or "genre"
        name = f"mean-{plain}.png"
        if name.casefold() in {taken.casefold() for taken in names.values()}:
            name = f"mean-{plain}-{index}.png"
        with replacing(out / name) as partial:
            partial.write_bytes(encode(mean_cover(covers[truth == index]), "png"))
        names[genre] = name
    return names
