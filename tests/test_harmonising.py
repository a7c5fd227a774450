"""Harmonising and disguises: one path for all covers, and another file's properties for one."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from covers_for_tests import GENRES, draw
from sleevenotes import cli
from sleevenotes.collect.disguises import disguise, disguised, drawn, words_of
from sleevenotes.collect.harmonising import HarmoniseSettings, collections_of, default_size, harmonise
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import JpegForm, Pixels, decode, encode, resize, sha256
from sleevenotes.covers.properties import SWAYED, file_properties, properties_of
from sleevenotes.covers.splits import split
from sleevenotes.errors import DatasetError

HARD = JpegForm("4:4:4", progressive=True)


def two_collections(folder: Path, covers: int = 48) -> Dataset:
    """Two genres out of two collections: one of PNGs of 48 px, one of hard JPEGs of 40 px and up, and oblong."""
    rng = np.random.default_rng(5)
    columns: dict[str, list[str]] = {
        name: [] for name in ("file_name", "genres", "artist", "source", "collection", "group", "split", "sha256")
    }
    for index in range(covers):
        genre, pixels = index % 2, draw(index % 2, rng)
        if genre:
            data = encode(resize(pixels, (40, 44 + index % 5)), "jpeg", quality=40, jpeg=HARD)
        else:
            data = encode(pixels, "png")
        name = f"images/{GENRES[genre]}/R-{index}-{'abc' * (index % 3)}.{'jpg' if genre else 'png'}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        told = (name, GENRES[genre], f"artist {index}", name.removeprefix("images/"), ["one", "two"][genre])
        for key, value in zip(columns, (*told, f"g{index}", "", sha256(data)), strict=True):
            columns[key].append(value)
    dataset = from_columns(folder, columns)
    dataset.write()
    with pytest.warns(UserWarning, match="only"):
        split(dataset, by="artist")
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Dataset:
    return two_collections(tmp_path_factory.mktemp("sources") / "dataset")


def problems_in(folder: Path) -> list[dict[str, str]]:
    with (folder / "problems.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def change(dataset: Dataset, row: int, data: bytes) -> Dataset:
    """The dataset with another file in one row."""
    dataset.path(row).write_bytes(data)
    hashes = dataset.column("sha256")
    hashes[row] = sha256(data)
    changed = dataset.with_columns(sha256=hashes)
    changed.write()
    return Dataset.open(dataset.folder)


# what harmonising promises


def test_two_collections_can_not_be_told_apart_by_their_files_any_more(sources, tmp_path):
    before, after = properties_of(sources), properties_of(harmonise(sources, tmp_path / "new").dataset)
    apart = np.array([name not in SWAYED for name in before.columns])
    genres = np.array([genres[0] for genres in sources.genre_lists])
    telling = [len(np.unique(before.values[genres == genre][:, apart], axis=0)) for genre in GENRES[:2]]
    assert min(telling) > 1  # files differed within genres, too
    assert len(np.unique(np.nan_to_num(after.values[:, apart], nan=-1), axis=0)) == 1


def test_everything_is_shrunk_to_the_smallest_size_that_suits_every_collection(sources, tmp_path):
    done = harmonise(sources, tmp_path / "new")
    assert done.state["size_px"] == 40
    assert {decode(path).shape for path in done.dataset.paths} == {(40, 40, 3)}
    assert set(done.dataset.covers["width"]) == set(done.dataset.covers["height"]) == {40}
    assert done.dataset.column("sha256") == [sha256(path.read_bytes()) for path in done.dataset.paths]


def test_a_cover_is_what_models_see_of_it_written_once(sources, tmp_path):
    done = harmonise(sources, tmp_path / "new", HarmoniseSettings(size_px=32, quality=60))
    for row, path in list(zip(done.rows, done.dataset.paths, strict=True))[:6]:
        assert path.read_bytes() == encode(resize(decode(sources.path(int(row))), 32), "jpeg", quality=60)


def test_rows_columns_and_sides_stay(sources, tmp_path):
    done = harmonise(sources, tmp_path / "new")
    same = [name for name in sources.covers.columns if name not in ("file_name", "sha256", "width", "height")]
    assert done.dataset.covers.select(same).equals(sources.covers.select(same))
    assert done.rows.tolist() == list(range(len(sources)))
    kept = split(done.dataset)
    assert kept.kept
    assert "kept as it is" in kept.lines[0]
    assert kept.dataset.column("split") == sources.column("split")


def test_new_names_tell_nothing_of_genres(sources, tmp_path):
    """Numbers are a shuffle: over seeds, ranks of one genre's numbers are as chance deals them."""
    rock = np.array([genres[0] == GENRES[0] for genres in sources.genre_lists])
    scores = []
    for seed in range(4):
        done = harmonise(sources, tmp_path / "new", HarmoniseSettings(size_px=16, seed=seed))
        assert all(name.startswith("images/0000") and len(name) == 17 for name in done.dataset.file_names)
        numbers = np.array([int(Path(name).stem) for name in done.dataset.file_names])
        assert sorted(numbers) == list(range(1, len(sources) + 1))
        scores.append((numbers[rock].mean() - numbers[~rock].mean()) / len(sources))
    # the difference of two means of 24 of 48 numbers has a deviation of 1 / √12 · √(2 / 24) = 0.083 of their range
    assert np.abs(scores).max() < 4 * 0.083
    assert len(set(scores)) == 4


def test_the_same_seed_makes_the_same_bytes(sources, tmp_path):
    one, two = (harmonise(sources, tmp_path / name) for name in ("one", "two"))
    for path in one.dataset.folder.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (two.dataset.folder / path.relative_to(one.dataset.folder)).read_bytes()


def test_done_once_it_is_found_done_and_other_settings_make_it_anew(sources, tmp_path):
    first = harmonise(sources, tmp_path / "new")
    stamps = {path: path.stat().st_mtime_ns for path in first.dataset.folder.rglob("*")}
    again = harmonise(sources, tmp_path / "new")
    assert (first.fresh, again.fresh) == (True, False)
    assert "already" in again.lines[0]
    assert {path: path.stat().st_mtime_ns for path in first.dataset.folder.rglob("*")} == stamps
    assert again.dataset.covers.equals(first.dataset.covers)
    other = harmonise(sources, tmp_path / "new", HarmoniseSettings(size_px=20))
    assert other.fresh
    assert {decode(path).shape for path in other.dataset.paths} == {(20, 20, 3)}
    assert len(list((tmp_path / "new" / "images").iterdir())) == len(sources)


def test_a_changed_dataset_or_a_lost_cover_is_made_anew(tmp_path):
    dataset = two_collections(tmp_path / "dataset", covers=24)
    done = harmonise(dataset, tmp_path / "new")
    done.dataset.path(0).unlink()
    assert harmonise(dataset, tmp_path / "new").fresh
    changed = change(dataset, 0, encode(np.full((60, 60, 3), 7, np.uint8), "png"))
    after = harmonise(changed, tmp_path / "new")
    assert after.fresh
    assert decode(after.dataset.path(0)).mean() == pytest.approx(7, abs=2)


def test_one_that_was_killed_goes_on(sources, tmp_path):
    def killed(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        harmonise(sources, tmp_path / "new", progress=killed)
    assert not (tmp_path / "new" / "metadata.csv").exists()
    assert harmonise(sources, tmp_path / "new").fresh


def test_progress_counts_all_covers(sources, tmp_path):
    told: list[tuple[int, int]] = []
    harmonise(sources, tmp_path / "new", progress=lambda done, total: told.append((done, total)))
    assert told == [(number, len(sources)) for number in range(1, len(sources) + 1)]


def test_what_was_done_stands_in_words_numbers_and_a_picture(sources, tmp_path):
    done = harmonise(sources, tmp_path / "new", HarmoniseSettings(quality=70))
    state = json.loads((tmp_path / "new" / "harmonise.json").read_text(encoding="utf-8"))
    assert (state["size_px"], state["quality"], state["subsampling"], state["covers"]) == (40, 70, "4:2:0", 48)
    assert state["dataset"]["fingerprint"] == sources.fingerprint
    assert state["finished"]
    assert str(tmp_path) not in json.dumps(state)
    assert "quality 70" in " ".join(done.lines)
    assert decode(tmp_path / "new" / "harmonised.png").shape[1] > 700
    assert problems_in(tmp_path / "new") == []


def test_covers_that_are_not_shrunk_are_told_with_a_size_that_shrinks_them(sources, tmp_path):
    said = " ".join(harmonise(sources, tmp_path / "new").lines)
    assert "24 of 48 covers have a side of 40 px already" in said
    assert "`--size 32` shrinks them" in said
    assert "already" not in " ".join(harmonise(sources, tmp_path / "other", HarmoniseSettings(size_px=32)).lines)


# what is left out


def test_small_and_broken_covers_are_left_out_named_and_counted(tmp_path):
    dataset = two_collections(tmp_path / "dataset", covers=40)
    dataset = change(dataset, 2, encode(np.zeros((12, 90, 3), np.uint8), "png"))
    dataset = change(dataset, 5, b"<html>404</html>")
    sides = dict(zip(dataset.column("source"), dataset.column("split"), strict=True))
    done = harmonise(dataset, tmp_path / "new")
    assert done.state["left_out"] == {"smaller": 1, "unreadable": 1}
    assert done.state["size_px"] == 40  # one small cover of twenty does not decide
    assert [row["source"] for row in problems_in(tmp_path / "new")] == [dataset.file_names[row] for row in (2, 5)]
    assert "12 px" in problems_in(tmp_path / "new")[0]["problem"]
    assert "HTML" in problems_in(tmp_path / "new")[1]["problem"]
    assert done.rows.tolist() == [row for row in range(40) if row not in (2, 5)]
    assert harmonise(dataset, tmp_path / "new").rows.tolist() == done.rows.tolist()
    assert {name: sides[name] for name in done.dataset.column("source")} == dict(
        zip(done.dataset.column("source"), done.dataset.column("split"), strict=True)
    )


def test_the_split_is_counted_anew_where_covers_were_left_out(tmp_path):
    dataset = two_collections(tmp_path / "dataset", covers=40)
    split_before = dataset.settings
    row = dataset.column("split").index("test")
    changed = change(dataset, row, encode(np.zeros((12, 90, 3), np.uint8), "png"))
    with pytest.warns(UserWarning, match="only"):
        split(changed)  # the table was changed, so that its fingerprint is another
    done = harmonise(Dataset.open(dataset.folder), tmp_path / "new")
    told = done.dataset.settings
    assert told["covers"]["test"] == split_before["covers"]["test"] - 1
    assert sum(sides["test"] for sides in told["counts"].values()) == told["covers"]["test"]
    assert any("left out when this dataset was harmonised" in note for note in told["notes"])
    assert split(done.dataset).kept


def test_the_default_size_suits_ninety_nine_of_a_hundred():
    def sized(genres: list[str], sides: list[int]) -> int:
        names = [f"{index}.jpg" for index in range(len(sides))]
        return default_size(from_columns(Path("x"), {"file_name": names, "genres": genres}), sides)

    assert sized(["a"] * 200, [300] * 198 + [80, 90]) == 300
    assert sized(["a"] * 200, [300] * 197 + [80, 90, 95]) == 95
    assert sized(["a"] * 100 + ["b"] * 10, [300] * 100 + [150] * 10) == 150
    assert sized(["a"] * 3, [900, 40, 700]) == 40  # too few for an exception
    assert sized(["a", "b"], [900, 800]) == 512
    assert sized(["a", "b"], [900, 0]) == 512  # one that can't be read decides nothing


def test_a_collection_is_the_column_of_that_name(sources, single):
    assert set(collections_of(sources)) == {"one", "two"}
    assert set(collections_of(single)) == {""}


# wrong turns


def test_a_size_that_costs_a_genre_half_of_its_covers_is_refused_with_one_that_does_not(sources, tmp_path):
    with pytest.raises(DatasetError, match=r"24 of 24 covers of genre 'jazz'.*`--size 40` would do"):
        harmonise(sources, tmp_path / "new", HarmoniseSettings(size_px=48))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (HarmoniseSettings(size_px=15), r"--size: 15 px\. 16 to 4,096 px"),
        (HarmoniseSettings(size_px=5000), r"--size: 5,000 px"),
        (HarmoniseSettings(quality=0), "--quality: 0. 1 to 100"),
        (HarmoniseSettings(quality=101), "--quality: 101"),
    ],
)
def test_settings_out_of_range_are_refused(sources, tmp_path, asked, said):
    with pytest.raises(DatasetError, match=said):
        harmonise(sources, tmp_path / "new", asked)


def test_a_dataset_without_covers_is_refused(sources, tmp_path):
    with pytest.raises(DatasetError, match="no covers in its table"):
        harmonise(sources.where([False] * len(sources)), tmp_path / "new")


def test_a_folder_that_is_not_ours_is_left_alone(sources, tmp_path):
    with pytest.raises(DatasetError, match="the dataset itself"):
        harmonise(sources, sources.folder)
    with pytest.raises(DatasetError, match="it lies in the dataset"):
        harmonise(sources, sources.folder / "new")
    with pytest.raises(DatasetError, match="the dataset lies in it"):
        harmonise(sources, sources.folder.parent)
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"it holds something else \(letter\.txt\)"):
        harmonise(sources, tmp_path)
    with pytest.raises(DatasetError, match=r"letter\.txt: a file"):
        harmonise(sources, tmp_path / "letter.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_harmonised_from_another_dataset_is_left_alone(sources, single, tmp_path):
    harmonise(sources, tmp_path / "new")
    with pytest.raises(DatasetError, match=r"harmonised from another dataset, 'sources\d*'"):
        harmonise(single, tmp_path / "new")
    (tmp_path / "new" / "harmonise.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match="no valid JSON"):
        harmonise(sources, tmp_path / "new")


def test_a_dataset_of_broken_covers_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no cover")
    dataset = from_columns(tmp_path, {"file_name": ["a.jpg"], "genres": ["rock"]})
    with pytest.raises(DatasetError, match="none of 1 covers can be read"):
        harmonise(dataset, tmp_path.parent / "new-of-broken")


def test_the_verb_says_what_was_done_or_why_not(sources, tmp_path, monkeypatch, capsys):
    def said(*options: str) -> tuple[int, str]:
        monkeypatch.setattr(
            sys, "argv", ["sleevenotes", "harmonise", str(sources.folder), "-o", str(tmp_path / "new"), *options]
        )
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        told = capsys.readouterr()
        return code, told.out + told.err

    code, words = said("--size", "32", "--quality", "80")
    assert code == 0
    assert "squeezed to 32 × 32 px" in words
    assert (said("--size", "8")[0], said("--quality", "200")[0]) == (1, 1)
    code, words = said("--size", "48")
    assert code == 1
    assert words.startswith("error: --size 48: 24 of 24 covers of genre 'jazz' are smaller")
    assert Dataset.open(tmp_path / "new").covers["width"].to_list() == [32] * len(sources)


# disguises


@settings(max_examples=15)
@given(
    st.integers(8, 60),
    st.integers(8, 60),
    st.integers(1, 100),
    st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    st.booleans(),
)
def test_a_disguised_cover_has_the_properties_of_the_other(height, width, quality, subsampling, progressive):
    form = JpegForm(subsampling, progressive)
    like = file_properties(encode(noise(height, width), "jpeg", quality=quality, jpeg=form), "like.jpg")
    seen = file_properties(disguise(noise(50, 50, seed=1), like), "like.jpg")
    assert seen.jpeg == like.jpeg
    assert (seen.width, seen.height, seen.format) == (width, height, "jpeg")


def test_noise_at_the_highest_quality_can_be_disguised():
    like = file_properties(encode(noise(300, 300), "jpeg", quality=100, jpeg=HARD), "like.jpg")
    assert file_properties(disguise(noise(300, 300, seed=1), like), "a.jpg").jpeg == like.jpeg


def test_a_disguise_as_anything_but_jpeg_is_a_png_of_its_size():
    like = file_properties(encode(noise(20, 30), "webp"), "like.webp")
    seen = file_properties(disguise(encode(noise(50, 50), "png"), like), "a.png")
    assert (seen.format, seen.width, seen.height) == ("png", 30, 20)
    assert words_of(like) == "30 × 20 px, PNG"


def test_a_grey_jpeg_gives_its_table_and_leaves_the_colours():
    grey = bytearray(encode(noise(20, 20), "jpeg", quality=50))
    like = file_properties(bytes(grey), "a.jpg")
    assert like.jpeg is not None
    jpeg = like.jpeg.__class__(luma=like.jpeg.luma, tables=1, subsampling="gray")
    red = np.zeros((40, 40, 3), np.uint8) + np.array([200, 10, 10], np.uint8)
    made = disguise(red, like.__class__("jpeg", 20, 20, 1, "a.jpg", jpeg))
    assert np.abs(decode(made).astype(int) - [200, 10, 10]).max() < 12


def test_covers_take_the_properties_of_the_others_in_order(sources):
    rows, others = list(range(0, 12, 2)), list(range(1, 24, 2))
    likes = drawn(rows, [others] * len(rows), 3)
    assert likes == drawn(rows, [others] * len(rows), 3) != drawn(rows, [others] * len(rows), 4)
    made = [file_properties(data, "a") for data in disguised(sources, rows, likes)]
    seen = [file_properties(sources.path(row).read_bytes(), "a") for row in likes]
    assert [(each.width, each.height, each.jpeg) for each in made] == [(a.width, a.height, a.jpeg) for a in seen]


@given(st.lists(st.integers(0, 30), min_size=2, max_size=12, unique=True), st.integers(0, 2**32 - 1))
def test_no_cover_is_disguised_as_itself_where_there_is_another(pool, seed):
    found = drawn(pool, [pool] * len(pool), seed)
    assert all(row != other for row, other in zip(pool, found, strict=True))
    assert set(found) <= set(pool)


def test_a_cover_alone_takes_its_own_properties_and_an_empty_pool_is_a_bug(sources):
    assert drawn([4], [[4]]) == [4]
    with pytest.raises(ValueError, match="no others to take properties of"):
        drawn([4], [[]])
    assert list(disguised(sources, [], [])) == []


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
