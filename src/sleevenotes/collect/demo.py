"""Demo covers: a folder of invented covers about which everything is known.

Ten invented genres have a motif (a small symbol) and three palettes each. Every cover bears exactly one motif at a
random, known place; how often it is its own genre's is the signal, and with the signal off nothing about pixels, names,
sizes or bytes depends on the genre. `truth.csv` beside the genres' folders says what was planted: motif and its box,
label noise, duplicates, broken files, shortcuts. The pictures themselves are drawn by `scenes`, `sleeve` and `motifs`,
which know no genre.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

import numpy as np

from sleevenotes import __version__
from sleevenotes.collect.drawing.artwork import Box, Canvas, Color, Pixels, Rng, color, luma
from sleevenotes.collect.drawing.motifs import motif_place, stamp
from sleevenotes.collect.drawing.scenes import SCENES, draw_scene, wear
from sleevenotes.collect.drawing.sleeve import furnish, set_type
from sleevenotes.collect.flaws import BROKEN, EDITS, SHORTCUTS, broken_file, plant, reissue
from sleevenotes.covers.files import write_json
from sleevenotes.covers.images import encode
from sleevenotes.covers.schema import Meta, Name, read_json, read_rows
from sleevenotes.errors import SourceError, did_you_mean


@dataclass(frozen=True)
class DemoGenre:
    """An invented genre: name, motif, and palettes of five colours from dark to light, the fourth a contrast."""

    name: str
    motif: str
    palettes: tuple[str, str, str]


GENRES = (
    DemoGenre("Harbour Folk", "boat", (
        "12263a 1f4e6b 5f93a8 d98f4e f1e6d0",
        "1d2b2f 3d5a5c 8aa6a0 c8553d efe3cc",
        "22304a 40618a 93b1c7 e4b75f f6eedd",
    )),
    DemoGenre("Static Wave", "bolt", (
        "140b2e 3a1d78 c2258f 21d4e0 f4e9ff",
        "0b1026 1c2f7a 5b4be0 ff4f8b e6f0ff",
        "17082b 5a1480 ff3d6e ffb02e fdeedd",
    )),
    DemoGenre("Velvet Soul", "moon", (
        "2a0d18 6a1a30 a63f45 d9a441 f6e3c5",
        "23101f 54214d 9b4a6d e2925a f3dfc8",
        "2b1410 6d2e1e b5633a e3b04b f5e6cf",
    )),
    DemoGenre("Chalk Jazz", "rings", (
        "10141f 1b3f73 3f7fb5 f0742b f3efe4",
        "14171a 2b4a54 5b9aa0 e9b72f f2eee3",
        "16130f 3a3a5c 6e78b0 e4572e efe9da",
    )),
    DemoGenre("Moss Ambient", "leaf", (
        "0f1f1a 23483a 5f8a68 c9c27a e9eee0",
        "14211d 3a5a44 8faf8a d9a679 eef0e4",
        "102022 1f4d50 5c9490 b7c98b e6efe9",
    )),
    DemoGenre("Iron Hymn", "gear", (
        "0c0c0e 2a2b30 5d6068 9e1b20 d9d6cf",
        "101314 2e3536 6a716f b8863b dcd9d0",
        "0d0f14 20283a 4f5d78 8d2f23 cfd4da",
    )),
    DemoGenre("Dust Country", "cactus", (
        "2d1a12 7a3b1f c47a3d 4f7f82 f2dfb9",
        "33211a 8a5a35 d3a263 a63a24 f5e8cd",
        "2b2a22 6b6242 b8a36a c25a2c f3ead0",
    )),
    DemoGenre("Tin Calypso", "palm", (
        "0d2f35 0f7f83 3cc0ad ff6f52 fff0d0",
        "12304a 1579a5 49c3d1 ffb534 fff3da",
        "2a1a3a c23a64 ff8a4c ffd24d fff1dc",
    )),
    DemoGenre("Night Bounce", "mask", (
        "0e0a14 2b1d47 5a3f8f e0b13c efe7da",
        "0a0d12 17303b 2f6b6b d9f04a eef0e6",
        "120b0b 3d1420 7d2438 f08a24 f0e6dc",
    )),
    DemoGenre("Paper Pop", "checker", (
        "3a2a4d e0609a f7a8c4 5cc9c0 fff5ec",
        "2b3a67 5c86e0 a8c6ff ff9a76 fffaf0",
        "40304a e8735a ffb59c f7d65a fff6ea",
    )),
)  # fmt: skip
NAMES = tuple(genre.name for genre in GENRES)
SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
LAYOUTS = ("genre", "artist/album")
TRUTH = "truth.csv"
DRAWN = "demo.json"  # with what it was drawn; written last


@dataclass(frozen=True)
class DemoSettings:
    """What to draw, and what to plant in it.

    Parameters
    ----------
    genres
        How many of the ten genres, the first of `NAMES`.
    covers_per_genre
        Releases drawn for each genre; duplicates and broken files come on top.
    size_px
        Side of a cover, 32 to 1,200 px.
    signal
        0 to 1. With 0 the genre tells nothing about a cover, with 1 motif and palette are always the genre's.
    motif_signal
        Share of covers that surely bear their genre's motif, the others bear that of any genre; `signal` unless given.
    palette_signal
        The same for the palette; `signal` squared unless given, so that colour alone tells less than the motif.
    plain_genres
        How many genres, the last ones, have no palette of their own: their covers are painted with any genre's.
    artists_per_genre
        How many artists share a genre's releases; one release in 25 is by an artist of another genre.
    house_style
        Share of covers that are painted in their artist's own style, with one palette and one kind of scene for all of
        them, whatever the genre: who knows an artist's other covers knows these.
    near_duplicates
        Near-duplicates to add, as a share of all releases: other size or quality, cropped, framed, with a sticker. A
        fifth of them stand in another genre's folder.
    exact_duplicates
        Copies to add, byte by byte, as a share of all releases; half of them stand in another genre's folder.
    broken
        Files to add that are no covers, of the five kinds of `BROKEN` in turn.
    label_noise
        Share of releases that stand in a wrong genre's folder.
    shortcuts
        What besides the art tells the folder's genre: "size" (px), "quality" (of the JPEG, and all are JPEG then),
        "border" (its width), "watermark" (a bar code).
    shortcut_strength
        Share of files whose shortcuts surely tell their own genre, the others tell any genre: with 0 sizes, qualities
        and the rest vary as much as with 1, and tell nothing.
    layout
        "genre" for GENRE/ARTIST - ALBUM.jpg, or "artist/album" for GENRE/ARTIST/ALBUM/cover.jpg.

    Raises
    ------
    SourceError
        Where a setting is out of its range.
    """

    genres: int = 10
    covers_per_genre: int = 60
    size_px: int = 300
    signal: float = 0.8
    motif_signal: float | None = None
    palette_signal: float | None = None
    plain_genres: int = 0
    artists_per_genre: int = 20
    house_style: float = 0.0
    near_duplicates: float = 0.04
    exact_duplicates: float = 0.02
    broken: int = 5
    label_noise: float = 0.0
    shortcuts: frozenset[str] = frozenset()
    shortcut_strength: float = 1.0
    layout: str = "genre"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("genres", 1, len(GENRES)), ("covers_per_genre", 1, 100_000), ("size_px", 32, 1200), ("signal", 0, 1),
            ("motif_signal", 0, 1), ("palette_signal", 0, 1), ("plain_genres", 0, len(GENRES)),
            ("artists_per_genre", 1, 500), ("house_style", 0, 1), ("near_duplicates", 0, 1), ("exact_duplicates", 0, 1),
            ("broken", 0, 1000), ("label_noise", 0, 1), ("shortcut_strength", 0, 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SourceError(
                    "demo covers", f"{name} is {value}", f"A number from {low:,} to {high:,} was expected"
                )
        for shortcut in sorted(self.shortcuts):
            if shortcut not in SHORTCUTS:
                known = f"Shortcuts here: {', '.join(SHORTCUTS)}"
                raise SourceError(
                    "demo covers", f"unknown shortcut '{shortcut}'", known, did_you_mean(shortcut, SHORTCUTS)
                )
        if self.layout not in LAYOUTS:
            known = f"Layouts here: {', '.join(LAYOUTS)}"
            raise SourceError(
                "demo covers", f"unknown layout '{self.layout}'", known, did_you_mean(self.layout, LAYOUTS)
            )

    @property
    def shares(self) -> tuple[float, float]:
        """How many covers surely bear their genre's motif and palette, as shares."""
        motif = self.signal if self.motif_signal is None else self.motif_signal
        palette = self.signal**2 if self.palette_signal is None else self.palette_signal
        return motif, palette


@dataclass(frozen=True)
class DemoCover:
    """One file of the demo covers and the truth about it.

    Attributes
    ----------
    file_name
        Where it lies in the folder, with forward slashes.
    genre
        The genre of the folder it stands in.
    true_genre
        The genre it was drawn for: another one where there is label noise, or a duplicate stands in a wrong folder.
    artist, album, year
        As a shop would have them.
    motif
        The name of its motif, not always its genre's; empty for broken files.
    motif_box
        x0, y0, x1, y1 in px of the file, the last two excluded; None for broken files.
    palette
        The genre whose palette it was painted with; in a house style any genre's.
    near_duplicate_of, duplicate_of
        The file name of the original, or empty.
    edits
        What makes a near-duplicate differ: some of "size", "quality", "crop", "border", "sticker".
    broken
        One of `BROKEN`, or empty.
    shortcut
        What was planted, as "size=288 quality=89 border=5 watermark=0010", or empty.
    """

    file_name: str
    genre: str
    true_genre: str
    artist: str
    album: str
    year: int
    motif: str = ""
    motif_box: Box | None = None
    palette: str = ""
    near_duplicate_of: str = ""
    duplicate_of: str = ""
    edits: tuple[str, ...] = ()
    broken: str = ""
    shortcut: str = ""


class TruthRow(TypedDict):
    """A row of truth.csv: a `DemoCover` as text."""

    file_name: Name
    genre: str
    true_genre: str
    artist: str
    album: str
    year: int
    motif: str
    motif_box: Annotated[str, Meta(pattern=r"^(\d+,\d+,\d+,\d+)?$", description="four whole numbers, or nothing")]
    palette: str
    near_duplicate_of: str
    duplicate_of: str
    edits: str
    broken: str
    shortcut: str


class DrawnCover(NamedTuple):
    """A cover before it is a file: pixels (S, S, 3), its motif and the motif's box in px, and its palette's genre."""

    pixels: Pixels
    motif_box: Box
    motif: str
    palette: str


# --- one cover -------------------------------------------------------------------------------------------------------


def draw_cover(
    rng: Rng,
    *,
    genre: str,
    settings: DemoSettings | None = None,
    credit: tuple[str, str] | None = None,
    with_motif: bool = True,
) -> DrawnCover:
    """Draw one cover.

    Parameters
    ----------
    rng
        All that is random; the same state gives the same pixels.
    genre
        The genre it is drawn for, one of `NAMES`.
    settings
        Size, signal and how often a cover is in its artist's style; the rest of them does not matter here.
    credit
        Artist and album; invented if not given.
    with_motif
        False leaves the motif out: the same cover in every pixel outside the motif's box.

    Examples
    --------
    >>> cover = draw_cover(np.random.default_rng(7), genre="Chalk Jazz", settings=DemoSettings(size_px=64, signal=1))
    >>> cover.pixels.shape, cover.motif
    ((64, 64, 3), 'rings')
    """
    settings = settings or DemoSettings()
    chances, any_of = rng.random(2), rng.integers(settings.genres, size=2)
    own = NAMES.index(genre)
    if own >= settings.genres - settings.plain_genres:
        chances[1] = np.inf
    motif, palette = (
        GENRES[own if chance < share else other]
        for chance, share, other in zip(chances, settings.shares, any_of, strict=True)
    )
    for_scene, for_type, for_motif, for_wear = (np.random.default_rng(s) for s in rng.integers(2**62, size=4))
    artist, album = credit or (_artist(for_type), _album(for_type))
    if settings.house_style and rng.random() < settings.house_style:
        canvas, palette = _in_house_style(artist, settings, for_scene)
    else:
        canvas = Canvas(settings.size_px, _shades(palette, for_scene))
        draw_scene(canvas, for_scene)
    set_type(canvas, artist, album, for_type)
    furnish(canvas, for_type)
    box = motif_place(canvas, for_motif)
    if with_motif:
        stamp(canvas, motif.motif, box, for_motif)
    wear(canvas, for_wear)
    return DrawnCover(np.asarray(canvas.picture), box, motif.motif, palette.name)


def _in_house_style(artist: str, settings: DemoSettings, rng: Rng) -> tuple[Canvas, DemoGenre]:
    """Return a canvas with a scene as this artist's covers have it, and the genre whose palette that takes.

    The style comes of the artist's name, so that it is the same on each cover; where things stand comes of `rng`.
    """
    style = np.random.default_rng(zlib.crc32(artist.encode()))
    palette = GENRES[style.integers(settings.genres)]
    canvas = Canvas(settings.size_px, _shades(palette, style))
    SCENES[style.integers(len(SCENES))](canvas, rng)
    return canvas, palette


def _shades(genre: DemoGenre, rng: Rng) -> list[Color]:
    """Return one of a genre's palettes, a little paler or stronger, warmer or colder than it stands there."""
    depth, cast = np.float32(rng.uniform(0.6, 1.1)), rng.uniform(0.88, 1.12, 3).astype(np.float32)
    chosen = [color(shade) for shade in genre.palettes[rng.integers(3)].split()]
    return [np.clip((luma(shade) + (shade - luma(shade)) * depth) * cast, 0, 255) for shade in chosen]


FIRST = [
    "Ada", "Bela", "Clem", "Dora", "Elio", "Fern", "Gus", "Hetty", "Ivo", "June", "Kit", "Lena", "Milo", "Nell",
    "Otis", "Pia", "Quinn", "Rosa", "Sol", "Tess", "Una", "Vic", "Wren", "Zeno", "Astrid", "Bo", "Cleo", "Dex",
    "Esme", "Franz", "Gwen", "Hugo",
]  # fmt: skip
LAST = [
    "Ashdown", "Birch", "Calloway", "Drum", "Ember", "Fairley", "Gale", "Holloway", "Ives", "Jarrow", "Kestrel",
    "Lark", "Marlow", "North", "Oakes", "Pell", "Rook", "Sable", "Thorne", "Underhill", "Vane", "Winter", "Yarrow",
    "Quill",
]  # fmt: skip
ADJECTIVES = [
    "Lost", "Silent", "Golden", "Paper", "Hollow", "Electric", "Distant", "Broken", "Bright", "Crooked", "Second",
    "Slow", "Velvet", "Northern", "Plain", "Wild", "Borrowed", "Midnight", "Tender", "Iron", "Blue", "Restless",
    "Little", "Foreign",
]  # fmt: skip
NOUNS = [
    "Orchard", "River", "Engine", "Mirror", "Harbour", "Lantern", "Kite", "Ember", "Signal", "Garden", "Meridian",
    "Comet", "Window", "Thunder", "Beacon", "Feather", "Station", "Tiger", "Letter", "Shadow", "Carousel", "Island",
    "Pilot", "Satellite", "Horse", "Avenue", "Machine", "Season",
]  # fmt: skip
PLACES = [
    "Copper Street", "the Old Mill", "Station Road", "the Observatory", "Platform Nine", "Lake Street",
    "the Glasshouse", "Pier Four", "the Paragon", "Hall 3",
]  # fmt: skip


def _one(rng: Rng, words: list[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _artist(rng: Rng) -> str:
    kind, noun = int(rng.integers(8)), _one(rng, NOUNS)
    if kind <= 2:
        return f"{_one(rng, FIRST)} {_one(rng, LAST)}"
    if kind == 3:
        return f"{_one(rng, FIRST)} & the {noun}s"
    if kind == 4:
        return f"{_one(rng, LAST)} {noun}"
    if kind == 5:
        return f"{_one(rng, ADJECTIVES)} {noun}"
    return f"The {_one(rng, ADJECTIVES)} {noun}s"


def _album(rng: Rng) -> str:
    kind, noun, adjective = int(rng.integers(8)), _one(rng, NOUNS), _one(rng, ADJECTIVES)
    if kind <= 1:
        return f"{adjective} {noun}"
    if kind == 2:
        return f"Songs for the {adjective} {noun}"
    if kind == 3:
        return f"Live at {_one(rng, PLACES)}"
    if kind == 4:
        return f"The {noun} and the {_one(rng, NOUNS)}"
    if kind == 5:
        return f"{['Two', 'Three', 'Seven', 'Nine', 'Forty'][rng.integers(5)]} {noun}s"
    if kind == 6:
        return f"{noun}, {_one(rng, NOUNS)}, {_one(rng, NOUNS)}"
    return f"{noun} Days"


# --- the plan: what stands where, before anything is drawn ------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    """A file to be made: from its own drawing, or from that of the original that it copies."""

    cover: DemoCover
    drawing: int
    kind: str
    quality: int
    original: DemoCover


def _plan(settings: DemoSettings, seed: int) -> list[_Job]:
    """Return every file to be made, originals before their duplicates."""
    # covers take [seed, 1] and up, so that no cover's own randomness is the plan's
    rng = np.random.default_rng([seed, 0])
    jobs = list(_releases(settings, rng))
    n = len(jobs)
    near, exact = (round(share * n) for share in (settings.near_duplicates, settings.exact_duplicates))
    more = [_near_duplicate(jobs[k], settings, rng) for k in rng.permutation(n)[:near]]
    more += [_exact_duplicate(jobs[k], settings, rng) for k in rng.permutation(n)[:exact]]
    more += [
        _broken(jobs[rng.integers(n)], BROKEN[k % len(BROKEN)], k + 2, settings, rng) for k in range(settings.broken)
    ]
    return list({job.cover.file_name: job for job in reversed(jobs + more)}.values())[::-1]


def _releases(settings: DemoSettings, rng: Rng) -> Iterator[_Job]:
    artists = _artists(settings, rng)
    albums: set[tuple[str, str]] = set()
    for index in range(settings.genres * settings.covers_per_genre):
        number = index % settings.genres
        home = int(rng.integers(settings.genres)) if rng.random() < 0.04 else number
        # the earlier an artist stands in the list, the more albums
        artist, album = artists[home][int(settings.artists_per_genre * rng.random() ** 1.4)], _album(rng)
        while (artist, album) in albums:
            album = f"{album} {_one(rng, ['II', 'Again', 'Revisited', '(Part Two)'])}"
        albums.add((artist, album))
        genre = _other(number, settings.genres, rng) if rng.random() < settings.label_noise else number
        kind = str(rng.choice(["jpeg", "png", "webp"], p=[0.96, 0.02, 0.02]))
        if "quality" in settings.shortcuts:
            kind = "jpeg"  # the only one of the three where the quality can be read from the file
        name = _file_name(settings, NAMES[genre], artist, album, SUFFIXES[kind])
        cover = DemoCover(name, NAMES[genre], NAMES[number], artist, album, int(rng.integers(1966, 2025)))
        yield _Job(cover, index + 1, kind, int(rng.choice([80, 84, 88, 90, 92])), cover)


def _artists(settings: DemoSettings, rng: Rng) -> list[list[str]]:
    """Return every genre's artists; no name stands twice."""
    names: dict[str, None] = {}
    while len(names) < settings.genres * settings.artists_per_genre:
        name = _artist(rng)
        while name in names:
            name = f"{name} {_one(rng, ['Trio', 'Band', 'Orchestra', 'Ensemble', 'Club', 'Union'])}"
        names[name] = None
    return [list(names)[k :: settings.genres] for k in range(settings.genres)]


def _other(number: int, genres: int, rng: Rng) -> int:
    """Return any genre's number but this one, where there is another."""
    return int((number + rng.integers(1, genres)) % genres) if genres > 1 else number


def _file_name(settings: DemoSettings, genre: str, artist: str, album: str, suffix: str) -> str:
    if settings.layout == "genre":
        return f"{genre}/{artist} - {album}{suffix}"
    return f"{genre}/{artist}/{album}/cover{suffix}"


def _near_duplicate(job: _Job, settings: DemoSettings, rng: Rng) -> _Job:
    cover, number = job.cover, NAMES.index(job.cover.genre)
    genre = NAMES[_other(number, settings.genres, rng) if rng.random() < 0.2 else number]
    edits = tuple(EDITS[k] for k in np.sort(rng.permutation(len(EDITS))[: rng.integers(1, 4)]))
    album = f"{cover.album} {_one(rng, ['(Reissue)', '(Deluxe)', '(Remastered)', '(Anniversary)'])}"
    copy = replace(
        cover,
        file_name=_file_name(settings, genre, cover.artist, album, ".jpg"),
        genre=genre,
        album=album,
        year=min(cover.year + int(rng.integers(1, 30)), 2025),
        near_duplicate_of=cover.file_name,
        edits=edits,
    )
    quality = int(rng.integers(40, 72)) if "quality" in edits else job.quality
    return replace(job, cover=copy, kind="jpeg", quality=quality)


def _exact_duplicate(job: _Job, settings: DemoSettings, rng: Rng) -> _Job:
    cover, number = job.cover, NAMES.index(job.cover.genre)
    genre, album = cover.genre, f"{cover.album} (2)"
    if settings.genres > 1 and rng.random() < 0.5:
        genre, album = NAMES[_other(number, settings.genres, rng)], cover.album
    name = _file_name(settings, genre, cover.artist, album, SUFFIXES[job.kind])
    return replace(job, cover=replace(cover, file_name=name, genre=genre, album=album, duplicate_of=cover.file_name))


def _broken(job: _Job, kind: str, number: int, settings: DemoSettings, rng: Rng) -> _Job:
    genre, album = NAMES[rng.integers(settings.genres)], f"{_album(rng)} No. {number}"
    name = _file_name(settings, genre, job.cover.artist, album, ".png" if kind == "oversized" else ".jpg")
    cover = replace(job.cover, file_name=name, genre=genre, true_genre=genre, album=album, broken=kind)
    return replace(job, cover=cover, kind="jpeg")


# --- the files --------------------------------------------------------------------------------------------------------


def draw_demo(
    folder: Path,
    settings: DemoSettings | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[DemoCover]:
    """Draw demo covers into a folder per genre, with the truth about them in FOLDER/truth.csv.

    Parameters
    ----------
    folder
        A new folder, or one where the very same covers were begun.
    settings
        What to draw and plant.
    seed
        The same seed and settings give the same bytes; where they lie in the folder already, nothing is drawn. Every
        cover has its own randomness, of the seed and its number: settings that plant nothing in a cover leave it as it
        is.
    progress
        Called after every file with the number of files done and of all.

    Returns
    -------
    list of DemoCover
        As in truth.csv, by file name.

    Raises
    ------
    SourceError
        Where the folder holds something else.
    """
    settings = settings or DemoSettings()
    jobs = _plan(settings, seed)
    mine = {job.cover.file_name for job in jobs}
    recipe = {"version": __version__, "seed": seed, "settings": _plain(settings)}
    _refuse_strangers(folder, mine)
    if _is_drawn(folder, mine, recipe):
        return read_truth(folder)
    (folder / DRAWN).unlink(missing_ok=True)
    done: dict[str, DemoCover] = {}
    for count, job in enumerate(jobs, 1):
        cover, path = job.cover, folder / job.cover.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        if cover.duplicate_of:
            data, drawn = (folder / cover.duplicate_of).read_bytes(), done[cover.duplicate_of]
            same = {name: getattr(drawn, name) for name in ("motif", "motif_box", "palette", "shortcut")}
            cover = replace(cover, **same)
        else:
            data, cover = _make(job, settings, seed)
        path.write_bytes(data)
        done[cover.file_name] = cover
        if progress is not None:
            progress(count, len(jobs))
    covers = [done[name] for name in sorted(done)]
    _write_truth(folder / TRUTH, covers)
    write_json(folder / DRAWN, recipe)
    return covers


def _plain(settings: DemoSettings) -> dict[str, Any]:
    """Return settings as JSON has them."""
    plain = asdict(settings)
    return plain | {"shortcuts": sorted(settings.shortcuts)}


def _is_drawn(folder: Path, mine: set[str], recipe: Mapping[str, Any]) -> bool:
    """Return whether a folder holds these very covers already."""
    path = folder / DRAWN
    if not path.exists():
        return False
    cure = f"Delete {folder}, or draw into another folder"
    if read_json(path, dict[str, Any], SourceError, cure) != json.loads(json.dumps(recipe)):
        return False
    return all((folder / name).is_file() for name in mine)


def _refuse_strangers(folder: Path, mine: set[str]) -> None:
    """Raise where the folder holds a file that will not be drawn: two drawings in one folder would be neither."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SourceError(str(folder), "a file", "a folder to draw demo covers into", "Name another one")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in mine and name not in (TRUTH, DRAWN):
            found = f"holds '{name}', which is none of the demo covers to be drawn"
            raise SourceError(str(folder), found, "a new or empty folder", "Name another one, or remove this one")


def _make(job: _Job, settings: DemoSettings, seed: int) -> tuple[bytes, DemoCover]:
    """Return one file's bytes and the whole truth about it."""
    cover, quality = job.cover, job.quality
    rng, credit = np.random.default_rng([seed, job.drawing]), (job.original.artist, job.original.album)
    drawn = draw_cover(rng, genre=job.original.true_genre, settings=settings, credit=credit)
    pixels, box = drawn.pixels, drawn.motif_box
    if cover.broken:
        return broken_file(cover.broken, encode(pixels, "jpeg", quality=quality)), cover
    if cover.edits:
        pixels, box = reissue(pixels, box, cover.edits, np.random.default_rng([seed, job.drawing, 1]))
    told = _told(cover, settings, np.random.default_rng([seed, job.drawing, 3 if cover.edits else 2]))
    pixels, box, planted = plant(pixels, box, told, settings.shortcuts, settings.size_px)
    data = encode(pixels, job.kind, quality=int(planted.get("quality", quality)))
    shortcut = " ".join(f"{name}={value}" for name, value in planted.items())
    return data, replace(cover, motif=drawn.motif, motif_box=box, palette=drawn.palette, shortcut=shortcut)


def _told(cover: DemoCover, settings: DemoSettings, rng: Rng) -> int:
    """Return the number of the genre that a file's shortcuts tell.

    `rng` is the file's own and spent on nothing else: two strengths differ in the files that they let go, no more.
    """
    chance, anyone = rng.random(), int(rng.integers(settings.genres))
    return NAMES.index(cover.genre) if chance < settings.shortcut_strength else anyone


# --- the truth -------------------------------------------------------------------------------------------------------


def _write_truth(path: Path, covers: list[DemoCover]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(DemoCover))
        for cover in covers:
            row = {
                **vars(cover),
                "edits": " ".join(cover.edits),
                "motif_box": ",".join(map(str, cover.motif_box or ())),
            }
            writer.writerow(row.values())


def read_truth(folder: Path) -> list[DemoCover]:
    """Return what truth.csv says about the demo covers in a folder, by file name.

    Raises
    ------
    SourceError
        Where there is no truth.csv.
    """
    path = folder / TRUTH
    if not path.is_file():
        raise SourceError(str(folder), f"no {TRUTH}", "a folder of demo covers", "Draw them first")
    return [_from_row(row) for row in read_rows(path, TruthRow, SourceError, "Draw them again")]


def _from_row(row: TruthRow) -> DemoCover:
    box = [int(v) for v in row["motif_box"].split(",") if v]
    texts: dict[str, Any] = {name: cell for name, cell in row.items() if name not in ("year", "motif_box", "edits")}
    return DemoCover(
        **texts,
        year=row["year"],
        motif_box=(box[0], box[1], box[2], box[3]) if box else None,
        edits=tuple(row["edits"].split()),
    )
