"""Check: what a dataset holds, and what in it would spoil a measurement.

`check` reads every cover once and writes `check.json`, and `check.png` with the suspicious pairs side by side, those
under different genres first:

================ =====================================================================================================
key              meaning
================ =====================================================================================================
format           2
fingerprint      SHA-256 over the table's file names and hashes; while it fits, `split` looks for no pairs anew
covers           number of rows
genres           genre: number of covers that bear it, by name
few_covers       the same for genres on fewer than 20 covers
without_genre    number of covers without any
several_genres   number of covers with more than one
sizes            width, height: {min, median, max} in px, null where no cover could be read; smallest: up to five of
                 {file_name, width, height}; not_square: number of covers with one side more than 5 % longer
broken           {file_name, problem} of covers that are not there or can't be read
changed          file names of covers whose bytes are no longer those that were collected
collected        merged: number of files that equalled another byte for byte; left_out: number of other lines in
                 problems.csv; both null where there is none
exact_duplicates lists of file names with the same bytes
near_duplicates  pairs: {a, b, distance, similarity, differ}: file names, bits of 255, 0 to 1, whether their genres
                 differ; clusters: {covers, genres, differ}: what pairs join; covers: number in clusters. Exact
                 duplicates are among them
across_genres    clusters, covers: numbers of those clusters whose covers do not all have the same genres, and in them
artists          covers: number for which they are known; different: number of different ones
releases         the same
sheet            `check.png`, or null where there are no pairs
================ =====================================================================================================
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.duplicates import SIZE_PX, Pair, Thumbnails, clusters, find
from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.groups import artists_of, release_keys
from sleevenotes.covers.hashing import keep_hashes
from sleevenotes.covers.images import Pixels, decode, encode, resize, sha256
from sleevenotes.covers.reports import CHECK_NAME, FORMAT, PROBLEMS_NAME, read_check, read_problems
from sleevenotes.covers.sheets import contact_sheet
from sleevenotes.errors import CoverError, DatasetError, SleevenotesWarning

SHEET_NAME = "check.png"
MERGED = "byte for byte the same as"  # what `collect` says of exact duplicates
FEW_COVERS = 20
NOT_SQUARE = 0.05
SMALLEST = 5
MOST_PAIRS = 40  # on the sheet
PAIRS_PER_ROW = 3
TILE_PX = 160
MOST_GENRES = 20  # in the terminal's table
WORKERS = 4

Progress = Callable[[int, int], None]  # (covers done, covers in all)


class _Look(NamedTuple):
    """One cover, read: what is wrong or nothing, the hash of its bytes or nothing, and its width and height."""

    problem: str
    sha256: str
    size: tuple[int, int] = (0, 0)


def check(dataset: Dataset, *, progress: Progress | None = None) -> dict[str, Any]:
    """Check a dataset and write `check.json` and `check.png` into its folder.

    Parameters
    ----------
    progress
        Called with the number of covers read and their total.

    Returns
    -------
    dict
        What `check.json` holds; its keys are in this module's docstring.
    """
    looks, thumbnails = _looks(dataset, progress)
    pairs = _pairs(looks, thumbnails)
    sheet = _write_sheet(dataset, pairs)
    report = {
        "format": FORMAT,
        "fingerprint": fingerprint(dataset),
        "covers": len(dataset),
        **_genre_figures(dataset.genre_lists),
        "sizes": _sizes(dataset.file_names, [look.size for look in looks]),
        **_file_figures(dataset, looks),
        "collected": _collected(dataset.folder),
        "exact_duplicates": _exact(dataset.file_names, [look.sha256 for look in looks]),
        **_near_figures(dataset, pairs),
        **_known_figures(dataset),
        "sheet": sheet,
    }
    write_json(dataset.folder / CHECK_NAME, report)
    return report


def near_duplicates(dataset: Dataset, *, progress: Progress | None = None) -> list[Pair]:
    """Return the pairs of near-duplicates in a dataset: those in `check.json` where it fits, else found anew.

    Warns
    -----
    SleevenotesWarning
        Where covers can't be read, and so can't be compared.
    """
    found = _found_before(dataset)
    if found is not None:
        return found
    looks, thumbnails = _looks(dataset, progress)
    broken = sum(bool(look.problem) for look in looks)
    if broken:
        message = f"{dataset.folder}: {broken:,} covers can't be read. `sleevenotes check` names them."
        warnings.warn(message, SleevenotesWarning, stacklevel=2)
    return _pairs(looks, thumbnails)


def fingerprint(dataset: Dataset) -> str:
    """Return the SHA-256 over the covers' file names and contents, in order: what near-duplicates depend on."""
    digest = hashlib.sha256()
    for name, own in zip(dataset.file_names, dataset.digests, strict=True):
        digest.update(f"{name}\x1f{own}\x1e".encode())
    return digest.hexdigest()


def rows(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return a report as rows for a table: what, figure, note."""
    return [*_genre_rows(report), *_file_rows(report), *_duplicate_rows(report), *_known_rows(report)]


# Reading ----------------------------------------------------------------------------------------------------------


def _looks(dataset: Dataset, progress: Progress | None) -> tuple[list[_Look], Thumbnails]:
    """Read every cover, on several threads; the thumbnail of one that can't be read is black."""
    looks: list[_Look] = []
    thumbnails: Thumbnails = np.zeros((len(dataset), SIZE_PX, SIZE_PX, 3), np.uint8)
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        for look in pool.map(_look, dataset.paths, dataset.file_names, thumbnails):
            looks.append(look)
            if progress:
                progress(len(looks), len(dataset))
    keep_hashes(dataset.cache, ["" if look.problem else look.sha256 for look in looks], thumbnails)  # for `train`
    return looks, thumbnails


def _look(path: Path, name: str, thumbnail: Pixels) -> _Look:
    """Read one cover and fill in its thumbnail."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return _Look(f"{name}: not there.", "")
    except OSError as error:
        return _Look(f"{name}: can't be read ({error.strerror or error}).", "")
    try:
        pixels = decode(data, where=name)
    except CoverError as error:
        return _Look(str(error), sha256(data))
    thumbnail[:] = resize(pixels, SIZE_PX)
    return _Look("", sha256(data), (pixels.shape[1], pixels.shape[0]))


def _pairs(looks: Sequence[_Look], thumbnails: Thumbnails) -> list[Pair]:
    """Find near-duplicates among the covers that could be read."""
    readable = [index for index, look in enumerate(looks) if not look.problem]
    if len(readable) < len(looks):
        thumbnails = thumbnails[readable]
    return [pair._replace(a=readable[pair.a], b=readable[pair.b]) for pair in find(thumbnails)]


def _found_before(dataset: Dataset) -> list[Pair] | None:
    """Return the pairs in `check.json`, where it is of these covers and all could be read."""
    try:
        report = read_check(dataset.folder / CHECK_NAME)
    except DatasetError:  # none, or a damaged one: it is found anew
        return None
    index = {name: row for row, name in enumerate(dataset.file_names)}
    pairs = report["near_duplicates"]["pairs"]
    named = {name for pair in pairs for name in (pair["a"], pair["b"])}
    if report["format"] != FORMAT or report["broken"] or not named <= set(index):
        return None
    if report["fingerprint"] != fingerprint(dataset):
        return None
    return [Pair(index[pair["a"]], index[pair["b"]], pair["distance"], pair["similarity"]) for pair in pairs]


# Figures ----------------------------------------------------------------------------------------------------------


def _genre_figures(lists: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    counts = Counter(chain.from_iterable(lists))
    genres = {genre: counts[genre] for genre in sorted(counts)}
    return {
        "genres": genres,
        "few_covers": {genre: count for genre, count in genres.items() if count < FEW_COVERS},
        "without_genre": sum(not genres for genres in lists),
        "several_genres": sum(len(genres) > 1 for genres in lists),
    }


def _sizes(names: Sequence[str], sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return figures on the sizes of the covers that could be read: those in the table may be of other files."""
    known = [(width * height, name, width, height) for name, (width, height) in zip(names, sizes, strict=True) if width]
    sides = np.array([row[2:] for row in known], np.int64).reshape(-1, 2)
    longer, shorter = sides.max(axis=1, initial=0), sides.min(axis=1, initial=1 << 62)
    return {
        **{side: _spread(values) for side, values in zip(("width", "height"), sides.T, strict=True)},
        "smallest": [
            {"file_name": name, "width": width, "height": height} for _, name, width, height in sorted(known)[:SMALLEST]
        ],
        "not_square": int((longer > (1 + NOT_SQUARE) * shorter).sum()),
    }


def _spread(values: NDArray[np.int64]) -> dict[str, int] | None:
    if not len(values):
        return None
    return {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}


def _file_figures(dataset: Dataset, looks: Sequence[_Look]) -> dict[str, Any]:
    told = list(zip(dataset.file_names, dataset.column("sha256"), looks, strict=True))
    return {
        "broken": [{"file_name": name, "problem": look.problem} for name, _, look in told if look.problem],
        "changed": [name for name, known, look in told if known and look.sha256 and look.sha256 != known],
    }


def _collected(folder: Path) -> dict[str, int | None]:
    """Return how many files `collect` merged, and how many lines it wrote about others."""
    path = folder / PROBLEMS_NAME
    if not path.is_file():
        return {"merged": None, "left_out": None}
    problems = [row["problem"] for row in read_problems(path)]
    merged = sum(MERGED in problem for problem in problems)
    return {"merged": merged, "left_out": len(problems) - merged}


def _exact(names: Sequence[str], hashes: Sequence[str]) -> list[list[str]]:
    sets: dict[str, list[str]] = {}
    for name, digest in zip(names, hashes, strict=True):
        if digest:
            sets.setdefault(digest, []).append(name)
    return [same for same in sets.values() if len(same) > 1]


def _near_figures(dataset: Dataset, pairs: Sequence[Pair]) -> dict[str, Any]:
    names, sets = dataset.file_names, [frozenset(genres) for genres in dataset.genre_lists]
    found: list[dict[str, Any]] = []
    for members in clusters(len(dataset), pairs):
        told = {sets[index] for index in members}
        genres = sorted(frozenset().union(*told))
        found.append({"covers": [names[index] for index in members], "genres": genres, "differ": len(told) > 1})
    across = [cluster for cluster in found if cluster["differ"]]
    return {
        "near_duplicates": {
            "pairs": [
                {
                    "a": names[pair.a],
                    "b": names[pair.b],
                    "distance": pair.distance,
                    "similarity": pair.similarity,
                    "differ": sets[pair.a] != sets[pair.b],
                }
                for pair in pairs
            ],
            "clusters": found,
            "covers": sum(len(cluster["covers"]) for cluster in found),
        },
        "across_genres": {"clusters": len(across), "covers": sum(len(cluster["covers"]) for cluster in across)},
    }


def _known_figures(dataset: Dataset) -> dict[str, Any]:
    artists = [artists_of(cell) for cell in dataset.column("artist")]
    releases = release_keys(dataset.column("artist"), dataset.column("album"), dataset.column("release"))
    return {
        "artists": {"covers": sum(map(bool, artists)), "different": len(set(chain.from_iterable(artists)))},
        "releases": {"covers": sum(map(bool, releases)), "different": len(set(releases) - {""})},
    }


# The sheet --------------------------------------------------------------------------------------------------------


def _write_sheet(dataset: Dataset, pairs: Sequence[Pair]) -> str | None:
    """Write the suspicious pairs side by side: those under different genres first, the least similar first."""
    path = dataset.folder / SHEET_NAME
    if not pairs:
        path.unlink(missing_ok=True)
        return None
    genres = dataset.genre_lists
    differ = [set(genres[pair.a]) != set(genres[pair.b]) for pair in pairs]
    order = sorted(range(len(pairs)), key=lambda row: (not differ[row], pairs[row].similarity, pairs[row]))
    shown = [pairs[row] for row in order[:MOST_PAIRS]]
    covers, captions = [], []
    for at in range(0, len(shown), PAIRS_PER_ROW):
        row = shown[at : at + PAIRS_PER_ROW]
        covers.append([decode(dataset.path(index)) for pair in row for index in (pair.a, pair.b)])
        captions.append(
            [text for number, pair in enumerate(row, start=at + 1) for text in _captions(number, pair, genres)]
        )
    title = f"{len(shown):,} of {len(pairs):,} pairs of near-duplicates, {sum(differ):,} of them under different genres"
    sheet = contact_sheet(covers, tile_px=TILE_PX, captions=captions, title=title)
    with replacing(path) as partial:
        partial.write_bytes(encode(sheet, "png"))
    return SHEET_NAME


def _captions(number: int, pair: Pair, genres: Sequence[tuple[str, ...]]) -> tuple[str, str]:
    a, b = (", ".join(genres[index]) or "no genre" for index in (pair.a, pair.b))
    return f"{number}a {a}", f"{number}b {pair.similarity:.0%}: {b}"


# Rows for a table -------------------------------------------------------------------------------------------------


def _genre_rows(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    genres, n = report["genres"], max(1, report["covers"])
    found = [("covers", f"{report['covers']:,}", _plural(len(genres), "genre"))]
    commonest = sorted(genres.items(), key=lambda item: (-item[1], item[0]))
    found += [(f"  {genre}", f"{count:,}", f"{count / n:.0%}") for genre, count in commonest[:MOST_GENRES]]
    if len(commonest) > MOST_GENRES:
        rest = commonest[MOST_GENRES:]
        found.append(("  and more", f"{len(rest):,}", f"genres on {_plural(rest[0][1], 'cover')} or fewer"))
    if report["several_genres"]:
        found.append(("of several genres", f"{report['several_genres']:,}", f"{report['several_genres'] / n:.0%}"))
    if report["without_genre"]:
        found.append(("without a genre", f"{report['without_genre']:,}", "left out of every split"))
    if report["few_covers"]:
        few = sorted(report["few_covers"].items(), key=lambda item: (-item[1], item[0]))
        note = f"fewer than {FEW_COVERS} covers: {_listed([f'{genre} ({count})' for genre, count in few])}"
        found.append(("genres with few covers", f"{len(few):,}", note))
    return found


def _file_rows(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    sizes, found = report["sizes"], []
    if sizes["width"]:
        smallest = sizes["smallest"][0]
        note = f"in the middle; smallest {smallest['width']:,} × {smallest['height']:,} ({smallest['file_name']})"
        found.append(("size in px", f"{sizes['width']['median']:,} × {sizes['height']['median']:,}", note))
        found.append(("not square", f"{sizes['not_square']:,}", "one side more than 5 % longer"))
    broken = [problem["file_name"] for problem in report["broken"]]
    found.append(("broken files", f"{len(broken):,}", _listed(broken)))
    if report["changed"]:
        found.append(("changed files", f"{len(report['changed']):,}", _listed(report["changed"])))
    if report["collected"]["left_out"]:
        found.append(("left out by collect", f"{report['collected']['left_out']:,}", f"see {PROBLEMS_NAME}"))
    return found


def _duplicate_rows(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    near, across, merged = report["near_duplicates"], report["across_genres"], report["collected"]["merged"]
    surplus = sum(len(same) - 1 for same in report["exact_duplicates"])
    note = "surplus files" if merged is None else f"surplus files here; collect merged {merged:,}"
    clusters_note = f"covers, in {_plural(len(near['clusters']), 'cluster')}; {_plural(len(near['pairs']), 'pair')}"
    across_note = f"covers, in {_plural(across['clusters'], 'cluster')}"
    return [
        ("exact duplicates", f"{surplus:,}", note),
        ("near-duplicates", f"{near['covers']:,}", clusters_note),
        ("  under different genres", f"{across['covers']:,}", across_note),
    ]


def _known_rows(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (what, f"{report[what]['different']:,}", f"known for {report[what]['covers']:,} of {report['covers']:,} covers")
        for what in ("artists", "releases")
    ]


def _plural(count: int, word: str) -> str:
    """Count something.

    >>> _plural(1, "genre"), _plural(1200, "cluster")
    ('1 genre', '1,200 clusters')
    """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
