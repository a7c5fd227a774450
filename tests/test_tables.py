from __future__ import annotations

import datetime as dt
import json
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, strategies as st

from sleevenotes.collect.cells import SEPARATORS, guess_separator
from sleevenotes.collect.folders import Found, Listing
from sleevenotes.collect.table_files import read_table
from sleevenotes.collect.tables import read
from sleevenotes.errors import SourceError

ROWS = [
    {
        "Filename": "a.jpg",
        "Genres": "rock;pop",
        "Artist": "Can",
        "Title": "Soon",
        "Release Date": "1971-02-01",
        "mood": "x",
    },
    {"Filename": "b.png", "Genres": "jazz", "Artist": "", "Title": "007", "Release Date": "1980-01-01", "mood": ""},
]


def lay(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def table(folder: Path, text: str, *files: str, name: str = "albums.csv", encoding: str = "utf-8") -> Path:
    lay(folder, *files)
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def said(listing: Listing) -> list[tuple[str, tuple[str, ...], str, str, str]]:
    return [(cover.source, cover.genres, cover.artist, cover.album, cover.year) for cover in listing.found]


def only(listing: Listing) -> Found:
    (cover,) = listing.found
    return cover


# -- kinds of table ----------------------------------------------------------------------------------------------------


def written(folder: Path, kind: str) -> Path:
    names = list(ROWS[0])
    cells = [list(row.values()) for row in ROWS]
    path = folder / f"table.{kind}"
    if kind == "parquet":
        frame = pl.DataFrame(ROWS).with_columns(
            pl.col("Genres").str.split(";"), pl.col("Release Date").str.to_date(), pl.lit(b"...").alias("bytes")
        )
        assert frame["Release Date"][0] == dt.date(1971, 2, 1)
        frame.write_parquet(path)
    elif kind == "jsonl":
        rows = [{**row, "Genres": row["Genres"].split(";"), "Artist": row["Artist"] or None} for row in ROWS]
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    elif kind == "json":
        path.write_text(json.dumps(ROWS), encoding="utf-8")
    else:
        sign = {"csv": ",", "tsv": "\t", "txt": "|"}[kind]
        lines = [sign.join(f'"{cell}"' if cell else "" for cell in row) for row in [names, *cells]]
        path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "txt", "jsonl", "json", "parquet"])
def test_every_kind_of_table_says_the_same(tmp_path: Path, kind: str) -> None:
    lay(tmp_path, "a.jpg", "b.png")
    listing = read(written(tmp_path, kind))
    assert said(listing) == [
        ("a.jpg", ("rock", "pop"), "Can", "Soon", "1971"),
        ("b.png", ("jazz",), "", "007", "1980"),
    ]
    assert [dict(cover.extra) for cover in listing.found] == [{"mood": "x"}, {"mood": ""}]
    assert not listing.problems


def test_a_semicolon_between_columns_is_found_out(tmp_path: Path) -> None:
    path = table(tmp_path, 'file;genre\n"a, or b.jpg";rock\n', "a, or b.jpg")
    assert said(read(path)) == [("a, or b.jpg", ("rock",), "", "", "")]


def test_marks_of_windows_programs_do_not_matter(tmp_path: Path) -> None:
    text = "file_name,genre,artist\r\na.jpg,rock,Agorà\r\n\r\n"
    for encoding in ("utf-8-sig", "utf-16"):
        path = table(tmp_path, text, "a.jpg", encoding=encoding)
        assert only(read(path)).artist == "Agorà"
        assert not read(path).notes


def test_a_table_that_is_not_in_utf8_is_read_and_noted(tmp_path: Path) -> None:
    listing = read(table(tmp_path, "file_name,genre,artist\na.jpg,rock,Agorà\n", "a.jpg", encoding="cp1252"))
    assert only(listing).artist == "Agorà"
    assert listing.notes == ["albums.csv is not in UTF-8 and was read as Windows-1252: look at names with accents."]


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2),
        min_size=1,
        max_size=5,
    )
)
def test_csv_cells_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    import csv

    rows = [["x" + cell.replace("\r", "") for cell in row] for row in rows]
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["file_name", "genre"], *rows])
    assert read_table(path).rows == rows


# -- which column is what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["Filename", "file_name", "PATH", "image", "Cover File", "file"])
@pytest.mark.parametrize("genre", ["Genres", "genre", "TAGS", "label", "styles"])
def test_columns_are_told_by_their_names(tmp_path: Path, file: str, genre: str) -> None:
    path = table(tmp_path, f"n,{genre},{file}\n1,rock,a.jpg\n", "a.jpg")
    assert only(read(path)).genres == ("rock",)


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = table(tmp_path, "pic,file_name,sort,genre\na.jpg,9,rock,7\n", "a.jpg")
    cover = only(read(path, file_column="pic", genres_column="Sort"))
    assert cover.genres == ("rock",)
    assert dict(cover.extra) == {"source_file_name": "9", "genre": "7"}


def test_a_named_column_that_is_not_there_is_told_with_one_that_is(tmp_path: Path) -> None:
    path = table(tmp_path, "Filename,genre\na.jpg,rock\n", "a.jpg")
    with pytest.raises(SourceError, match=r"no column 'Filname' among Filename, genre\. Did you mean 'Filename'\?"):
        read(path, file_column="Filname")


def test_a_table_without_a_column_of_files_is_told(tmp_path: Path) -> None:
    path = table(tmp_path, "filname,genre\na.jpg,rock\n", "a.jpg")
    match = r"no column that names the files among filname, genre\. .* `--file-column`\. Did you mean 'filname'\?"
    with pytest.raises(SourceError, match=match):
        read(path)


def test_a_table_without_genres_is_told_with_both_ways_out(tmp_path: Path) -> None:
    path = table(tmp_path, "file_name,genere\na.jpg,rock\n", "a.jpg")
    match = r"no column of genres among .*`--genres-column`.*`--genre \"progressive rock\"`\. Did you mean 'genere'\?"
    with pytest.raises(SourceError, match=match):
        read(path)
    assert only(read(path, genre="progressive rock")).genres == ("progressive rock",)


def test_a_given_genre_goes_before_the_tables_own(tmp_path: Path) -> None:
    cover = only(read(table(tmp_path, "file_name,genres\na.jpg,rock\n", "a.jpg"), genre="jazz"))
    assert cover.genres == ("jazz",)
    assert dict(cover.extra) == {"source_genres": "rock"}


def test_further_columns_never_take_a_name_of_the_datasets(tmp_path: Path) -> None:
    text = "file_name,genre,split,sha256,Group,,mood,mood\na.jpg,rock,test,ff,3,b,c,d\n"
    extra = dict(only(read(table(tmp_path, text, "a.jpg"))).extra)
    assert extra == {
        "source_split": "test", "source_sha256": "ff", "source_Group": "3", "column_6": "b", "mood": "c", "mood_2": "d",
    }  # fmt: skip


@pytest.mark.parametrize("column", ["release", "Release_ID", "mbid", "release_group", "Release Group MBID"])
def test_a_release_is_kept_under_that_name(tmp_path: Path, column: str) -> None:
    path = table(tmp_path, f"file_name,genre,{column}\na.jpg,rock,17\n", "a.jpg")
    assert dict(only(read(path)).extra) == {"release": "17"}


def test_a_release_group_goes_before_a_release_and_a_release_before_a_files_name(tmp_path: Path) -> None:
    text = "file_name,genre,mbid,release_group\nR-1-2.jpg,rock,m,g\nR-3-4.jpg,rock,m,\n"
    first, second = read(table(tmp_path, text, "R-1-2.jpg", "R-3-4.jpg")).found
    assert dict(first.extra) == {"mbid": "m", "release": "g"}
    assert dict(second.extra) == {"mbid": "m", "release": "R-3"}


def test_a_year_that_is_none_is_counted_in_a_note(tmp_path: Path) -> None:
    text = "file_name,genre,Release Year\na.jpg,rock,1964-01-01 00:00:00\nb.jpg,rock,0\nc.jpg,rock,\n"
    listing = read(table(tmp_path, text, "a.jpg", "b.jpg", "c.jpg"))
    assert [cover.year for cover in listing.found] == ["1964", "", ""]
    assert listing.notes == ["1 of 3 cells of 'Release Year' hold no year (the first: '0' in row 3) and stay empty."]


# -- several genres ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "separator", "genres"),
    [
        ("rock; pop ;rock", None, ("rock", "pop")),
        ("rock|pop", None, ("rock", "pop")),
        ('"rock, pop"', None, ("rock", "pop")),
        ("rock  pop bluesrock", " ", ("rock", "pop", "bluesrock")),
        ("rock pop", None, ("rock pop",)),
        ("rock / pop", "/", ("rock", "pop")),
        ("hip-hop;pop", ",", ("hip-hop;pop",)),
        ("\"['rock', 'drum & bass']\"", None, ("rock", "drum & bass")),
        ('"[""rock"", ""children\'s""]"', None, ("rock", "children's")),
    ],
)
def test_a_cell_of_several_genres_is_taken_apart(
    tmp_path: Path, cell: str, separator: str | None, genres: tuple[str, ...]
) -> None:
    path = table(tmp_path, f"file_name,genre\na.jpg,{cell}\n", "a.jpg")
    assert only(read(path, separator=separator)).genres == genres


def test_a_guessed_separator_is_told(tmp_path: Path) -> None:
    listing = read(table(tmp_path, "file_name,genre\na.jpg,rock|pop\n", "a.jpg"))
    assert listing.notes == ["Several genres in a cell of 'genre' were separated at '|' (`--separator`)."]


def test_a_column_that_looks_like_several_genres_a_cell_is_pointed_out(tmp_path: Path) -> None:
    names = [f"c{number}.jpg" for number in range(60)]
    text = "file_name,genre\n" + "".join(f"{name},rock style{number}\n" for number, name in enumerate(names))
    listing = read(table(tmp_path, text, *names))
    assert listing.notes[0].startswith("'genre' has 60 different genres on 60 covers.")
    assert '`--separator " "`' in listing.notes[0]


@given(st.lists(st.lists(st.sampled_from(["rock", "pop", "folk"]), min_size=1, max_size=3), max_size=9))
def test_a_separator_is_found_wherever_a_cell_has_two_genres(cells: list[list[str]]) -> None:
    for separator in SEPARATORS:
        found = guess_separator(separator.join(cell) for cell in cells)
        assert found == (separator if any(len(cell) > 1 for cell in cells) else None)


def test_a_sign_that_is_a_rarity_separates_nothing() -> None:
    assert guess_separator(["rock, pop"] * 20 + ["a;b"]) == ","


def test_an_empty_separator_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "file_name,genre\na.jpg,rock\n", "a.jpg")
    with pytest.raises(SourceError, match="separator: nothing at all"):
        read(path, separator="")


def test_rows_without_a_genre_are_left_out_and_told(tmp_path: Path) -> None:
    listing = read(table(tmp_path, "file_name,genre\na.jpg,rock\nb.jpg, \n", "a.jpg", "b.jpg"))
    assert [cover.source for cover in listing.found] == ["a.jpg"]
    assert listing.problems[0].source == "b.jpg"
    assert listing.problems[0].problem.startswith("albums.csv, row 3: no genre.")


# -- which file is meant -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("a", "img/a.jpg"),
        ("No. 2_1965", "images/No. 2_1965.jpeg"),
        ("img/a.jpg", "img/a.jpg"),
        ("./img\\a.jpg", "img/a.jpg"),
        ("/data/kaggle/img/a.jpg", "img/a.jpg"),
        ("http://host/x/a.jpg", "img/a.jpg"),
        ("A.JPG", "img/a.jpg"),
        ("a.jpg", "img/a.png"),
        ("a", "deep/er/A .JPG"),
        ("Memos  From Purgatory ", "img/Memos From Purgatory.jpg"),
        (unicodedata.normalize("NFC", "Agorà"), unicodedata.normalize("NFD", "Agorà") + ".jpg"),
        (unicodedata.normalize("NFD", "AGORÀ"), unicodedata.normalize("NFC", "img/agorà.jpg")),
    ],
)
def test_a_name_finds_its_file_in_spite_of_its_quirks(tmp_path: Path, cell: str, file: str) -> None:
    listing = read(table(tmp_path, f'file_name,genre\n"{cell}",rock\n', file, "img/b.jpg", "notes/a.txt"))
    assert only(listing).source == file
    assert only(listing).path == tmp_path / file


def test_a_name_with_quotes_and_commas_is_read_as_it_stands(tmp_path: Path) -> None:
    path = table(tmp_path, 'file_name,genre\n"""Heroes"", and more_1977",rock\n', 'img/"Heroes", and more_1977.jpg')
    assert only(read(path)).source == 'img/"Heroes", and more_1977.jpg'


def test_the_folder_in_a_name_decides_between_equal_names(tmp_path: Path) -> None:
    path = table(tmp_path, "file_name,genre\nRock/1.jpg,rock\nPop/1,pop\n", "img/Rock/1.jpg", "img/Pop/1.jpg")
    assert [cover.source for cover in read(path).found] == ["img/Rock/1.jpg", "img/Pop/1.jpg"]


def test_a_name_that_several_files_bear_is_told_with_its_row(tmp_path: Path) -> None:
    listing = read(table(tmp_path, "file_name,genre\nb.jpg,rock\n1,pop\n", "b.jpg", "x/1.jpg", "y/1.png"))
    assert [cover.source for cover in listing.found] == ["b.jpg"]
    assert listing.problems[0].problem == "albums.csv, row 3: '1' can mean 2 files: '1.jpg' in 'x', '1.png' in 'y'."


def test_rows_whose_file_is_missing_are_told_with_their_row(tmp_path: Path) -> None:
    text = f"file_name,genre\na.jpg,rock\n\nb.jpg,pop\n,pop\n{'x' * 300},pop\n"
    listing = read(table(tmp_path, text, "a.jpg"))
    assert [(each.source, each.problem) for each in listing.problems] == [
        ("b.jpg", "albums.csv, row 4: there is no file 'b.jpg' in the table's folder or below."),
        ("albums.csv, row 5", "albums.csv, row 5: no file name."),
        ("x" * 300, f"albums.csv, row 6: '{'x' * 60}…' is no file's name."),
    ]


def test_a_table_none_of_whose_files_is_there_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "file_name,genre\na.jpg,rock\nb.jpg,pop\n")
    with pytest.raises(SourceError, match=r"none of the 2 files it names is there; the first: albums\.csv, row 2"):
        read(path)


def test_no_file_is_looked_for_in_the_dataset_itself(tmp_path: Path) -> None:
    path = table(tmp_path, "file_name,genre\na,rock\n", "img/a.jpg", "out/images/a.jpg")
    assert only(read(path, skip=tmp_path / "out")).source == "img/a.jpg"


# -- tables that can't be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("t.csv", "", r"t\.csv: an empty table"),
        ("t.csv", "\n\n", r"an empty table"),
        ("t.csv", "file_name,genre\n", r"no row in this table\. A row per cover was expected"),
        (
            "t.csv",
            'file_name,genre\na.jpg,rock\n"b.jpg,rock\n',
            r"t\.csv, row 3: can't be read as a table \(unexpected",
        ),
        ("t.csv", 'file_name,genre\n"Heroes"_1977,rock\n', r"t\.csv, row 2: can't be read as a table .*doubled"),
        ("t.csv", "file\0,genre\n", r"bytes that are no text"),
        ("t.jsonl", '{"a": 1}\n{"a": \n[1]\n', r"line 2 is no valid JSON .*, and 1 more lines can't be read"),
        ("t.jsonl", "[1, 2]", r"line 1 is no object, and 1 more"),
        ("t.json", "[1, ", r"no valid JSON"),
        ("t.parquet", "PAR1", r"no valid Parquet"),
        ("t.xlsx", "PK", r"'\.xlsx' is no kind of table\. .*\.parquet\. Save it as CSV\."),
        ("t.zip", "PK", r"'\.zip' is no kind of table\. .* Unpack it first\."),
        ("t.jpg", "PK", r"'\.jpg' is no kind of table"),
        ("table", "PK", r"'table' is no kind of table"),
    ],
)
def test_a_table_that_can_not_be_read_is_told(tmp_path: Path, name: str, text: str, match: str) -> None:
    with pytest.raises(SourceError, match=match):
        read(table(tmp_path, text, name=name))


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.csv: can't be read \(No such file"):
        read(tmp_path / "nowhere.csv")


def test_rows_with_too_many_cells_are_left_out_and_told(tmp_path: Path) -> None:
    text = "file_name,genre\na.jpg,rock,\nb, or not.jpg,pop\nc.jpg\n"
    listing = read(table(tmp_path, text, "a.jpg", "b, or not.jpg", "c.jpg"))
    assert [cover.source for cover in listing.found] == ["a.jpg"]
    assert [each.problem for each in listing.problems] == [
        "albums.csv, row 3: 3 cells where the header has 2. Put cells that hold ',' in quotes.",
        "albums.csv, row 4: no genre. Fill it in, or collect these with `--genre`.",
    ]


def test_a_column_of_bytes_is_passed_over_and_noted(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg")
    frame = pl.DataFrame({"file_name": ["a.jpg"], "genre": ["rock"], "image": [{"bytes": b"x"}]})
    frame.write_parquet(tmp_path / "t.parquet")
    listing = read(tmp_path / "t.parquet")
    assert listing.notes == ["The column 'image' holds no text and was passed over."]
    assert dict(only(listing).extra) == {}


# -- what stands around the header -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nfilename;genre\na.jpg;rock\n",
        '"sep=;"\r\nfilename;genre\r\na.jpg;rock\r\n',
        "SEP=|\nfilename|genre\na.jpg|rock\n",
        "sep=\t\nfilename\tgenre\na.jpg\trock\n",
    ],
)
def test_a_line_that_names_the_separator_is_followed(tmp_path: Path, text: str) -> None:
    listing = read(table(tmp_path, text, "a.jpg"))
    assert only(listing).genres == ("rock",)
    assert only(listing).row == 2
    assert not listing.notes


def test_lines_above_the_header_are_passed_over_and_noted(tmp_path: Path) -> None:
    text = "My albums; as of 2024;;\n\nExported by me\nfile;artist;genre\na.jpg;Can;rock\n"
    listing = read(table(tmp_path, text, "a.jpg"))
    assert (only(listing).genres, only(listing).artist, only(listing).row) == (("rock",), "Can", 5)
    assert listing.notes == ["2 lines above the header were ignored ('My albums as of 2024')."]


def test_a_header_in_two_rows_is_read_as_pandas_writes_it(tmp_path: Path) -> None:
    text = (
        ",album,album,set,track,track\n,image_file,title,split,genre_top,title\ntrack_id,,,,,\n2,a,T,training,Rock,S\n"
    )
    listing = read(table(tmp_path, text, "a.jpg"), split_column="set_split")
    cover = only(listing)
    assert (cover.genres, cover.album, cover.row, cover.split) == (("Rock",), "T", 4, "train")
    assert dict(cover.extra) == {"track_id": "2", "track_title": "S"}
    (note,) = listing.notes
    assert note.startswith("The header has two rows (1 and 2), read as album_image_file, album_title, set_split, ")


def test_a_table_whose_columns_are_named_by_the_user_keeps_its_first_line(tmp_path: Path) -> None:
    text = "pic,sort\nlabel,style\na.jpg,rock\n"
    listing = read(table(tmp_path, text, "a.jpg"), file_column="pic", genres_column="sort")
    assert [cover.source for cover in listing.found] == ["a.jpg"]


def test_spaces_before_quotes_do_not_matter(tmp_path: Path) -> None:
    text = 'filename, title, genres\na.jpg, "Songs, vol. 0", "Rock, Pop"\nb.jpg, "7"" mix", folk\n'
    listing = read(table(tmp_path, text, "a.jpg", "b.jpg"))
    assert said(listing) == [
        ("a.jpg", ("Rock", "Pop"), "", "Songs, vol. 0", ""),
        ("b.jpg", ("folk",), "", '7" mix', ""),
    ]
    text = 'filename,title,genres\na.jpg, "Heroes" live,Rock\n'
    assert only(read(table(tmp_path, text, "a.jpg"))).album == '"Heroes" live'


def test_a_table_none_of_whose_rows_fits_says_why(tmp_path: Path) -> None:
    text = "filename,title,genre\na.jpg,Songs, vol. 0,rock\nb.jpg,Songs, vol. 1,pop\n"
    match = (
        r"none of its 2 rows can be used; the first: row 2: 4 cells where the header has 3\. Put cells that hold ','"
    )
    with pytest.raises(SourceError, match=match):
        read(table(tmp_path, text, "a.jpg", "b.jpg"))


# -- numbers that a spreadsheet changed --------------------------------------------------------------------------------


def test_leading_zeros_that_were_lost_are_found_again(tmp_path: Path) -> None:
    text = "filename,genre\n0,rock\n1.0,pop\n00002,folk\n3.jpg,jazz\n"
    listing = read(table(tmp_path, text, *(f"img/0000{number}.jpg" for number in range(4))))
    assert [cover.source for cover in listing.found] == [f"img/0000{number}.jpg" for number in range(4)]
    assert listing.notes == [
        "Numbers were matched to files regardless of leading zeros: '0' is '00000.jpg', and 2 more."
    ]


def test_a_number_that_fits_several_files_is_told(tmp_path: Path) -> None:
    listing = read(table(tmp_path, "filename,genre\na,rock\n1,pop\n", "a.jpg", "x/001.jpg", "y/01.jpg"))
    assert "'1' can mean 2 files: '001.jpg' in 'x', '01.jpg' in 'y'" in listing.problems[0].problem


def test_a_url_that_lost_a_slash_is_told(tmp_path: Path) -> None:
    listing = read(table(tmp_path, "file,genre\na.jpg,rock\nhttps:/example.org/b.jpg,pop\n", "a.jpg"))
    assert "'https:/example.org/b.jpg' is no file, and no URL either" in listing.problems[0].problem
