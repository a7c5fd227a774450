"""The covers that a model learnt from, and how one of them is recognised.

`learnt_from.csv` in a model's folder has a row for each cover in train and valid:

======= ============================================================================================================
column  meaning
======= ============================================================================================================
sha256  of the file's bytes, 64 hexadecimal digits
hash    perceptual hash, 64 hexadecimal digits (`covers.hashing`); empty for a cover with hardly any structure
split   `train` or `valid`
artist  artists, `;` between them, as `covers.groups.artists_of` spells them; empty if unknown
release keys of the release, `;` between them (`release_keys_of`); empty if unknown
source  the source's own key (`source_key`); empty if it has none
======= ============================================================================================================

An exported model leaves out the last three columns. No picture is kept. The card (`model.json`, or that of a bundle)
has the SHA-256 and the number of rows of the file under `learnt_from`. A file that does not fit them is an error, since
without it covers that the model knows would pass for new ones.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sleevenotes.covers.duplicates import Words
from sleevenotes.covers.groups import artists_of, folded, release_keys
from sleevenotes.covers.hashing import MAX_DISTANCE, distances, thumbnails_of, window_hashes
from sleevenotes.covers.images import Pixels, sha256
from sleevenotes.errors import ModelError

LEARNT_NAME = "learnt_from.csv"
COLUMNS = ("sha256", "hash", "split", "artist", "release", "source")
SHARED_COLUMNS = COLUMNS[:3]  # what an exported model keeps
SEPARATOR = ";"
DIGITS = 64  # of a SHA-256, and of a hash
SAME_FILE = "same file as a training cover"
NEAR_DUPLICATE = "near-duplicate of a training cover"

DISCOGS = re.compile(r"(?:^|[^0-9a-z])r-(\d{3,})-\d{6,}")  # R-4080454-1354219283-5411.jpeg
UNIQUE = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12,}(?![0-9a-f])")  # a UUID, or longer


@dataclass(frozen=True)
class LearntCovers:
    """The covers that a model learnt from.

    Parameters
    ----------
    data
        The contents of `learnt_from.csv`, which fit the model's card.
    """

    data: bytes

    @classmethod
    def read(cls, path: Path, card: Mapping[str, Any], *, cure: str) -> LearntCovers:
        """Read the file of a model, and check it against what the card says of it.

        Parameters
        ----------
        path
            The file.
        card
            The contents of `model.json` or `sleevenotes.json`.
        cure
            How to get the file back.

        Raises
        ------
        ModelError
            If the file is missing, or is not the one that was written with the model, or the card does not say which
            one that is.
        """
        expected = card.get("learnt_from")
        if not isinstance(expected, dict) or not {"sha256", "rows"} <= set(expected):
            found = f"it does not say which {LEARNT_NAME} belongs to it"
            raise ModelError(str(path.parent), found, "the digest of the covers that it learnt from", cure)
        try:
            data = path.read_bytes()
        except OSError as cause:
            found = "not there" if not path.exists() else f"can't be read ({cause.strerror or cause})"
            raise ModelError(str(path), found, "the list of covers that the model learnt from", cure) from cause
        if sha256(data) != expected["sha256"]:
            rows = max(0, data.count(b"\n") - 1)
            found = "empty" if not data else f"damaged or changed ({rows:,} of {expected['rows']:,} rows)"
            if data and rows == expected["rows"]:
                found = "damaged or changed (its SHA-256 is not the one in the model's card)"
            raise ModelError(str(path), found, "the list of covers that the model learnt from", cure)
        return cls(data)

    @property
    def card(self) -> dict[str, Any]:
        """What the model's card says of the file."""
        return {"sha256": sha256(self.data), "rows": self.data.count(b"\n") - 1}

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """A row for each cover, by the columns that the file has."""
        return list(csv.DictReader(io.StringIO(self.data.decode("utf-8"), newline="")))

    @cached_property
    def digests(self) -> frozenset[str]:
        """SHA-256 of every file."""
        return frozenset(line[:DIGITS].decode("ascii") for line in self.data.split(b"\n")[1:-1])

    @cached_property
    def hashes(self) -> Words:
        """Perceptual hashes, (n, 4); zero for a cover that has none."""
        # all rows at once: `predict` has to read thousands of them before its first answer
        letters = np.frombuffer(self.data + b"\0" * 2 * DIGITS, np.uint8)
        starts = np.flatnonzero(letters == ord("\n"))[:-1] + 1
        cells = letters[(starts + DIGITS + 1)[:, None] + np.arange(DIGITS)]  # (n, 64)
        digits = np.where(cells > ord("9"), cells - ord("a") + 10, cells - ord("0")).astype(np.uint8)
        hashes: Words = (digits[:, ::2] << 4 | digits[:, 1::2]).view(np.uint64)  # (n, 4)
        hashes[cells[:, 0] == ord(",")] = 0
        return hashes

    def keys(self, column: str) -> frozenset[str]:
        """Return every key in a column, of `artist`, `release` and `source`; none if the file leaves it out."""
        return frozenset(key for row in self.rows for key in (row.get(column) or "").split(SEPARATOR) if key)

    def marks(self, covers: Sequence[Pixels], sources: Sequence[bytes | Path]) -> list[str | None]:
        """Return how each cover is known: `SAME_FILE`, `NEAR_DUPLICATE`, or None for a cover that is not.

        Parameters
        ----------
        covers
            Pixels, (H, W, 3) each, of any size from 32 px.
        sources
            The files that they were decoded from, or their bytes.
        """
        if not covers:
            return []
        asked = window_hashes(thumbnails_of(covers))
        near: list[bool] = np.any(distances(asked, self.hashes) <= MAX_DISTANCE, axis=1).tolist()
        plain: list[bool] = np.all(asked == 0, axis=(1, 2)).tolist()  # nothing but their bytes can be compared
        marks: list[str | None] = []
        for source, is_near, is_plain in zip(sources, near, plain, strict=True):
            same = (is_near or is_plain) and self.has_file(source)
            marks.append(SAME_FILE if same else NEAR_DUPLICATE if is_near else None)
        return marks

    def has_file(self, source: bytes | Path) -> bool:
        """Return whether a model learnt from this very file."""
        if isinstance(source, Path) and not source.is_file():  # a pipe, which can be read only once
            return False
        digest = sha256(source if isinstance(source, bytes) else source.read_bytes())
        return f"\n{digest},".encode() in self.data

    def without_names(self) -> LearntCovers:
        """Return what can be given away: digests and hashes, without artists, releases and keys of the source."""
        return LearntCovers(_table(SHARED_COLUMNS, ([row[name] for name in SHARED_COLUMNS] for row in self.rows)))


def learnt_covers(
    digests: Sequence[str], hashes: Words, splits: Sequence[str], names: Mapping[str, Sequence[str]]
) -> LearntCovers:
    """Return what a model is to remember of n covers.

    Parameters
    ----------
    digests
        SHA-256 of each file.
    hashes
        (n, 4), zero for a cover that has none.
    splits
        `train` or `valid`.
    names
        `artist`, `release` and `source`: a cell for each cover.
    """
    cells = [words.tobytes().hex() if words.any() else "" for words in hashes]
    named = [names[name] for name in COLUMNS[3:]]
    return LearntCovers(_table(COLUMNS, zip(digests, cells, splits, *named, strict=True)))


def artist_cell(cell: str) -> str:
    """Return the artists in a dataset's cell as `learnt_from.csv` has them.

    Examples
    --------
    >>> artist_cell("Brian  Eno; David Byrne")
    'brian eno;david byrne'
    """
    return SEPARATOR.join(artists_of(cell))


def release_keys_of(artists: Sequence[str], albums: Sequence[str], releases: Sequence[str]) -> list[str]:
    """Return the keys of each cover's release, `;` between them: artist and album, and what a `release` column has.

    A number of fewer than five digits is left out: it is likely a row number, which other datasets have, too.

    Examples
    --------
    >>> release_keys_of(["Yes", "", "Yes"], ["Relayer", "", "Fragile"], ["", "4080454", "7"])
    ['yes / relayer', '4080454', 'yes / fragile']
    """
    titled = release_keys(artists, albums, [""] * len(artists))
    numbers = ["" if re.fullmatch(r"\d{1,4}", each) else each for each in map(folded, releases)]
    both = zip(titled, numbers, strict=True)
    return [SEPARATOR.join(key.replace(SEPARATOR, ",") for key in keys if key) for keys in both]


def source_key(source: str, file_name: str) -> str:
    """Return the key by which the source of a cover knows it, wherever it was downloaded to; empty if there is none.

    It is the Discogs release in a file name, a UUID or a longer hexadecimal number, or the address of a download. Any
    other file name is no key, since unrelated datasets have the same ones.

    Examples
    --------
    >>> source_key("Rock/R-4080454-1354219283-5411.jpeg.jpg", "images/00a1.jpg")
    'discogs release 4080454'
    >>> source_key("https://example.org/covers/17.jpg#top", "images/17.jpg")
    'https://example.org/covers/17.jpg'
    >>> source_key("rock/0001.jpg", "images/0001.jpg")
    ''
    """
    places = [folded(source), folded(file_name)]
    for place in places:
        if release := DISCOGS.search(place.rsplit("/", 1)[-1]):
            return f"discogs release {release[1]}"
    for place in places[:1]:  # the name in a dataset is made of the file's SHA-256
        if unique := UNIQUE.search(place):
            return unique[0].replace("-", "")
        if re.match(r"https?://", place):
            return place.split("#", 1)[0].replace(SEPARATOR, "%3b")
    return ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue().encode()
