"""Demo covers: the truth that they come with is true, and with the signal off there is nothing to find."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from scipy.stats import binom, chi2_contingency, chisquare
from sklearn.linear_model import LogisticRegression

from sleevenotes.collect.demo import (
    DRAWN,
    GENRES,
    NAMES,
    TRUTH,
    DemoCover,
    DemoSettings,
    DrawnCover,
    draw_cover,
    draw_demo,
    read_truth,
)
from sleevenotes.collect.drawing.motifs import MOTIF_SHARES, MOTIFS
from sleevenotes.collect.flaws import BROKEN, SHORTCUTS, plant, reissue, watermark_cells
from sleevenotes.covers.images import decode, encode, resize
from sleevenotes.errors import EmptyCover, NotACover, OversizedCover, SourceError, TruncatedCover
from sleevenotes.learn.color import histogram

K = 5  # genres of the covers that are learnt from
SMALL = DemoSettings(genres=3, covers_per_genre=8, size_px=48, artists_per_genre=3, broken=0)
FLAWED = DemoSettings(
    genres=4, covers_per_genre=15, size_px=96, artists_per_genre=4, near_duplicates=0.4, exact_duplicates=0.2, broken=5
)


def cover_of(seed: int, genre: str = NAMES[0], *, with_motif: bool = True, **knobs: float) -> DrawnCover:
    settings = DemoSettings(**{"size_px": 48, **knobs})  # type: ignore[arg-type]
    return draw_cover(np.random.default_rng(seed), genre=genre, settings=settings, with_motif=with_motif)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[DemoCover]]:
    """Sixty covers with many duplicates, and one broken file of each kind."""
    folder = tmp_path_factory.mktemp("flawed")
    return folder, draw_demo(folder, FLAWED, seed=4)


# --- the same again ---------------------------------------------------------------------------------------------------


def test_same_seed_gives_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_demo(tmp_path / name, SMALL, seed=seed)
    a, b, c = (files_of(tmp_path / name) for name in "abc")
    assert a == b
    assert not set(a.values()) & set(c.values())


def test_a_folder_drawn_half_is_completed_to_the_same_bytes(tmp_path: Path) -> None:
    draw_demo(tmp_path / "whole", SMALL)
    draw_demo(tmp_path / "half", SMALL)
    for path in sorted((tmp_path / "half").rglob("*.*"))[::2]:
        path.unlink()
    draw_demo(tmp_path / "half", SMALL)
    assert files_of(tmp_path / "half") == files_of(tmp_path / "whole")


def test_a_folder_drawn_whole_is_left_alone_and_told_the_same(tmp_path: Path) -> None:
    first = draw_demo(tmp_path, SMALL)
    when = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert draw_demo(tmp_path, SMALL) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == when


def test_knobs_that_plant_nothing_in_a_cover_leave_its_bytes_alone(tmp_path: Path) -> None:
    plain = draw_demo(tmp_path / "plain", SMALL)
    more = DemoSettings(**{**vars(SMALL), "broken": 3, "near_duplicates": 0.2, "exact_duplicates": 0.2})
    draw_demo(tmp_path / "more", more)
    for cover in plain:
        assert (tmp_path / "more" / cover.file_name).read_bytes() == (tmp_path / "plain" / cover.file_name).read_bytes()


# --- the signal -------------------------------------------------------------------------------------------------------


@hypothesis_settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), genre=st.integers(1, 9))
def test_without_signal_a_cover_is_the_same_whatever_its_genre(seed: int, genre: int) -> None:
    one, other = cover_of(seed, signal=0), cover_of(seed, NAMES[genre], signal=0)
    assert np.array_equal(one.pixels, other.pixels)
    assert one[1:] == other[1:]


@hypothesis_settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), genre=st.integers(0, 9))
def test_with_full_signal_motif_and_palette_are_the_genres(seed: int, genre: int) -> None:
    cover = cover_of(seed, NAMES[genre], signal=1, size_px=32)
    assert cover.motif == GENRES[genre].motif
    assert cover.palette == NAMES[genre]


def test_signal_tells_how_many_covers_bear_their_genres_motif_and_palette() -> None:
    n, signal = 250, 0.6
    covers = [cover_of(seed, signal=signal, genres=K, size_px=32) for seed in range(n)]
    for own, share in (
        (sum(cover.motif == GENRES[0].motif for cover in covers), signal),
        (sum(cover.palette == NAMES[0] for cover in covers), signal**2),
    ):
        assert abs(own / n - (share + (1 - share) / K)) < 0.1
    assert {cover.motif for cover in covers} == {genre.motif for genre in GENRES[:K]}


def test_motif_can_be_the_only_signal() -> None:
    covers = [cover_of(seed, motif_signal=1, palette_signal=0, size_px=32) for seed in range(40)]
    assert {cover.motif for cover in covers} == {GENRES[0].motif}
    assert len({cover.palette for cover in covers}) > 5


def features(folder: Path, covers: list[DemoCover]) -> NDArray[np.float64]:
    """Colour histogram (4 × 4 × 4, square roots of shares), width, bytes, and the kind and length of the name."""
    rows = []
    for cover in covers:
        data = (folder / cover.file_name).read_bytes()
        pixels = decode(data, where=cover.file_name)
        cells = pixels.reshape(-1, 3).astype(np.int64) // 64 @ np.array([16, 4, 1])
        name = Path(cover.file_name)
        about = [pixels.shape[1] / 64, len(data) / 2500, name.suffix == ".jpg", len(name.name) / 40]
        rows.append([*np.sqrt(np.bincount(cells, minlength=64) / cells.size), *about])
    return np.array(rows)


def right_answers(folder: Path, signal: float) -> tuple[int, int]:
    """Draw covers, learn from all but the last 30 of each genre, and count the right answers for these."""
    settings = DemoSettings(
        genres=K, covers_per_genre=70, size_px=64, signal=signal, near_duplicates=0, exact_duplicates=0, broken=0
    )
    covers = draw_demo(folder, settings, seed=11)
    x, y = features(folder, covers), np.array([NAMES.index(cover.genre) for cover in covers])
    test = np.concatenate([np.flatnonzero(y == k)[-30:] for k in range(K)])
    train = np.setdiff1d(np.arange(len(y)), test)
    answers = LogisticRegression(C=5, max_iter=2000).fit(x[train], y[train]).predict(x[test])
    return int((answers == y[test]).sum()), len(test)


def test_without_signal_colours_names_and_bytes_do_not_beat_guessing(tmp_path: Path) -> None:
    right, n = right_answers(tmp_path, 0.0)
    assert binom.ppf(0.001, n, 1 / K) <= right <= binom.ppf(0.999, n, 1 / K)


def test_with_signal_colours_alone_beat_guessing_clearly(tmp_path: Path) -> None:
    right, n = right_answers(tmp_path, 0.8)
    assert right > binom.ppf(1 - 1e-6, n, 1 / K)
    assert right < 0.8 * n  # and leave something for the motif to tell


# --- the motif --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size_px", [32, 96, 300])
def test_motif_changes_pixels_within_its_box_and_nowhere_else(size_px: int) -> None:
    for seed in range(12):
        cover = cover_of(seed, NAMES[seed % 10], size_px=size_px)
        without = cover_of(seed, NAMES[seed % 10], size_px=size_px, with_motif=False)
        x0, y0, x1, y1 = cover.motif_box
        assert 0 <= x0 < x1 <= size_px
        assert 0 <= y0 < y1 <= size_px
        assert MOTIF_SHARES[0] - 0.02 <= (x1 - x0) / size_px <= MOTIF_SHARES[1] + 0.02
        differs = (cover.pixels != without.pixels).any(axis=2)
        assert differs[y0:y1, x0:x1].mean() > 0.1
        differs[y0:y1, x0:x1] = False
        assert not differs.any()


def test_every_genre_has_a_motif_of_its_own() -> None:
    assert sorted(genre.motif for genre in GENRES) == sorted(MOTIFS)
    assert all(len(palette.split()) == 5 for genre in GENRES for palette in genre.palettes)


def test_motif_lies_where_truth_says_in_the_file_too(flawed: tuple[Path, list[DemoCover]]) -> None:
    folder, covers = flawed
    for cover in covers:
        assert (cover.motif_box is None) == bool(cover.broken)
        if cover.motif_box is not None:
            height, width = decode(folder / cover.file_name).shape[:2]
            x0, y0, x1, y1 = cover.motif_box
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    x=st.integers(10, 60),
    y=st.integers(10, 60),
    edits=st.sets(st.sampled_from(["size", "crop", "border"])),
    shortcuts=st.sets(st.sampled_from(["size", "border", "watermark"])),
    number=st.integers(0, 9),
)
def test_box_stays_with_its_motif_whatever_is_done_to_the_cover(
    seed: int, x: int, y: int, edits: set[str], shortcuts: set[str], number: int
) -> None:
    pixels = np.full((100, 100, 3), 60, np.uint8)
    pixels[y : y + 30, x : x + 30] = (250, 20, 20)
    made, box = reissue(pixels, (x, y, x + 30, y + 30), tuple(sorted(edits)), np.random.default_rng(seed))
    made, box, _ = plant(made, box, number, frozenset(shortcuts), 100)
    x0, y0, x1, y1 = box
    red = (made[..., 0] > 150) & (made[..., 1] < 100)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert max(abs(x0 - columns[0]), abs(y0 - rows[0])) <= 4  # three times rounded, and blurred
    if "watermark" not in shortcuts:  # which may cover its lower right
        assert max(abs(x1 - 1 - columns[-1]), abs(y1 - 1 - rows[-1])) <= 4


# --- what is planted --------------------------------------------------------------------------------------------------


def test_truth_can_be_read_back_and_names_every_file(flawed: tuple[Path, list[DemoCover]]) -> None:
    folder, covers = flawed
    assert read_truth(folder) == covers
    assert {cover.file_name for cover in covers} == set(files_of(folder)) - {TRUTH, DRAWN}
    assert [cover.file_name for cover in covers] == sorted(cover.file_name for cover in covers)
    header = (folder / TRUTH).read_text(encoding="utf-8").splitlines()[0]
    assert header.startswith("file_name,genre,true_genre,artist,album,year,motif,motif_box")


def test_there_are_as_many_flaws_as_asked_for(flawed: tuple[Path, list[DemoCover]]) -> None:
    covers = flawed[1]
    n = FLAWED.genres * FLAWED.covers_per_genre
    assert sum(bool(cover.near_duplicate_of) for cover in covers) == round(0.4 * n)
    assert abs(sum(bool(cover.duplicate_of) for cover in covers) - round(0.2 * n)) <= 1
    assert Counter(cover.broken for cover in covers if cover.broken) == Counter(BROKEN)
    assert len(covers) >= n + round(0.4 * n) + round(0.2 * n) + 5 - 1


def test_exact_duplicates_are_the_same_bytes_within_and_across_genres(flawed: tuple[Path, list[DemoCover]]) -> None:
    folder, covers = flawed
    by_name = {cover.file_name: cover for cover in covers}
    copies = [cover for cover in covers if cover.duplicate_of]
    for cover in copies:
        assert (folder / cover.file_name).read_bytes() == (folder / cover.duplicate_of).read_bytes()
        assert cover.motif_box == by_name[cover.duplicate_of].motif_box
    across = [cover.genre != by_name[cover.duplicate_of].genre for cover in copies]
    assert {True, False} == set(across)


def test_near_duplicates_look_alike_but_are_other_files(flawed: tuple[Path, list[DemoCover]]) -> None:
    folder, covers = flawed
    originals = {cover.file_name: resize(decode(folder / cover.file_name), 24) for cover in covers if not cover.broken}
    for cover in covers:
        if cover.near_duplicate_of:
            this, original = originals[cover.file_name], originals[cover.near_duplicate_of]
            apart = np.abs(this.astype(float) - original).mean()
            assert 0 < apart < 40
            nearer = sum(np.abs(this.astype(float) - other).mean() < apart for other in originals.values())
            assert nearer <= 4  # itself, and other copies
            assert (folder / cover.file_name).read_bytes() != (folder / cover.near_duplicate_of).read_bytes()


def test_edits_of_a_near_duplicate_can_be_read_from_its_file(flawed: tuple[Path, list[DemoCover]]) -> None:
    folder, covers = flawed
    seen: set[str] = set()
    for cover in covers:
        if not cover.near_duplicate_of:
            continue
        seen |= set(cover.edits)
        pixels = decode(folder / cover.file_name)
        side = max(pixels.shape)
        assert cover.edits
        assert ("size" in cover.edits) == (not 0.9 * FLAWED.size_px < side <= FLAWED.size_px)
        if "crop" in cover.edits and "size" not in cover.edits:
            assert side < FLAWED.size_px
        if "border" in cover.edits:
            edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(float)
            assert min(np.abs(edge - 255).mean(), edge.mean()) < 40
    assert seen == {"size", "quality", "crop", "border", "sticker"}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("truncated", TruncatedCover),
        ("empty", EmptyCover),
        ("text", NotACover),
        ("html", NotACover),
        ("oversized", OversizedCover),
    ],
)
def test_broken_files_are_broken_as_truth_says(
    flawed: tuple[Path, list[DemoCover]], kind: str, error: type[Exception]
) -> None:
    folder, covers = flawed
    (cover,) = [cover for cover in covers if cover.broken == kind]
    with pytest.raises(error):
        decode(folder / cover.file_name)


def test_label_noise_puts_that_share_into_wrong_folders(tmp_path: Path) -> None:
    settings = DemoSettings(
        genres=4, covers_per_genre=30, size_px=32, label_noise=0.3, near_duplicates=0, exact_duplicates=0, broken=0
    )
    covers = draw_demo(tmp_path, settings)
    wrong = sum(cover.genre != cover.true_genre for cover in covers)
    assert binom.ppf(0.001, len(covers), 0.3) <= wrong <= binom.ppf(0.999, len(covers), 0.3)
    assert all(cover.file_name.startswith(f"{cover.genre}/") for cover in covers)
    assert Counter(cover.true_genre for cover in covers) == dict.fromkeys(NAMES[:4], 30)


def test_artists_have_several_albums_mostly_in_one_genre(tmp_path: Path) -> None:
    settings = DemoSettings(genres=4, covers_per_genre=30, size_px=32, artists_per_genre=6, broken=0)
    covers = [cover for cover in draw_demo(tmp_path, settings) if not cover.near_duplicate_of + cover.duplicate_of]
    genres_of: dict[str, Counter[str]] = {}
    for cover in covers:
        genres_of.setdefault(cover.artist, Counter())[cover.genre] += 1
    assert len(genres_of) <= 24
    assert np.mean([count.most_common(1)[0][1] / count.total() for count in genres_of.values()]) > 0.85
    assert np.median([count.total() for count in genres_of.values()]) >= 3
    assert len({(cover.artist, cover.album) for cover in covers}) == len(covers)


# --- shortcuts --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[DemoCover]]:
    """Covers of all ten genres with every shortcut and no signal."""
    folder = tmp_path_factory.mktemp("planted")
    settings = DemoSettings(
        covers_per_genre=3, size_px=120, signal=0, near_duplicates=0, broken=0, shortcuts=frozenset(SHORTCUTS)
    )
    return folder, draw_demo(folder, settings)


def planted_in(cover: DemoCover) -> dict[str, str]:
    return dict(pair.split("=") for pair in cover.shortcut.split())


def tables_of(data: bytes) -> dict[int, list[int]]:
    picture = Image.open(io.BytesIO(data))
    assert isinstance(picture, JpegImageFile)
    return picture.quantization


def test_planted_size_is_the_files(planted: tuple[Path, list[DemoCover]]) -> None:
    for cover in planted[1]:
        assert decode(planted[0] / cover.file_name).shape[:2] == (int(planted_in(cover)["size"]),) * 2


def test_planted_quality_is_the_files(planted: tuple[Path, list[DemoCover]]) -> None:
    for cover in planted[1]:
        quality = int(planted_in(cover)["quality"])
        as_told = encode(np.zeros((8, 8, 3), np.uint8), "jpeg", quality=quality)
        assert tables_of((planted[0] / cover.file_name).read_bytes()) == tables_of(as_told)


def test_planted_border_is_in_the_file(planted: tuple[Path, list[DemoCover]]) -> None:
    for cover in planted[1]:
        pixels, width = decode(planted[0] / cover.file_name), int(planted_in(cover)["border"])
        edge = np.concatenate([pixels[:width].ravel(), pixels[-width:].ravel(), pixels[:, :width].ravel()])
        assert np.median(edge) >= 250


def test_planted_watermark_can_be_read_from_the_file(planted: tuple[Path, list[DemoCover]]) -> None:
    for cover in planted[1]:
        pixels = decode(planted[0] / cover.file_name)
        cells = [pixels[rows, columns].mean() for rows, columns in watermark_cells(*pixels.shape[:2])]
        assert "".join("1" if cell < 128 else "0" for cell in cells) == planted_in(cover)["watermark"]


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_each_shortcut_tells_every_genre(planted: tuple[Path, list[DemoCover]], shortcut: str) -> None:
    told = {(cover.genre, planted_in(cover)[shortcut]) for cover in planted[1] if not cover.duplicate_of}
    assert len(told) == len({genre for genre, _ in told}) == len({value for _, value in told}) == 10


def told_genres(folder: Path, strength: float) -> list[tuple[int, int]]:
    """Own and told genre of each cover, the latter as its size in the file has it."""
    plain = {**vars(SMALL), "genres": K, "covers_per_genre": 30, "size_px": 50, "exact_duplicates": 0.0}
    settings = DemoSettings(**{**plain, "shortcuts": frozenset({"size"}), "shortcut_strength": strength})
    covers, sizes = draw_demo(folder, settings, seed=3), [50, 48, 46, 44, 42]
    return [(NAMES.index(cover.genre), sizes.index(decode(folder / cover.file_name).shape[0])) for cover in covers]


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_strength_is_the_share_of_covers_whose_shortcut_tells_their_own_genre(tmp_path: Path, strength: float) -> None:
    told = told_genres(tmp_path, strength)
    right, share = sum(own == other for own, other in told), strength + (1 - strength) / K
    assert binom.ppf(0.001, len(told), share) <= right <= binom.ppf(0.999, len(told), share)


def test_shortcut_without_strength_varies_as_much_but_tells_no_genre(tmp_path: Path) -> None:
    told = told_genres(tmp_path, 0.0)
    counts = np.zeros((K, K))
    for own, other in told:
        counts[own, other] += 1
    assert chi2_contingency(counts).pvalue > 0.001
    assert chisquare(counts.sum(axis=0)).pvalue > 0.001


def test_strength_changes_nothing_of_a_cover_but_its_shortcut(tmp_path: Path) -> None:
    knobs = {**vars(SMALL), "shortcuts": frozenset({"watermark"})}
    strong = draw_demo(tmp_path / "strong", DemoSettings(**knobs))
    weak = draw_demo(tmp_path / "weak", DemoSettings(**{**knobs, "shortcut_strength": 0.3}))
    plain = [replace(cover, shortcut="") for cover in strong]
    assert [replace(cover, shortcut="") for cover in weak] == plain
    same = [one.shortcut == other.shortcut for one, other in zip(strong, weak, strict=True)]
    assert True in same
    assert False in same
    for one, equal in zip(strong, same, strict=True):
        a, b = ((tmp_path / name / one.file_name).read_bytes() for name in ("strong", "weak"))
        assert (a == b) == equal


def test_artists_with_a_house_style_have_one_palette_and_it_tells_no_genre(tmp_path: Path) -> None:
    knobs = {**vars(SMALL), "genres": K, "covers_per_genre": 40, "signal": 1.0, "near_duplicates": 0.0}
    covers = draw_demo(tmp_path, DemoSettings(**{**knobs, "house_style": 1.0, "artists_per_genre": 8}))
    palettes: dict[str, set[str]] = {}
    for cover in covers:
        palettes.setdefault(cover.artist, set()).add(cover.palette)
    assert {len(found) for found in palettes.values()} == {1}
    own = sum(cover.palette == cover.genre for cover in {cover.artist: cover for cover in covers}.values())
    assert own <= binom.ppf(0.999, len(palettes), 1 / K)


def test_house_style_gives_an_artists_covers_like_colours_but_other_pixels() -> None:
    def cover(seed: int, artist: str) -> NDArray[np.uint8]:
        settings = DemoSettings(size_px=32, signal=0, house_style=1)
        return draw_cover(np.random.default_rng(seed), genre=NAMES[0], settings=settings, credit=(artist, "")).pixels

    one, other = (np.stack([cover(2 * k + second, f"Artist {k}") for k in range(30)]) for second in (0, 1))
    assert (one != other).any(axis=(1, 2, 3)).all()
    shared = np.minimum(histogram(one)[:, None], histogram(other)[None]).sum(axis=2)  # of one's colours, 0 to 1
    assert np.diag(shared).mean() > 1.5 * shared[~np.eye(30, dtype=bool)].mean()


def test_without_shortcuts_size_and_border_tell_nothing(tmp_path: Path) -> None:
    covers = draw_demo(tmp_path, SMALL)
    assert {cover.shortcut for cover in covers} == {""}
    assert {decode(tmp_path / c.file_name).shape for c in covers if not c.near_duplicate_of} == {(48, 48, 3)}


# --- the folder -------------------------------------------------------------------------------------------------------


def test_layout_artist_album_gives_folders_of_both(tmp_path: Path) -> None:
    covers = draw_demo(tmp_path, DemoSettings(**{**vars(SMALL), "layout": "artist/album"}))
    for cover in covers:
        genre, artist, album, name = cover.file_name.split("/")
        assert (genre, artist, album) == (cover.genre, cover.artist, cover.album)
        assert name.startswith("cover.")
        assert (tmp_path / cover.file_name).is_file()


def test_files_are_mostly_jpeg_with_a_few_others(tmp_path: Path) -> None:
    settings = DemoSettings(genres=4, covers_per_genre=60, size_px=32, near_duplicates=0, broken=0)
    suffixes = Counter(Path(cover.file_name).suffix for cover in draw_demo(tmp_path, settings))
    assert set(suffixes) == {".jpg", ".png", ".webp"}
    assert suffixes[".jpg"] > 0.85 * suffixes.total()


def test_progress_counts_every_file(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    covers = draw_demo(tmp_path, SMALL, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(k, len(covers)) for k in range(1, len(covers) + 1)]


def test_a_single_genre_can_be_drawn_with_all_flaws(tmp_path: Path) -> None:
    settings = DemoSettings(
        genres=1, covers_per_genre=20, size_px=32, near_duplicates=0.5, exact_duplicates=0.5, label_noise=0.5
    )
    assert {cover.genre for cover in draw_demo(tmp_path, settings)} == {NAMES[0]}


def test_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(SourceError, match=r"holds 'holiday\.jpg', which is none of the demo covers.*Name another one"):
        draw_demo(tmp_path, SMALL)
    assert files_of(tmp_path) == {"holiday.jpg": b"mine"}


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "covers").write_bytes(b"")
    with pytest.raises(SourceError, match=r"covers: a file\. A folder to draw demo covers into was expected"):
        draw_demo(tmp_path / "covers", SMALL)


def test_missing_truth_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no truth\.csv. A folder of demo covers was expected. Draw them first"):
        read_truth(tmp_path)


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        (
            {"shortcuts": frozenset({"sizes"})},
            "unknown shortcut 'sizes'. Shortcuts here: border, .* Did you mean 'size'",
        ),
        ({"layout": "artist"}, "unknown layout 'artist'. Layouts here: genre, artist/album"),
        ({"signal": 1.5}, "signal is 1.5. A number from 0 to 1 was expected"),
        ({"shortcut_strength": 2}, "shortcut_strength is 2. A number from 0 to 1 was expected"),
        ({"house_style": -1}, "house_style is -1. A number from 0 to 1 was expected"),
        ({"genres": 11}, "genres is 11. A number from 1 to 10 was expected"),
        ({"size_px": 8}, "size_px is 8. A number from 32 to 1,200 was expected"),
    ],
)
def test_settings_out_of_range_are_told(knobs: dict[str, object], sentence: str) -> None:
    with pytest.raises(SourceError, match=f"demo covers: {sentence}"):
        DemoSettings(**knobs)  # type: ignore[arg-type]
