"""Genres in cells and columns, in every form that published tables have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

from sleevenotes.collect.cells import MAX_CHARACTERS, UnreadableList, read_genres, read_list, split_cell
from sleevenotes.collect.collecting import CollectSettings, collect
from sleevenotes.collect.folders import Listing
from sleevenotes.collect.tables import read
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.genres import is_no_genre, tidy
from sleevenotes.covers.images import Pixels, encode
from sleevenotes.covers.splits import split
from sleevenotes.errors import SourceError

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0[]{}"), min_size=1, max_size=12).filter(str.strip)


def genres(*cells: str, separator: str | None = None) -> list[tuple[str, ...]]:
    return read_genres([[cell] for cell in cells], "genres", separator=separator).genres


def collected(folder: Path, header: Sequence[str], *rows: Sequence[str], **options: str | None) -> Listing:
    """A listing of a table of covers `0.jpg`, `1.jpg` …; their column comes first."""
    pl.DataFrame(
        [[f"{number}.jpg", *row] for number, row in enumerate(rows)], schema=["filename", *header], orient="row"
    ).write_csv(folder / "albums.csv")
    for number in range(len(rows)):
        (folder / f"{number}.jpg").write_bytes(b"x")
    return read(folder / "albums.csv", **options)


def named(listing: Listing) -> list[tuple[str, ...]]:
    return [cover.genres for cover in listing.found]


# -- lists in a cell ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('["rock", "folk, world, & country"]', ("rock", "folk, world, & country")),
        (r'["fran\u00e7ais", "r&b\/soul", "\ud83c\udfb8"]', ("français", "r&b/soul", "🎸")),
        (r"['rock', 'rock \'n\' roll']", ("rock", "rock 'n' roll")),
        (r"['fran\xe7ais']", ("français",)),
        ("['rock', None, nan]", ("rock",)),
        ('["rock", null, NaN]', ("rock",)),
        ("{'rock', 'pop'}", ("rock", "pop")),
        ("('rock', 'pop')", ("rock", "pop")),
        ("('rock',)", ("rock",)),
        ("frozenset({'rock', 'pop'})", ("rock", "pop")),
        ("['rock' 'pop'\n 'drum & bass']", ("rock", "pop", "drum & bass")),
        ("array(['rock', \"children's\"], dtype=object)", ("rock", "children's")),
        ("[np.str_('rock'), np.str_('pop')]", ("rock", "pop")),
        ("[['CDs & Vinyl', 'Rock', 'Hard rock']]", ("Rock", "Hard rock")),
        ("[{'genre_id': '21', 'genre_title': 'Rock', 'genre_url': 'x/y'}]", ("Rock",)),
        ('[{"id": 7, "name": "Hip-Hop"}, {"id": 8, "name": "Pop"}]', ("Hip-Hop", "Pop")),
        ('{"data": [{"id": 7, "name": "Rap"}]}', ("Rap",)),
        ("{'rock': 100, 'pop': 0}", ("rock",)),
        ("{'rock': True, 'pop': False}", ("rock",)),
        ("[rock, hard rock]", ("rock", "hard rock")),
        ('{rock,"hip hop"}', ("rock", "hip hop")),
        ("\"['rock', 'pop']\"", ("rock", "pop")),
        ("[]", ()),
        ("set()", ()),
        ("['']", ()),
    ],
)
def test_a_list_in_a_cell_is_read_whatever_wrote_it(cell: str, expected: tuple[str, ...]) -> None:
    assert genres(cell) == [expected]


@given(st.lists(NAMES, max_size=4))
def test_lists_of_json_and_python_come_back(names: list[str]) -> None:
    assert read_list(json.dumps(names)) == tuple(names)
    assert read_list(json.dumps(names, ensure_ascii=False)) == tuple(names)
    assert read_list(repr(names)) == tuple(names)


@given(st.text(max_size=40) | st.text("[]{}()'\",:\\ ab1.", max_size=40))
def test_no_genre_ever_holds_a_bracket(cell: str) -> None:
    reading = read_genres([[cell]], "genres")
    assert not any(sign in name for sign in "[]{}" for names in reading.genres for name in names)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("['rock', 'pop", "begins like a list and can't be read as one: ['rock', 'pop"),
        ("['rock', ..., 'pop']", "a list of something else than names"),
        ("[{'colour': 'red'}]", "a dictionary without a key such as 'name' or 'title' (it has colour)"),
        ("[" * 200 + "]" * 200, "nested 200 levels deep, more than 20"),
        ("[" + "'a'," * MAX_CHARACTERS + "]", "characters, more than 100,000"),
        ("rock [UK", "a genre with a bracket, 'rock [UK'"),
        ("__import__('os').system('true')[0]", "a genre with a bracket"),
    ],
)
def test_a_list_that_can_not_be_read_is_a_problem_of_its_row(tmp_path: Path, cell: str, said: str) -> None:
    listing = collected(tmp_path, ["genres"], ["['rock']"], [cell])
    assert named(listing) == [("rock",)]
    (problem,) = listing.problems
    assert problem.source == "1.jpg"
    assert said in problem.problem
    assert problem.problem.startswith("albums.csv, row 3: ")


def test_where_no_list_can_be_read_that_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no cell of 'genres' can be read; the first, in row 3: begins like a list"):
        collected(tmp_path, ["genres"], [""], ["['rock', 'pop"])


@pytest.mark.parametrize("cell", ["[21, 12]", "[21]", "[21 12]", "{21, 12}", "[np.int64(21)]", "[{'genre_id': 21}]"])
def test_ids_of_genres_are_refused_with_the_column_of_names(tmp_path: Path, cell: str) -> None:
    match = (
        r"the cells of 'genres' hold numbers, such as .*, which are ids of genres\. Names of genres were expected\. "
    )
    with pytest.raises(SourceError, match=match + r".*replace each id by its name\."):
        collected(tmp_path, ["genres"], [cell], [cell])
    with pytest.raises(SourceError, match=match + r"Name another column: `--genres-column styles`\."):
        collected(tmp_path, ["genres", "styles"], [cell, "rock"], [cell, "pop"])


def test_ids_in_json_lines_and_parquet_are_refused_too(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    frame = pl.DataFrame({"file_name": ["a.jpg"], "genres": [[21, 12]]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for name in ("t.parquet", "t.jsonl"):
        with pytest.raises(SourceError, match=r"the cells of 'genres' hold numbers, such as \[21, 12\]"):
            read(tmp_path / name)


def test_lists_of_objects_in_json_lines_and_parquet_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    frame = pl.DataFrame({"file_name": ["a.jpg"], "genres": [[{"id": 1, "name": "Rock"}, {"id": 2, "name": "Pop"}]]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for name in ("t.parquet", "t.jsonl"):
        assert named(read(tmp_path / name)) == [("Rock", "Pop")]


def test_plain_text_is_no_list() -> None:
    for cell in ("rock", "(rock)", "rock 'n' roll", "'n' roll, rock 'n'", "", "a: b"):
        assert read_list(cell) is None
    with pytest.raises(UnreadableList):
        read_list("[rock: pop]")


# -- separators and known names ----------------------------------------------------------------------------------------


def test_a_known_name_that_holds_the_separator_stays_whole() -> None:
    for name in ("folk, world, & country", "Folk, World & Country", "FOLK, WORLD AND COUNTRY"):
        assert genres("rock", name) == [("rock",), (name,)]
        assert tidy(genres(name)[0][0]) == "folk, world & country"
        assert genres(f"Rock, {name}, Pop") == [("Rock", name, "Pop")]
    assert genres("funk / soul / pop", separator="/") == [("funk / soul", "pop")]
    assert split_cell("rock pop", " ") == ["rock", "pop"]  # though `pop rock` is a genre, too


def test_a_column_where_only_known_names_hold_commas_is_no_list(tmp_path: Path) -> None:
    listing = collected(tmp_path, ["genre_label"], ["rock"], ["folk, world, & country"], ["jazz"])
    assert named(listing) == [("rock",), ("folk, world, & country",), ("jazz",)]
    assert not listing.notes


# -- words for nothing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    [
        *("nan", "NaN", "None", "NULL", "N/A", "#N/A", "<NA>", "unknown", "Unknown Genre", "(no genres found)", "-"),
        *("—", "?", "[]", "['']", "[None]", "(none)", "no_genre", "''", ""),
    ],
)
def test_a_word_for_nothing_is_no_genre(tmp_path: Path, word: str) -> None:
    listing = collected(tmp_path, ["genre", "artist"], ["rock", "A"], [word, "B"])
    assert named(listing) == [("rock",)]
    assert listing.problems[0].problem.startswith("albums.csv, row 3: no genre.")
    assert "1 of 2 covers have no genre and were left out." in listing.notes


@pytest.mark.parametrize("name", ["no wave", "noise", "other", "n.w.o.b.h.m.", "unknown pleasures", "80s", "0"])
def test_a_genre_is_no_word_for_nothing(name: str) -> None:
    assert not is_no_genre(name)


def test_a_word_for_an_empty_cell_is_no_release(tmp_path: Path) -> None:
    listing = collected(tmp_path, ["genre", "artist", "release_id", "year"], ["rock", "nan", "nan", "nan"])
    (cover,) = listing.found
    assert (cover.artist, cover.year, dict(cover.extra)) == ("", "", {"release": ""})
    assert not listing.notes


# -- weights and paths -------------------------------------------------------------------------------------------------


def test_weights_are_put_aside_with_a_note(tmp_path: Path) -> None:
    listing = collected(tmp_path, ["tags"], ["rock:100;pop:0"], ["rock (45);pop (3)"], ["hip-hop=7.5%"])
    assert named(listing) == [("rock",), ("rock", "pop"), ("hip-hop",)]
    assert listing.notes[1:] == [
        "Genres in 'tags' have weights ('rock:100'), which were ignored; 1 of weight 0 were left out."
    ]


def test_a_number_that_few_genres_carry_is_part_of_the_name() -> None:
    assert genres("rock", "pop", "top:40") == [("rock",), ("pop",), ("top:40",)]


def test_every_level_of_a_path_is_a_genre(tmp_path: Path) -> None:
    cells = ["Music---Jazz---Bebop", "Rock > Alternative > Indie", "electronic::house", "rock; rock---hardrock"]
    listing = collected(tmp_path, ["genre"], *([cell] for cell in cells))
    assert named(listing) == [
        ("Jazz", "Bebop"), ("Rock", "Alternative", "Indie"), ("electronic", "house"), ("rock", "hardrock"),
    ]  # fmt: skip
    assert listing.notes[-1] == (
        "A cell of 'genre' holds a path ('Music---Jazz---Bebop'): every level was read as a genre."
    )
    assert genres("Funk / Soul", "hip-hop - rap") == [("Funk / Soul",), ("hip-hop - rap",)]


# -- several columns ---------------------------------------------------------------------------------------------------


def test_columns_that_are_numbered_are_read_together(tmp_path: Path) -> None:
    listing = collected(tmp_path, ["genre1", "genre_2", "mood"], ["rock", "pop", "x"], ["jazz", "", "y"])
    assert named(listing) == [("rock", "pop"), ("jazz",)]
    assert listing.notes == ["Genres were read from 2 columns: genre1, genre_2 (`--genres-column`)."]
    assert dict(listing.found[0].extra) == {"mood": "x"}
    assert named(collected(tmp_path, ["genre", "genre2"], ["rock", "['pop', 'folk']"])) == [("rock", "pop", "folk")]
    assert named(read(tmp_path / "albums.csv", genres_column="genre2")) == [("pop", "folk")]


@pytest.mark.parametrize("yes", ["1", "1.0", "True", "x"])
def test_columns_of_0_and_1_are_genres(tmp_path: Path, yes: str) -> None:
    no = {"1": "0", "1.0": "0.0", "True": "False", "x": ""}[yes]
    rows = [["A", no, yes, yes], ["B", yes, no, no], ["C", no, no, no]]
    listing = collected(tmp_path, ["artist", "rock", "pop", "hip_hop"], *rows)
    assert named(listing) == [("pop", "hip_hop"), ("rock",)]
    assert listing.notes[0] == (
        "Genres were read from 3 columns, in which 1 means that the cover has the genre: rock, pop, hip_hop."
    )
    assert len(listing.problems) == 1
    assert named(collected(tmp_path, ["genre_rock", "genre_zeuhl"], [yes, no], [no, yes])) == [("rock",), ("zeuhl",)]


def test_columns_of_0_and_1_that_may_be_something_else_are_named(tmp_path: Path) -> None:
    match = r'If the columns of 0 and 1 are genres, name them: `--genres-column "rock,pop"`'
    with pytest.raises(SourceError, match=match):
        collected(tmp_path, ["rock", "pop", "explicit"], ["1", "0", "0"], ["0", "1", "1"])
    assert named(read(tmp_path / "albums.csv", genres_column="rock, pop")) == [("rock",), ("pop",)]


@pytest.mark.parametrize(
    ("header", "file", "genre"),
    [
        ("image_url,image_location,genre_label,set", "image_location", "genre_label"),
        ("album_id,album_image_file,album_title,artist_name,tags", "album_image_file", "tags"),
        ("track_id,album_image,genre_top,genres,genres_all", "album_image", "genre_top"),
        ("path,img,label,category", "img", "label"),
        ("cover,style,label", "cover", "style"),
        ("album_cover,singular_genre", "album_cover", "singular_genre"),
        ("id,primaryGenreName", "id", "primaryGenreName"),
        ("mbid,class", "mbid", "class"),
    ],
)
def test_columns_of_published_tables_are_known(tmp_path: Path, header: str, file: str, genre: str) -> None:
    columns = header.split(",")
    (tmp_path / "a.jpg").write_bytes(b"x")
    cells = {
        name: "audio/1.mp3" if name == "path" else "[3, 4]" if name.startswith("genres") else "1" for name in columns
    }
    lines = [header, ",".join(f'"{cell}"' for cell in (cells | {file: "a", genre: "rock"}).values())]
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    (cover,) = read(tmp_path / "t.csv").found
    assert (cover.source, cover.genres) == ("a.jpg", ("rock",))


def test_a_column_of_releases_that_names_the_files_is_both(tmp_path: Path) -> None:
    (tmp_path / "r1.jpg").write_bytes(b"x")
    (tmp_path / "t.csv").write_text(
        "recordingmbid\treleasegroupmbid\tgenre1\tgenre2\nq\tr1\trock\trock---indie\n".replace("\t", ","),
        encoding="utf-8",
    )
    (cover,) = read(tmp_path / "t.csv").found
    assert (cover.source, cover.genres) == ("r1.jpg", ("rock", "indie"))
    assert dict(cover.extra) == {"recordingmbid": "q", "release": "r1"}


# -- a split that comes with the data ----------------------------------------------------------------------------------


def test_a_column_that_looks_like_a_split_is_pointed_out(tmp_path: Path) -> None:
    rows = [["rock", "training"], ["pop", "training"], ["rock", "validation"], ["pop", "test"]]
    listing = collected(tmp_path, ["genre", "my set"], *rows)
    (note,) = listing.notes
    assert note.startswith("The column 'my set' looks like a split that comes with the data (2 train, 1 valid, 1 test)")
    assert note.endswith('`--split-column "my set"` uses it.')
    assert not any(cover.split for cover in listing.found)
    listing = read(tmp_path / "albums.csv", split_column="my set")
    assert [cover.split for cover in listing.found] == ["train", "train", "valid", "test"]
    assert not listing.notes


def test_a_split_column_that_is_none_is_told(tmp_path: Path) -> None:
    match = (
        r"row 3: 'fold 2' in the column 'fold'\. A side of a split was expected\. Write train, .* `--split-column`\."
    )
    with pytest.raises(SourceError, match=match):
        collected(tmp_path, ["genre", "fold"], ["rock", "train"], ["pop", "fold 2"], split_column="fold")
    with pytest.raises(SourceError, match="the column 'fold' is empty"):
        collected(tmp_path, ["genre", "fold"], ["rock", ""], ["pop", " "], split_column="fold")


def test_a_given_split_goes_into_the_dataset_and_is_kept(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    sides = ["train"] * 8 + ["val"] * 4 + ["test"] * 4
    lines = ["filename,genre,set"] + [f"{n}.png,{('rock', 'pop')[n % 2]},{side}" for n, side in enumerate(sides)]
    source = tmp_path / "source"
    source.mkdir()
    for number in range(len(sides)):
        pixels = encode(_noise(number), "png")
        (source / f"{number}.png").write_bytes(pixels)
    (source / "albums.csv").write_text("\n".join(lines), encoding="utf-8")
    result = collect(source / "albums.csv", tmp_path / "out", settings=CollectSettings(split_column="set"))
    given = ["valid" if side == "val" else side for side in sides]
    assert result.dataset.column("split") == given
    done = split(Dataset.open(tmp_path / "out"))
    assert done.kept
    assert done.dataset.column("split") == given
    (source / "albums.csv").write_text(
        "\n".join(lines).replace("15.png,pop,test", "15.png,pop,train"), encoding="utf-8"
    )
    again = collect(source / "albums.csv", tmp_path / "out", settings=CollectSettings(split_column="set"))
    assert again.dataset.column("split") == [*given[:-1], "train"]
    assert len(recwarn) == 1  # a test of 4 covers is small


def _noise(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 255, (24, 24, 3), np.uint8)
