from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sleevenotes.covers import check as checking
from sleevenotes.covers.check import check, fingerprint, near_duplicates, rows
from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import Pixels, decode, encode, resize, sha256
from sleevenotes.covers.splits import split
from sleevenotes.errors import SleevenotesWarning


def picture(seed: int, height: int = 80, width: int = 80) -> Pixels:
    """A cover that no other seed has."""
    grain = np.random.default_rng(seed).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return resize(grain, (height, width))


def dataset_of(folder: Path, files: Mapping[str, bytes], genres: list[str], **columns: list[str]) -> Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    hashes = [sha256(data) for data in files.values()]
    dataset = from_columns(folder, {"file_name": list(files), "genres": genres, "sha256": hashes, **columns})
    dataset.write()
    return dataset


@pytest.fixture
def troubled(tmp_path: Path) -> Dataset:
    """Ten covers with all that can be wrong with them."""
    png = [encode(picture(seed), "png") for seed in range(6)]
    files = {
        "a.png": png[0],
        "a again.png": png[0],
        "b.png": png[1],
        "b small.jpg": encode(resize(picture(1), 60), "jpeg", quality=60),
        "c.png": png[2],
        "wide.png": encode(picture(7, 40, 100), "png"),
        "broken.png": png[3][:200],
        "gone.png": png[4],
        "changed.png": png[5],
        "text.jpg": b"no picture at all",
    }
    genres = ["rock", "rock", "rock", "folk", "rock;pop", "", "folk", "folk", "folk", "folk"]
    artists = ["Yes", "yes", "Eno", "Eno", "Various", "", "", "", "", ""]
    dataset = dataset_of(tmp_path, files, genres, artist=artists, album=["Relayer", "Relayer", *[""] * 8])
    (tmp_path / "gone.png").unlink()
    (tmp_path / "changed.png").write_bytes(encode(picture(9), "png"))
    said = "x/1.jpg: byte for byte the same as y/1.jpg. They are one cover, with all their genres."
    (tmp_path / "problems.csv").write_text(f'source,problem\nx/1.jpg,"{said}"\nx/2.jpg,x/2.jpg: an empty file.\n')
    return dataset


def test_check_tells_all_that_is_wrong(troubled: Dataset) -> None:
    told: list[tuple[int, int]] = []
    report = check(troubled, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 10) for done in range(1, 11)]
    assert report["covers"] == 10
    assert report["genres"] == {"folk": 5, "pop": 1, "rock": 4}
    assert report["few_covers"] == report["genres"]
    assert (report["without_genre"], report["several_genres"]) == (1, 1)
    assert report["sizes"]["width"] == {"min": 60, "median": 80, "max": 100}
    assert report["sizes"]["not_square"] == 1
    assert report["sizes"]["smallest"][0] == {"file_name": "b small.jpg", "width": 60, "height": 60}
    broken = {problem["file_name"]: problem["problem"] for problem in report["broken"]}
    assert list(broken) == ["broken.png", "gone.png", "text.jpg"]
    assert broken["gone.png"] == "gone.png: not there."
    assert "broken.png" in broken["broken.png"]
    assert report["changed"] == ["changed.png"]
    assert report["collected"] == {"merged": 1, "left_out": 1}
    assert report["exact_duplicates"] == [["a.png", "a again.png"]]
    pairs = report["near_duplicates"]["pairs"]
    assert [(pair["a"], pair["b"], pair["differ"]) for pair in pairs] == [
        ("a.png", "a again.png", False),
        ("b.png", "b small.jpg", True),
    ]
    assert report["near_duplicates"]["clusters"][1] == {
        "covers": ["b.png", "b small.jpg"],
        "genres": ["folk", "rock"],
        "differ": True,
    }
    assert report["across_genres"] == {"clusters": 1, "covers": 2}
    assert report["artists"] == {"covers": 4, "different": 2}
    assert report["releases"] == {"covers": 2, "different": 1}


def test_check_writes_what_it_found_and_a_sheet_of_the_pairs(troubled: Dataset) -> None:
    report = check(troubled)
    stored = (troubled.folder / "check.json").read_bytes()
    assert json.loads(stored) == report
    assert report["sheet"] == "check.png"
    sheet = decode(troubled.folder / "check.png")
    assert sheet.shape[1] > 4 * 160
    check(troubled)
    assert (troubled.folder / "check.json").read_bytes() == stored


def test_check_of_clean_covers_leaves_no_sheet(tmp_path: Path) -> None:
    files = {f"{seed}.png": encode(picture(seed), "png") for seed in range(4)}
    dataset = dataset_of(tmp_path, files, ["folk", "rock"] * 2)
    (tmp_path / "check.png").write_bytes(b"of an earlier check")
    report = check(dataset)
    assert report["sheet"] is None
    assert not (tmp_path / "check.png").exists()
    assert report["near_duplicates"] == {"pairs": [], "clusters": [], "covers": 0}
    assert report["collected"] == {"merged": None, "left_out": None}


def test_check_takes_a_dataset_of_which_nothing_can_be_read(tmp_path: Path) -> None:
    report = check(dataset_of(tmp_path, {"a.png": b"", "b.png": b"x"}, ["folk", "rock"]))
    assert len(report["broken"]) == 2
    assert report["sizes"] == {"width": None, "height": None, "smallest": [], "not_square": 0}
    assert [row[:2] for row in rows(report)][-4:] == [
        ("near-duplicates", "0"),
        ("  under different genres", "0"),
        ("artists", "0"),
        ("releases", "0"),
    ]


def test_rows_say_it_in_a_table(troubled: Dataset) -> None:
    found = {what: (figure, note) for what, figure, note in rows(check(troubled))}
    assert found["covers"] == ("10", "3 genres")
    assert found["  folk"] == ("5", "50%")
    assert found["of several genres"] == ("1", "10%")
    assert found["without a genre"] == ("1", "left out of every split")
    assert found["genres with few covers"] == ("3", "fewer than 20 covers: folk (5), rock (4), pop (1)")
    assert found["size in px"] == ("80 × 80", "in the middle; smallest 60 × 60 (b small.jpg)")
    assert found["broken files"] == ("3", "broken.png, gone.png, text.jpg")
    assert found["changed files"] == ("1", "changed.png")
    assert found["left out by collect"] == ("1", "see problems.csv")
    assert found["exact duplicates"] == ("1", "surplus files here; collect merged 1")
    assert found["near-duplicates"] == ("4", "covers, in 2 clusters; 2 pairs")
    assert found["  under different genres"] == ("2", "covers, in 1 cluster")
    assert found["artists"] == ("2", "known for 4 of 10 covers")


def test_rows_count_the_genres_that_they_do_not_name(tmp_path: Path) -> None:
    report = check(dataset_of(tmp_path, {"a.png": b"x"}, [";".join(f"genre {number:02}" for number in range(25))]))
    assert ("  and more", "5", "genres on 1 cover or fewer") in rows(report)


def test_near_duplicates_are_not_sought_again_while_the_covers_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{seed % 3}-{seed}.jpg": encode(picture(seed % 3), "jpeg", quality=50 + seed) for seed in range(4)}
    dataset = dataset_of(tmp_path, files, ["folk", "rock"] * 2)
    sought = near_duplicates(dataset)
    assert [(pair.a, pair.b) for pair in sought] == [(0, 3)]
    check(dataset)
    monkeypatch.setattr(checking, "find", lambda _: pytest.fail("sought again"))
    assert near_duplicates(dataset) == sought
    assert near_duplicates(dataset.with_columns(genres=["pop"] * 4, split=["train"] * 4)) == sought
    with pytest.raises(pytest.fail.Exception, match="sought again"):
        near_duplicates(dataset.where([True, True, True, False]))
    (tmp_path / "check.json").write_text("{}")
    with pytest.raises(pytest.fail.Exception, match="sought again"):
        near_duplicates(dataset)


def test_near_duplicates_warn_of_covers_that_can_not_be_read(troubled: Dataset) -> None:
    with pytest.warns(SleevenotesWarning, match="3 covers can't be read"):
        pairs = near_duplicates(troubled)
    assert [(pair.a, pair.b) for pair in pairs] == [(0, 1), (2, 3)]


def test_fingerprint_is_that_of_the_files_where_the_table_has_no_hashes(tmp_path: Path) -> None:
    files = {f"{seed}.png": encode(picture(seed), "png") for seed in range(2)}
    dataset = dataset_of(tmp_path, files, ["folk", "rock"])
    bare = dataset.with_columns(sha256=["", ""])
    assert fingerprint(bare) == fingerprint(dataset)
    before = fingerprint(dataset)
    (tmp_path / "0.png").write_bytes(files["1.png"])
    assert fingerprint(Dataset.open(tmp_path)) != before


def test_split_after_check_keeps_near_duplicates_in_pictures_on_one_side(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = {}
    for seed in range(20):
        whole = picture(seed)
        files[f"{seed:02}.png"] = encode(whole, "png")
        cut = int(rng.integers(3, 6))
        files[f"{seed:02} cut.jpg"] = encode(whole[cut:-cut, cut:-cut], "jpeg", quality=70)
    dataset = dataset_of(tmp_path, files, ["folk", "folk", "rock", "rock"] * 10)
    check(dataset)
    with pytest.warns(SleevenotesWarning, match="only 8 covers in test"):
        result = split(dataset)
    sides = result.dataset.column("split")
    assert sides[::2] == sides[1::2]
    assert result.settings["groups"] == 20
