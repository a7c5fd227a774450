"""Which column of a table holds what, by the names that columns have in published collections and exports.

Names are compared in lower case, letters and digits only. `genre1` and `genre2`, or one column of 0 and 1 per genre,
are read together. A column whose cells are words such as `train` and `test` is pointed out as a split that comes with
the data.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sleevenotes.collect.addresses import is_url
from sleevenotes.collect.cells import Cell
from sleevenotes.collect.layouts import known_genres, side_of
from sleevenotes.collect.table_files import NAME_COLUMN, Table
from sleevenotes.covers.dataset import COLUMNS, SPLITS
from sleevenotes.covers.genres import spelling_key, tidy
from sleevenotes.errors import SourceError, did_you_mean

FILE_COLUMNS = (
    *("filename", "file", "filepath", "path", "image", "imagefile", "imagefilename", "imagename", "imagepath", "img"),
    *("imgpath", "cover", "coverfile", "covername", "coverpath", "coverimage", "picture", "picturefile", "jpg"),
    *("imagelocation", "imgfile", "imgname", "imglocation", "imagelocalpath", "localpath", "fname"),
    *("albumimagefile", "trackimagefile", "albumcover", "albumcoverfile", "albumcoverpath", "albumcoverimage"),
    *("albumart", "albumartfile", "albumartpath", "albumimage", "albumimagepath", "coverart", "coverartfile"),
    *("coverartpath", "coverfilename", "coverfilepath", "coverimagefile", "coverimagepath", "coverlocation"),
    *("artwork", "artworkfile", "artworkpath", "artfile", "artpath", "picturepath", "picturename"),
    *("relativepath", "imagefilepath", "filelocation"),
)
PERHAPS_FILE_COLUMNS = (
    *("art", "photo", "images", "imageid", "coverid", "albumid", "releaseid", "location", "id", "mbid", "albummbid"),
    *("releasegroupmbid", "releasegroupid", "releasembid", "discogsid", "masterid", "trackid", "msdtrackid", "asin"),
)
"""Names of columns of files if their cells name files that are there, and only then."""
URL_COLUMNS = (
    *("coverurl", "imageurl", "pictureurl", "arturl", "artworkurl", "imgurl", "fileurl", "coverlink", "imagelink"),
    *("coverarturl", "albumarturl", "albumcoverurl", "albumimageurl", "coverimageurl", "albumcoverlink", "coveruri"),
    *("artworkurl100", "artworkurl60", "imurl", "imgsrc", "imagesrc", "coverxl", "coverbig", "covermedium"),
    *("url", "urls", "link", "links", "href", "uri", "imageuri", "address", "source"),
    *("thumbnailurl", "thumburl", "thumbnail", "thumb", "coversmall"),
)
GENRE_COLUMNS = (
    *("genretop", "trackgenretop", "genres", "genre", "genrelist", "primarygenre", "maingenre", "genrename"),
    *("genrelabel", "genrenames", "genrelabels", "genretitle", "primarygenrename", "topgenre", "musicgenre"),
    *("musicgenres", "albumgenre", "albumgenres", "trackgenre", "trackgenres", "artistgenre", "artistgenres"),
    *("singulargenre", "majoritygenre", "supergenre", "supergenres", "genresall", "trackgenresall"),
    *("styles", "style", "subgenres", "subgenre", "labels", "label", "tags", "tag", "albumtags", "tracktags"),
    *("toptags", "categories", "category", "categoryname", "classes", "class", "classname", "classlabel", "target"),
)
ARTIST_COLUMNS = (
    *("artist", "artists", "artistname", "albumartist", "albumartistname", "artistnames", "band", "bandname"),
    *("performer", "performers"),
)
ALBUM_COLUMNS = ("album", "albumname", "albumtitle", "title", "releasetitle", "releasename", "record")
YEAR_COLUMNS = (
    *("year", "releaseyear", "yearreleased", "originalyear", "albumyear", "date", "releasedate", "originaldate"),
    *("originalreleasedate", "firstreleasedate", "released", "albumdatereleased"),
)
RELEASE_COLUMNS = (
    *("releasegroup", "releasegroupid", "releasegroupmbid", "musicbrainzreleasegroupid", "masterid", "discogsmasterid"),
    *("release", "releaseid", "releasembid", "musicbrainzreleaseid", "musicbrainzalbumid", "mbid", "discogsid"),
    "albummbid",
)
"""A release group before a release: covers of one album in two editions belong on one side of a split."""

KNOWN_COLUMNS = frozenset(
    (*FILE_COLUMNS, *URL_COLUMNS, *GENRE_COLUMNS, *ARTIST_COLUMNS, *ALBUM_COLUMNS, *YEAR_COLUMNS, *RELEASE_COLUMNS)
)

INDICATORS = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "x"), True),
    **dict.fromkeys(("0", "0.0", "false", "no", ""), False),
}
"""Whether a cover has the genre, by the cell of a column that is one genre."""

_NUMBERED = re.compile(r"((?:main|primary|sub|music)?(?:genre|style|tag|label|category)s?(?:name)?)(\d{0,2})")
_PREFIX = re.compile(r"(?:genres?|styles?|tags?|labels?|class|category)\s*[_=:. -]\s*(?=\S)", re.IGNORECASE)
FEWEST_INDICATORS = 2
MOST_SIDES = 12  # different words in a column that can be a split


@dataclass(frozen=True)
class Roles:
    """Which column is what: positions in `Table.columns`, None if there is none.

    Parameters
    ----------
    genres
        The columns that hold genres; empty if one genre was given for all.
    indicators
        The genre of each of these columns, if they hold 0 and 1 instead of names.
    name
        The column that says what a fetched cover is to be called.
    extra
        Further columns, by the name that each is to have.
    notes
        What was guessed, a sentence each.
    """

    file: int
    genres: tuple[int, ...]
    indicators: tuple[str, ...]
    artist: int | None
    album: int | None
    year: int | None
    release: int | None
    split: int | None
    extra: dict[str, int]
    name: int | None = None
    notes: list[str] = field(default_factory=list)


def find_roles(
    path: str,
    table: Table,
    *,
    file_column: str | None,
    genres_column: str | None,
    split_column: str | None,
    genre: str | None,
    fits: Callable[[int], bool],
) -> Roles:
    """Find out what each column holds.

    Parameters
    ----------
    path
        What to call the table in errors.
    file_column, genres_column, split_column
        Columns that the user named; `genres_column` may name several, with commas between them.
    genre
        The genre of all covers, if the user gave one.
    fits
        Whether the cells of a column name files that are there, or URLs.

    Raises
    ------
    SourceError
        If a named column is not there, or none is found for files or genres.
    """
    columns = table.columns
    among = f"among {', '.join(columns)}"
    file = _file_column(path, table, file_column, fits)
    if file is None:
        cure = f"Name it with `--file-column`. {_meant(columns, FILE_COLUMNS)}"
        raise SourceError(path, f"no column that names the files {among}", "file_name, path, image or the like", cure)
    split = position(path, columns, split_column, ())
    called = columns.index(NAME_COLUMN) if NAME_COLUMN in columns else None
    taken: set[int | None] = {file, split, called}
    which = _GenreColumns() if genre else _genre_columns(path, table, genres_column, taken)
    taken |= {*which.indices}
    others: list[int | None] = []
    for names in (ARTIST_COLUMNS, ALBUM_COLUMNS, YEAR_COLUMNS):
        others.append(position(path, columns, None, names, taken=taken))
        taken.add(others[-1])
    artist, album, year = others
    release = position(path, columns, None, RELEASE_COLUMNS, taken=taken - {file})  # files may be named by release
    taken.add(release)
    extra: dict[str, int] = {}
    for index, name in enumerate(columns):
        if index not in taken:
            free = f"source_{name}" if name.lower() in (*COLUMNS, "release") else name
            while free in extra:
                free += "_2"
            extra[free] = index
    return Roles(
        file,
        which.indices,
        which.indicators,
        artist=artist,
        album=album,
        year=year,
        release=release,
        split=split,
        extra=extra,
        name=called,
        notes=which.notes + ([] if split_column else _given_split(table, extra.values())),
    )


def names_of_genres(columns: Sequence[str], roles: Roles) -> list[str]:
    """Return further columns that are named like one of genres, the best first."""
    return [columns[index] for index in _positions(columns, GENRE_COLUMNS, roles.genres)]


def position(
    path: str, columns: Sequence[str], named: str | None, known: Sequence[str], *, taken: Iterable[int | None] = ()
) -> int | None:
    """Return the column that the user named, or else the first known name that is there.

    Raises
    ------
    SourceError
        If the named column is not there.
    """
    if named is None:
        return next(iter(_positions(columns, known, taken)), None)
    for same in (lambda column: column == named, lambda column: bare(column) == bare(named)):
        for index, column in enumerate(columns):
            if same(column):
                return index
    found = f"no column '{named}' among {', '.join(columns)}"
    raise SourceError(path, found, cure=did_you_mean(named, columns) or "Name one of these")


def bare(name: str) -> str:
    """Return a column's name in lower case, without anything but letters and digits."""
    return re.sub(r"[\W_]+", "", name.casefold())


def url_column(table: Table) -> int | None:
    """Return the first column that is named like one of URLs and holds some."""
    return next(
        (
            index
            for index in _positions(table.columns, URL_COLUMNS)
            if any(is_url(text(row[index])) for row in table.rows)
        ),
        None,
    )


def text(cell: Cell) -> str:
    """Return a cell as one text."""
    return cell.strip() if isinstance(cell, str) else "; ".join(cell)


def _positions(columns: Sequence[str], known: Sequence[str], taken: Iterable[int | None] = ()) -> list[int]:
    left_out = {*taken}
    found = {bare(column): index for index, column in reversed(list(enumerate(columns))) if index not in left_out}
    return [found[name] for name in known if name in found]


def _file_column(path: str, table: Table, named: str | None, fits: Callable[[int], bool]) -> int | None:
    """Return the column of files: of the known names the first whose cells name some, or else the first; then URLs."""
    if named is not None:
        return position(path, table.columns, named, ())
    known = _positions(table.columns, FILE_COLUMNS)
    if len(known) > 1:
        return next((index for index in known if fits(index)), known[0])
    if known:
        return known[0]
    urls = url_column(table)
    perhaps = _positions(table.columns, PERHAPS_FILE_COLUMNS)
    return urls if urls is not None else next((index for index in perhaps if fits(index)), None)


@dataclass(frozen=True)
class _GenreColumns:
    """The columns of genres, the genres that they are if they hold 0 and 1, and what was guessed."""

    indices: tuple[int, ...] = ()
    indicators: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def _genre_columns(path: str, table: Table, named: str | None, taken: Iterable[int | None]) -> _GenreColumns:
    columns = table.columns
    if named is not None:
        found = _named(path, columns, named)
        if len(found) > 1 and all(_is_indicator(table, index) for index in found):
            return _GenreColumns(found, _without_prefix(columns, found))
        return _GenreColumns(found)
    first = position(path, columns, None, GENRE_COLUMNS, taken=taken)
    series = _series(columns, taken)
    together = next((found for found in series if first in found or first is None), () if first is None else (first,))
    if len(together) > 1:
        names = ", ".join(columns[index] for index in together)
        note = f"Genres were read from {len(together)} columns: {names} (`--genres-column`)."
        return _GenreColumns(together, notes=[note])
    if together:
        return _GenreColumns(together)
    flags = [index for index in range(len(columns)) if index not in {*taken} and _is_indicator(table, index)]
    prefixed = [index for index in flags if _PREFIX.match(columns[index])]
    genres = prefixed or flags
    if len(genres) >= FEWEST_INDICATORS and (prefixed or all(_is_genre(columns[index]) for index in genres)):
        indicators = _without_prefix(columns, genres)
        note = f"Genres were read from {len(genres):,} columns, in which 1 means that the cover has the genre: "
        return _GenreColumns(tuple(genres), indicators, [note + _some(indicators) + "."])
    raise _no_genres(path, columns, [columns[index] for index in flags])


def _without_prefix(columns: Sequence[str], indices: Iterable[int]) -> tuple[str, ...]:
    """Return the genres of columns such as `genre_rock`."""
    return tuple(_PREFIX.sub("", columns[index]) for index in indices)


def _no_genres(path: str, columns: Sequence[str], flags: Sequence[str]) -> SourceError:
    found, expected = f"no column of genres among {', '.join(columns)}", "genre, genres, tags or the like"
    genres = [name for name in flags if _is_genre(name)] or flags
    if len(genres) >= FEWEST_INDICATORS:
        cure = f'If the columns of 0 and 1 are genres, name them: `--genres-column "{",".join(genres)}"`'
    else:
        cure = 'Name it with `--genres-column`, or give all covers one with `--genre "progressive rock"`. '
        cure += _meant(columns, GENRE_COLUMNS)
    return SourceError(path, found, expected, cure)


def _named(path: str, columns: Sequence[str], named: str) -> tuple[int, ...]:
    names = [name.strip() for name in named.split(",") if name.strip()]
    if len(names) > 1 and bare(named) not in map(bare, columns):
        found = [position(path, columns, name, ()) for name in names]
        return tuple(dict.fromkeys(index for index in found if index is not None))
    index = position(path, columns, named, ())
    return () if index is None else (index,)


def _series(columns: Sequence[str], taken: Iterable[int | None]) -> list[tuple[int, ...]]:
    """Return the columns that belong together, such as `genre`, `genre2` and `genre3`, those of genres first."""
    left_out, found = {*taken}, dict[str, list[int]]()
    for index, column in enumerate(columns):
        match = _NUMBERED.fullmatch(bare(column))
        if match and index not in left_out:
            found.setdefault(match[1], []).append(index)
    return [tuple(found[name]) for name in sorted(found, key=lambda name: "genre" not in name)]


def _is_indicator(table: Table, index: int) -> bool:
    cells = {text(row[index]).casefold() for row in table.rows}
    return cells <= INDICATORS.keys() and any(INDICATORS[cell] for cell in cells)


def _is_genre(name: str) -> bool:
    return spelling_key(tidy(name)) in known_genres()


def _given_split(table: Table, indices: Iterable[int]) -> list[str]:
    """Return a note on a column that looks like a split which comes with the data."""
    for index in indices:
        cells = Counter(text(row[index]) for row in table.rows)
        if len(cells) > MOST_SIDES:
            continue
        counts: Counter[str] = Counter()
        for cell, count in cells.items():
            counts[side_of(cell) or ("?" if cell else "")] += count
        if "?" not in counts and counts["train"] and (counts["test"] or counts["valid"]):
            name = table.columns[index]
            sides = ", ".join(f"{counts[side]:,} {side}" for side in SPLITS if counts[side])
            found = f"The column '{name}' looks like a split that comes with the data ({sides}) and was not used."
            return [f"{found} `--split-column {_quoted(name)}` uses it."]
    return []


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"[^\w.-]", name) else name


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _meant(columns: Sequence[str], known: Sequence[str]) -> str:
    return next((said for name in known[:4] if (said := did_you_mean(name, columns))), "")
