"""The table of covers: what is read, what is refused and in which words, and that nothing is lost in writing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from sleevenotes.covers.dataset import (
    COLUMNS,
    CSV_NAME,
    PARQUET_NAME,
    Dataset,
    complete,
    from_columns,
    table_path,
)
from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.images import sha256
from sleevenotes.errors import DatasetError

DIGEST = "ab" * 32


def folder_with(folder: Path, table: str, *names: str) -> Path:
    """A folder with a table, and files of one byte each under the names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    (folder / CSV_NAME).write_text(table, encoding="utf-8")
    return folder


def test_a_table_of_two_columns_is_enough(tmp_path: Path):
    folder_with(tmp_path, "file_name,genres\na.jpg,rock; pop\nb.jpg,\n", "a.jpg", "b.jpg")
    dataset = Dataset.open(tmp_path)
    assert dataset.covers.columns == list(COLUMNS)
    assert dataset.genre_lists == [("rock", "pop"), ()]
    assert dataset.genres == ["pop", "rock"]
    assert dataset.column("artist") == ["", ""]
    assert dataset.covers["width"].dtype == pl.Int64
    assert len(dataset) == 2
    assert dataset.path(1) == dataset.paths[1] == tmp_path / "b.jpg"


def test_columns_stand_in_one_order_and_further_ones_are_kept_after_them(tmp_path: Path):
    folder_with(tmp_path, "label,genres,file_name,artist\nBlue Note,jazz,a.jpg,Monk\n", "a.jpg")
    dataset = Dataset.open(tmp_path)
    assert dataset.covers.columns == [*COLUMNS, "label"]
    dataset.write()
    assert Dataset.open(tmp_path).column("label") == ["Blue Note"]
    assert Dataset.open(tmp_path).column("artist") == ["Monk"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (",rock,,,,", "row 3: no file name"),
        ("   ,rock,,,,", "row 3: no file name"),
        ("../a.jpg,rock,,,,", r"row 3: '\.\./a\.jpg' leads out of the dataset's folder"),
        ("/etc/passwd,rock,,,,", "row 3: '/etc/passwd' leads out of the dataset's folder"),
        ("x\\a.jpg,rock,,,,", "row 3: .* leads out of the dataset's folder"),
        ("gone.jpg,rock,,,,", r"row 3: 'gone\.jpg' is not there"),
        ("good.jpg,rock,,,,", r"row 3: 'good\.jpg' stands in row 2 already"),
        ("b.jpg,rock,trian,,,", "row 3: unknown split 'trian', known are train, valid, test or nothing"),
        ("b.jpg,rock,,1234,,", "row 3: sha256 '1234…' is not 64 hexadecimal digits"),
        ("b.jpg,rock,,,wide,", "row 3: width 'wide' is no number of px"),
        ("b.jpg,rock,,,,-5", "row 3: height '-5' is no number of px"),
        ("b.jpg,rock,,,,0", "row 3: height '0' is no number of px"),
        ("b.jpg,rock,,,1.5,", r"row 3: width '1\.5' is no number of px"),
    ],
)
def test_a_bad_row_is_told_with_the_number_that_a_spreadsheet_shows(tmp_path: Path, row: str, told: str):
    table = f"file_name,genres,split,sha256,width,height\ngood.jpg,rock,train,{DIGEST},600,600\n{row}\n"
    folder_with(tmp_path, table, "good.jpg", "b.jpg")
    with pytest.raises(DatasetError, match=rf"(?s)metadata\.csv: 1 row can't be used\. Mend or delete.*\n  {told}$"):
        Dataset.open(tmp_path)


def test_all_bad_rows_are_told_at_once_the_first_ten_shown(tmp_path: Path):
    rows = [f"gone-{number}.jpg,rock,," for number in range(11)]
    rows[4] = "../x.jpg,rock,wide,-1"
    folder_with(tmp_path, "\n".join(["file_name,genres,width,height", *rows]))
    with pytest.raises(DatasetError, match="11 rows can't be used") as caught:
        Dataset.open(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 12
    assert lines[1] == "  row 2: 'gone-0.jpg' is not there"
    assert lines[-1] == "  … and 3 more"
    assert len(caught.value.problems) == 13  # three of them in one row
    assert sum(problem.startswith("row 6: ") for problem in caught.value.problems) == 3


def test_missing_covers_are_no_problem_for_who_looks_for_them_himself(tmp_path: Path):
    folder_with(tmp_path, "file_name,genres\ngone.jpg,rock\n")
    assert len(Dataset.open(tmp_path, files=False)) == 1


def test_a_folder_without_a_table_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"no metadata\.csv in this folder\. A dataset was .*sleevenotes collect"):
        Dataset.open(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        Dataset.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"filename,genres\na.jpg,rock\n", "no column 'file_name' among filename, genres"),
        (b"a,b\n1,2\n", "no column 'file_name' or 'genres' among a, b"),
        (b"file_name,genres\nd\xe9j\xe0.jpg,rock\n", "can't be read as a table"),
        (b"file_name,genres\na.jpg,rock,pop,folk\n", "can't be read as a table"),
    ],
)
def test_a_file_that_is_no_such_table_is_told_in_a_sentence(tmp_path: Path, content: bytes, told: str):
    (tmp_path / CSV_NAME).write_bytes(content)
    with pytest.raises(DatasetError, match=rf"metadata\.csv: {told}"):
        Dataset.open(tmp_path)


def test_a_damaged_parquet_is_told_in_a_sentence(tmp_path: Path):
    (tmp_path / PARQUET_NAME).write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DatasetError, match=r"metadata\.parquet: can't be read as a table"):
        Dataset.open(tmp_path)


def test_a_byte_order_mark_as_spreadsheets_write_it_is_no_part_of_the_first_column(tmp_path: Path):
    (tmp_path / CSV_NAME).write_text("file_name,genres\na.jpg,rock\n", encoding="utf-8-sig")
    assert Dataset.open(tmp_path, files=False).file_names == ["a.jpg"]


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    ["", '"', "a,b", "two\nlines", " spaces ", "007", "null", "Motörhead", "𝄞"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=6), parquet=st.booleans())
def test_a_table_survives_writing_and_reading_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str, str]], parquet: bool
):
    folder = tmp_path_factory.mktemp("round")
    genres, artists, further = zip(*cells, strict=True)
    names = [f"{number}.jpg" for number in range(len(cells))]
    columns = {"file_name": names, "genres": genres, "artist": artists, "width": [7] * len(cells), "note": further}
    dataset = from_columns(folder, columns)
    if parquet:
        dataset.covers.write_parquet(folder / PARQUET_NAME)
    path = dataset.write()
    assert path.name == (PARQUET_NAME if parquet else CSV_NAME)
    before = path.read_bytes()
    again = Dataset.open(folder, files=False)
    assert again.covers.equals(dataset.covers)
    assert again.fingerprint == dataset.fingerprint
    assert again.write().read_bytes() == before


def test_the_csv_comes_before_the_parquet(tmp_path: Path):
    dataset = from_columns(tmp_path, {"file_name": ["a.jpg"], "genres": ["rock"]})
    dataset.covers.write_parquet(tmp_path / PARQUET_NAME)
    assert table_path(tmp_path).name == PARQUET_NAME
    folder_with(tmp_path, "file_name,genres\nb.jpg,folk\n")
    assert Dataset.open(tmp_path, files=False).file_names == ["b.jpg"]
    assert dataset.write().name == CSV_NAME


def test_what_breaks_off_while_it_is_written_leaves_the_old_file_and_no_other(tmp_path: Path):
    path = write_json(tmp_path / "a.json", {"genre": "Chanson française"})

    def break_off() -> None:
        with replacing(path) as partial:
            partial.write_text("half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text(encoding="utf-8") == '{\n  "genre": "Chanson française"\n}\n'


def test_what_a_library_writes_for_its_owner_alone_may_be_read_as_any_other_file(tmp_path: Path):
    usual = write_json(tmp_path / "a.json", {})
    with replacing(tmp_path / "b") as partial:
        partial.unlink()
        partial.touch(0o600)
    assert (tmp_path / "b").stat().st_mode == usual.stat().st_mode


def test_parts_of_a_dataset_keep_their_folder_and_order():
    split = ["train", "test", "", "train"]
    columns = {"file_name": list("abcd"), "genres": ["rock", "folk", "", "jazz"], "split": split}
    dataset = from_columns(Path("covers"), columns)
    assert dataset.in_split("train").file_names == ["a", "d"]
    assert dataset.in_split("valid").file_names == []
    assert dataset.in_split("all").file_names == list("abcd")
    assert dataset.where(np.array([False, True, True, False])).path(0) == Path("covers/b")
    moved = dataset.with_columns(split=["test"] * 4, mood=["calm"] * 4)
    assert moved.column("split") == ["test"] * 4
    assert moved.column("mood") == ["calm"] * 4
    assert dataset.column("split") == split
    assert dataset.column("mood") == [""] * 4


def test_the_fingerprint_tells_what_a_model_learns_from_and_nothing_else():
    columns = {"file_name": ["a", "b"], "genres": ["rock", "folk"], "sha256": [DIGEST] * 2, "split": ["train", "test"]}
    dataset = from_columns(Path(), columns)
    for changed in (
        {"genres": ["rock", "jazz"]},
        {"split": ["train", ""]},
        {"sha256": [DIGEST, "cd" * 32]},
        {"file_name": ["a", "c"]},
    ):
        assert dataset.with_columns(**changed).fingerprint != dataset.fingerprint
    assert dataset.with_columns(artist=["Yes", "Yes"], note=["x", ""]).fingerprint == dataset.fingerprint
    assert len(dataset.fingerprint) == 64


def test_a_cover_without_a_group_is_one_and_without_a_digest_gets_one(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"some bytes")
    columns = {"file_name": ["a", "b"], "genres": ["", ""], "group": ["", "g0001"], "sha256": ["", DIGEST]}
    dataset = from_columns(tmp_path, columns)
    assert dataset.groups == ["cover a", "g0001"]
    assert dataset.digests == [sha256(b"some bytes"), DIGEST]


def test_settings_are_what_split_wrote(tmp_path: Path):
    dataset = from_columns(tmp_path, {"file_name": [], "genres": []})
    assert dataset.settings == {}
    (tmp_path / "split.json").write_text(json.dumps({"task": "single", "genres": ["folk"]}))
    assert from_columns(tmp_path, {"file_name": [], "genres": []}).settings == {"task": "single", "genres": ["folk"]}
    (tmp_path / "split.json").write_text("{")
    with pytest.raises(DatasetError, match=r"split\.json: no valid JSON\. Delete it and run `sleevenotes split"):
        _ = from_columns(tmp_path, {"file_name": [], "genres": []}).settings


def test_columns_that_are_needed_are_needed_of_columns_too():
    with pytest.raises(DatasetError, match=r"no column 'genres' among file_name\. A table with file_name and genres"):
        complete(pl.DataFrame({"file_name": ["a"]}))
    with pytest.raises(DatasetError, match="row 2: width 'big' is no number of px"):
        from_columns(Path(), {"file_name": ["a"], "genres": [""], "width": ["big"]})


@pytest.mark.parametrize(
    ("folder", "files", "title", "name"),
    [
        ("out/five", {}, "five", "five"),
        ("out/dataset", {}, "", "out"),
        ("out/dataset", {"collect.json": {"source": "albums of 1971.csv"}}, "albums of 1971", "albums of 1971"),
        ("out/dataset", {"collect.json": {"source": "five-genres"}}, "five-genres", "five-genres"),
        ("out/five", {"collect.json": {"source": "v1.5"}}, "v1.5", "v1.5"),
        ("out/dataset", {"collect.json": {"source": "Covers"}}, "", "out"),
        ("out/five", {"collect.json": {"source": "covers"}}, "five", "five"),
        ("out/dataset", {"collect.json": {"source": "x", "title": " My \n covers "}}, "My covers", "My covers"),
        ("out/joined", {"collections.json": {"title": "a and b"}}, "a and b", "a and b"),
        ("out/harmonised", {"harmonise.json": {"title": "a (harmonised)"}}, "a (harmonised)", "a (harmonised)"),
        ("out/dataset", {"collect.json": ["no object"]}, "", "out"),
    ],
)
def test_a_dataset_is_called_after_its_title_or_source(
    tmp_path: Path, folder: str, files: dict[str, object], title: str, name: str
) -> None:
    dataset = from_columns(tmp_path / folder, {"file_name": ["a.jpg"], "genres": ["rock"]})
    dataset.write()
    for file, told in files.items():
        (dataset.folder / file).write_text(json.dumps(told), encoding="utf-8")
    assert (dataset.title, dataset.name) == (title, name)
