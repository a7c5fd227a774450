"""Genre names: many spellings, one name.

`Hip-Hop`, `hiphop`, `Hip Hop` and `hip_hop` are one genre, and a model that is asked to tell them apart learns nothing.
What is done about it can be seen here, and overridden:

1. `RULES`, in order, make the **plain form** of a name: lower case, one kind of space, hyphen and apostrophe, no `;`.
2. `KEY_RULES`, in order, make the **spelling key** of a plain form: `&`, `+`, `and` and `'n'` become one word `n`, then
   all but letters, digits and `/` goes, accents too. Names with the same key are one genre.
3. `WRITTEN_SO` says how a known key is written (`hiphop` is written `hip-hop`), and `OTHER_NAMES` which other names
   mean the very same. An unknown key keeps the plain form that most covers bear, of equals the first by the alphabet.

Nothing else is joined: `pop rock` is not `pop`, `rap` is not `hip-hop`, `pop/rock` is not `pop rock`, and the `rhythm &
blues` of 1955 is not `r&b`. Who sees it otherwise says so in a CSV file with the columns `from,to`, which goes before
all rules; an empty `to` drops the genre, and `;` in it names several. `collect` writes the mapping that it used to
`genres.csv` in that very form.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from sleevenotes.errors import DatasetError, did_you_mean

SEPARATOR = ";"

RULES: tuple[tuple[str, str, str], ...] = (
    (r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\s_]+", " ", "an underscore, a line end or several spaces are one space"),
    (r"\s*;[;\s]*", ", ", "`;` stands between genres, so it can't stand in one"),
    (r"[‐‑‒–—―−]", "-", "hyphens and dashes are written alike"),
    (r"[‘’ʼ`´]", "'", "apostrophes are written alike"),
    (r"(?<=\w) ?- ?(?=\w)", "-", "no spaces around a hyphen: hip - hop"),
    (r" ?/ ?", "/", "no spaces around a slash: funk / soul"),
    (r"(?<=\w) ?& ?(?=\w\w)|(?<=\w\w) ?& ?(?=\w)", " & ", "an ampersand stands between spaces: drum&bass"),
)
"""(pattern, replacement, why), applied in this order to the lower-case name: they make the plain form."""

KEY_RULES: tuple[tuple[str, str, str], ...] = (
    (r"(?<=\w)\s*[&+]\s*(?=\w)", " n ", "`r&b`, `drum + bass`"),
    (r"(?<=\w)(?:\s*'n'?|n')(?=\s*\b)(?=\W*\w)", " n ", "`rock'n'roll`, `rock 'n' roll`, `drum'n bass`"),
    (r"\band\b", "n", "`rock and roll`"),
    (r"[\u0300-\u036f]", "", "`nü metal` is `nu metal`; other scripts keep their marks"),
    (r"[^\w/]|_", "", "spaces, hyphens, dots, apostrophes, brackets"),
)
"""(pattern, replacement, example), applied in this order to the plain form: they make the spelling key."""

WRITTEN_SO = """
acid house, acid jazz, acid rock, acid techno, afrobeat, ambient house, arena rock, art pop, art rock, avant-garde,
avant-garde jazz, bass music, bayou funk, berlin-school, big band, big beat, black metal, bluegrass, blues rock,
boogie-woogie, boom bap, bossa nova, breakbeat, britpop, broken beat, celtic punk, chamber pop, chicago blues,
children's, chillout, classic rock, cloud rap, comedy rock, conscious hip-hop, contemporary jazz, cool jazz,
country blues, country folk, country pop, country rap, country rock, dance-pop, dark ambient, darkwave, death metal,
deathcore, deep house, delta blues, dj battle tool, doo wop, doom metal, downtempo, dream pop, dub techno, dubstep,
dungeon synth, east coast blues, easy listening, electric blues, electro house, electroclash, electropop,
euro house, euro-disco, eurodance, europop, experimental rock, field recording, folk metal, folk pop, folk punk,
folk rock, free improvisation, free jazz, funk metal, funk rock, future jazz, g-funk, gangsta rap, garage house,
garage punk, garage rock, glam metal, glam rock, gothic metal, grindcore, groove metal, hard bop, hard house,
hard rock, hard techno, hard trance, hardcore hip-hop, hardcore punk, harmonica blues, heavy metal, hi-nrg, hip-hop,
hip-house, horror rock, horrorcore, indie folk, indie pop, indie rock, industrial metal, industrial rock,
italo-disco, italodance, j-pop, j-rock, jazz fusion, jazz rock, jazz-funk, jazzy hip-hop, jump blues, jungle, k-pop,
latin jazz, latin pop, latin rock, lo-fi, louisiana blues, math rock, melodic death metal, melodic hardcore,
melodic metal, metalcore, miami bass, minimal techno, modern classical, modern electric blues, neo soul,
neo-classical, neo-psychedelia, new age, new beat, new jack swing, new wave, noise pop, noise rock, non-music,
nu metal, p.funk, piano blues, poetry, pop metal, pop punk, pop rap, pop rock, pop/rock, post-bop, post-hardcore,
post-metal, post-punk, post-rock, power electronics, power metal, power pop, progressive bluegrass,
progressive folk, progressive house, progressive pop, progressive trance, psy-trance, pub rock, punk rock,
radioplay, ragga hip-hop, rap metal, rap rock, reggae fusion, reggae-pop, rockabilly, roots reggae, roots rock,
shoegaze, skate punk, sludge metal, smooth jazz, soft rock, soul-jazz, southern rock, space rock, speed metal,
spoken word, stoner rock, surf rock, swamp pop, swingbeat, symphonic metal, symphonic rock, synth-pop, synthwave,
tech house, technical death metal, texas blues, third stream, thug rap, tribal house, trip-hop, tropical house,
uk garage, viking metal, vocal house, west coast jazz, world music, yacht rock, yé-yé
"""
"""How known genres are written, whichever way their words are run together."""

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "aor": ("adult oriented rock", "album oriented rock"),
    "alternative country": ("alt country",),
    "alternative metal": ("alt metal",),
    "alternative rock": ("alt rock",),
    "brass & military": ("brassmilitary",),
    "contemporary r&b": ("contemporaryrb",),
    "cut-up/dj": ("cutupdj",),
    "drum & bass": ("d&b", "dnb", "drumbass", "drumandbass"),
    "ebm": ("electronic body music",),
    "edm": ("electronic dance music",),
    "folk, world & country": ("folkworldcountry",),
    "funk/soul": ("funk soul",),
    "gothic rock": ("goth rock",),
    "idm": ("intelligent dance music",),
    "new wave of british heavy metal": ("nwobhm",),
    "progressive metal": ("prog metal",),
    "progressive rock": ("prog rock",),
    "psychedelic folk": ("psych folk",),
    "psychedelic pop": ("psych pop",),
    "psychedelic rock": ("psych rock",),
    "r&b": ("rb",),
    "rhythm & blues": ("rhythmblues",),
    "r&b/swing": ("rnbswing",),
    "rock & roll": ("rockroll", "rockandroll"),
    "singer-songwriter": ("singer/songwriter",),
    "stage & screen": ("stagescreen",),
    "thrash metal": ("thrash",),
}
"""How a known genre is written, and other names for the very same: what no rule above can join."""


def plain(name: str) -> str:
    """Return a name in its plain form: `RULES` applied, nothing joined.

    Examples
    --------
    >>> plain("  Hip_Hop "), plain("Funk / Soul"), plain("Drum&Bass"), plain("R&B")
    ('hip hop', 'funk/soul', 'drum & bass', 'r&b')
    """
    before = None
    while name != before:  # one rule can make work for an earlier one; each only shortens, unifies or spaces out once
        before = name
        name = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())
        for pattern, replacement, _ in RULES:
            name = re.sub(pattern, replacement, name)
        name = name.strip()
    return name


@lru_cache(maxsize=65536)
def spelling_key(name: str) -> str:
    """Return what all spellings of a name have in common; empty only for an empty name.

    Examples
    --------
    >>> {spelling_key(name) for name in ("Rock & Roll", "rock'n'roll", "Rock 'n' Roll", "rock and roll")}
    {'rocknroll'}
    >>> spelling_key("Pop/Rock") == spelling_key("Pop Rock")
    False
    """
    key = unicodedata.normalize("NFD", plain(name).casefold())
    for pattern, replacement, _ in KEY_RULES:
        key = re.sub(pattern, replacement, key)
    return unicodedata.normalize("NFC", key).strip("/") or plain(name)


def _written() -> dict[str, str]:
    names: dict[str, tuple[str, ...]] = {name.strip(): () for name in WRITTEN_SO.split(",")}
    return {spelling_key(each): name for name, others in (names | OTHER_NAMES).items() for each in (name, *others)}


_WRITTEN = _written()


def tidy(name: str) -> str:
    """Return a genre's name as it is written here, whatever its spelling.

    A name that `WRITTEN_SO` does not know comes back in its plain form. `tidy(tidy(name)) == tidy(name)`.

    Examples
    --------
    >>> {tidy(name) for name in ("Hip-Hop", "hiphop", "Hip Hop", "HipHop", "hip_hop")}
    {'hip-hop'}
    >>> tidy("RnB"), tidy("Drum n Bass"), tidy("rockroll"), tidy("Neue Deutsche Welle")
    ('r&b', 'drum & bass', 'rock & roll', 'neue deutsche welle')
    """
    return _WRITTEN.get(spelling_key(name)) or plain(name)


NO_GENRE = frozenset(
    (
        *("nan", "none", "null", "nil", "na", "n/a", "<na>", "#n/a", "nat", "undefined", "missing", "empty", "blank"),
        *("unknown", "unknown genre", "genre unknown", "no genre", "no genres", "not available", "not specified"),
        *("unspecified", "not set", "no data", "no genre found", "no genres found", "no genres listed", "tbd"),
        *("no tags", "no label", "unlabelled", "unlabeled", "untagged", "uncategorised", "uncategorized"),
        "unclassified",
    )
)
"""Words that stand for a missing genre, in lower case, without brackets around them."""

_AROUND = " \t\r\n()[]{}'\"`.,;:-‐‑‒–—―_?!/|*"


def is_no_genre(name: str) -> bool:
    """Return whether a name stands for a missing genre, as `nan`, `None`, `N/A`, `unknown`, `-` and an empty text do.

    Examples
    --------
    >>> [is_no_genre(name) for name in ("NaN", "(no genres found)", "N/A", "--", "[]", "noise", "Unknown", "no wave")]
    [True, True, True, True, True, False, True, False]
    """
    bare = " ".join(name.casefold().replace("_", " ").strip(_AROUND).split())
    return not bare or bare in NO_GENRE


@lru_cache(maxsize=32)
def names_holding(separator: str) -> frozenset[str]:
    """Return the spelling keys of the known genres whose name holds a separator, such as `folk, world & country`.

    Examples
    --------
    >>> spelling_key("Folk, World, & Country") in names_holding(","), len(names_holding(";"))
    (True, 0)
    """
    return frozenset(key for key, written in _WRITTEN.items() if separator in written)


@dataclass(frozen=True)
class GenreMap:
    """The user's own `from` → `to`, which goes before the rules.

    Parameters
    ----------
    overrides
        `from`, as the user wrote it, to the genres that it becomes, none where it is dropped. A name is looked for as
        it stands, then by its spelling key, so one row `hiphop,rap` takes `Hip-Hop` along.

    Examples
    --------
    >>> GenreMap().apply({"Hip Hop": 2, "hiphop": 1})
    {'Hip Hop': ('hip-hop',), 'hiphop': ('hip-hop',)}
    >>> GenreMap({"rap": ("Hip-Hop",), "spoken word": ()}).apply({"Rap": 1, "hiphop": 1, "Spoken Word": 1})
    {'Rap': ('Hip-Hop',), 'hiphop': ('Hip-Hop',), 'Spoken Word': ()}
    """

    overrides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> GenreMap:
        """Read a CSV file with the columns `from` and `to`; further columns are ignored.

        Raises
        ------
        DatasetError
            Where the file can't be read, lacks a column, has a row without `from` or a `from` that stands twice with
            different `to`, or spells one genre in two ways: all rows at once, with their numbers.
        """
        path = Path(path)
        overrides: dict[str, tuple[str, ...]] = {}
        rows: dict[str, int] = {}
        spelt: dict[str, tuple[str, int]] = {}
        problems: list[str] = []
        for number, name, target in _map_rows(path):
            genres = _targets(target)
            if not name:
                problems.append(f"row {number}: 'from' is empty")
            elif overrides.get(name, genres) != genres:
                problems.append(f"row {number}: '{name}' stands in row {rows[name]} already, with another 'to'")
            else:
                overrides[name] = genres
                rows.setdefault(name, number)
            for genre in genres:
                first, row = spelt.setdefault(spelling_key(tidy(genre)), (genre, number))
                if first != genre:
                    problems.append(f"row {number}: '{genre}' is spelt '{first}' in row {row}")
        if problems:
            some = "1 row" if len(problems) == 1 else f"{len(problems):,} rows"
            raise DatasetError(str(path), f"{some} can't be used", cure="Mend the rows", problems=problems)
        return cls(overrides)

    def apply(self, counts: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
        """Return for each raw name of one source the genres that it becomes, none where it is dropped.

        Parameters
        ----------
        counts
            How many covers bear each raw name: of several unknown spellings the commonest is kept.
        """
        written = self._spellings(counts)
        by_key = self._by_key()
        result: dict[str, tuple[str, ...]] = {}
        for name in counts:
            own = self.overrides.get(_as_written(name), by_key.get(spelling_key(name)))
            if own is not None:
                result[name] = own
            else:
                result[name] = (written[spelling_key(tidy(name))],) if plain(name) else ()
        return result

    def _by_key(self) -> dict[str, tuple[str, ...]]:
        """Return the overrides by spelling key, where all of one key agree; else only exact names count."""
        meant: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for name, genres in self.overrides.items():
            meant[spelling_key(name)].add(genres)
        return {key: next(iter(genres)) for key, genres in meant.items() if len(genres) == 1}

    def _spellings(self, counts: Mapping[str, int]) -> dict[str, str]:
        """Return how each spelling key is written: as the user does, as `WRITTEN_SO` does, or as most covers do."""
        forms: dict[str, Counter[str]] = defaultdict(Counter)
        for name, covers in counts.items():
            forms[spelling_key(tidy(name))][tidy(name)] += covers
        written = {key: min(found, key=lambda form: (-found[form], form)) for key, found in forms.items()}
        mine = {spelling_key(tidy(genre)): genre for genres in self.overrides.values() for genre in genres}
        return written | mine


def write_map(path: Path, counts: Mapping[str, int], mapping: Mapping[str, tuple[str, ...]]) -> None:
    """Write a mapping as `from,to,covers`, the commonest first: to be seen, edited and given back as a map.

    Parameters
    ----------
    path
        The file to write.
    counts
        How many covers bear each raw name.
    mapping
        What `GenreMap.apply` made of them.
    """
    names = sorted((name for name in counts if _as_written(name)), key=lambda name: (-counts[name], name))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("from", "to", "covers"))
        writer.writerows((_as_written(name), SEPARATOR.join(mapping[name]), counts[name]) for name in names)


def _as_written(name: str) -> str:
    """Return a name without what a spreadsheet or a file system may change in passing."""
    name = name.encode("utf-8", "replace").decode("utf-8")  # a folder's name may hold bytes that are no UTF-8
    return " ".join(unicodedata.normalize("NFC", name).split())


def _targets(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_as_written(part) for part in cell.split(SEPARATOR) if part.strip()))


def _map_rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (row number as in a spreadsheet, from, to)."""
    for number, (old, new) in column_rows(path, ("from", "to"), "`genres.csv` of a collected dataset is such a file"):
        yield number, _as_written(old), new


def column_rows(path: Path, columns: Sequence[str], cure: str = "") -> Iterator[tuple[int, list[str]]]:
    """Yield row number as in a spreadsheet, and the cells of some columns, of each row that is not empty.

    Raises
    ------
    DatasetError
        Where the file can't be read, or lacks a column; `cure` says what to do where none is spelt alike.
    """
    expected = f"a CSV file in UTF-8 with the columns {','.join(columns)}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except OSError as cause:
        raise DatasetError(str(path), f"can't be read ({cause.strerror})", expected) from cause
    except (UnicodeDecodeError, csv.Error) as cause:
        raise DatasetError(str(path), f"can't be read as CSV ({cause})", expected) from cause
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    for name in columns:
        if name not in header:
            found = f"no column '{name}' among {', '.join(header)}" if header else "empty"
            raise DatasetError(str(path), found, expected, did_you_mean(name, header) or cure)
    places = [header.index(name) for name in columns]
    for number, row in enumerate(rows[1:], start=2):
        if any(cell.strip() for cell in row):
            cells = [*row, *[""] * len(header)]
            yield number, [cells[place] for place in places]
