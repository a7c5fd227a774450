"""Supply: covers brought to this machine where a table names them by URLs, and drawn where only some are wanted.

What comes out is a listing of files, as a folder would give it, so gathering need not know where covers came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from sleevenotes.collect.draws import Draw, Drawing
from sleevenotes.collect.folders import Found, Listing, Problem
from sleevenotes.collect.gathering import Gathering, Progress, stamp_of
from sleevenotes.collect.ledger import Ledger
from sleevenotes.collect.politeness import FetchSettings


@dataclass(frozen=True)
class Supplied:
    """What gathering is to look at.

    Parameters
    ----------
    listing
        Covers at hand, in the order of the source.
    sides
        Source and side of each cover that was drawn; None where there is no draw.
    notes
        What was drawn, and what could not be fetched.
    """

    listing: Listing
    sides: Mapping[str, str] | None = None
    notes: list[str] = field(default_factory=list)


class Supply:
    """Where covers come from.

    Parameters
    ----------
    listing
        All that the source names.
    folder
        The dataset.
    ledger
        What was fetched so far.
    settings
        How to fetch.
    max_pixels
        The most pixels that a cover may have.
    progress
        Called with (URLs done, URLs in all) while fetching.
    """

    def __init__(
        self,
        listing: Listing,
        folder: Path,
        ledger: Ledger,
        settings: FetchSettings,
        *,
        max_pixels: int,
        progress: Progress | None,
    ) -> None:
        self.listing, self.folder, self.ledger, self.settings = listing, folder, ledger, settings
        self.max_pixels, self.progress = max_pixels, progress

    def all(self, dropped: Callable[[Found], bool]) -> Supplied:
        """Return every cover, fetched where need be; those that are dropped anyway are not."""
        covers = self.listing.found
        with self._open(covers):
            self._fetch([cover.url for cover in covers if cover.url and not dropped(cover)])
        return self._supplied([cover for cover in covers if not (cover.url and dropped(cover))])

    def drawn(self, draw: Draw, gathering: Gathering, genres_of: Callable[[Found], Sequence[str]]) -> Supplied:
        """Return the covers of a draw, and those that failed in it.

        Parameters
        ----------
        draw
            How much of each genre.
        gathering
            By which covers are looked at.
        genres_of
            The genres of a cover, tidied.
        """
        covers = self.listing.found
        drawing = Drawing(draw, [cover.source for cover in covers], [genres_of(cover) for cover in covers])
        with self._open(covers):
            while wanted := drawing.wanted():
                self._fetch([covers[index].url for index in wanted if covers[index].url])
                here = [index for index in wanted if not covers[index].url or self.ledger.has(covers[index].url)]
                files = [self._at_hand(covers[index]) for index in here]
                entries = gathering.examine([(cover, stamp_of(cover.path)) for cover in files], self.progress)
                found = {index: entry.sha256 or None for index, entry in zip(here, entries, strict=True)}
                drawing.tell({index: found.get(index) for index in wanted})
        sides = drawing.sides()
        failed = {index for index, digest in drawing.looked_at.items() if digest is None}
        supplied = self._supplied([covers[index] for index in sorted({*sides, *failed})])
        named = {covers[index].source: side for index, side in sides.items()}
        return replace(supplied, sides=named, notes=[*drawing.notes(), *supplied.notes])

    def _open(self, covers: Sequence[Found]) -> Ledger | nullcontext[None]:
        return self.ledger if any(cover.url for cover in covers) else nullcontext()

    def _fetch(self, urls: Sequence[str]) -> None:
        if urls:
            from sleevenotes.collect.downloads import fetch

            fetch(urls, self.ledger, self.settings, max_pixels=self.max_pixels, progress=self.progress)

    def _at_hand(self, cover: Found) -> Found:
        return replace(cover, path=self.folder / self.ledger.rows[cover.url].file) if cover.url else cover

    def _supplied(self, covers: Sequence[Found]) -> Supplied:
        """Return a listing of covers at hand; URLs that failed are problems."""
        found: list[Found] = []
        problems = dict.fromkeys(self.listing.problems)
        for cover in covers:
            if cover.url and (row := self.ledger.failed(cover.url)):
                problems[Problem(cover.url, row.problem)] = None
            else:
                found.append(self._at_hand(cover))
        listing = replace(self.listing, found=found, problems=[*problems])
        return Supplied(listing, notes=self.told(covers))

    def told(self, covers: Sequence[Found]) -> list[str]:
        """Return what to do about URLs that failed, and those whose files can't be used."""
        urls = {cover.url for cover in covers if cover.url}
        failed = sum(1 for url in urls if (row := self.ledger.rows.get(url)) and row.problem and not row.file)
        if not failed:
            return []
        cure = "The same command with `--retry-failed` tries these again"
        return [f"{failed:,} of {len(urls):,} URLs could not be fetched: problems.csv says why. {cure}."]
