from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sleevenotes.collect.folders import Commands, Found, find, parse_layout, release_of, stem, walk, year_of
from sleevenotes.errors import SourceError

PNG = b"\x89PNG\r\n\x1a\n and so on"


def lay(folder: Path, *names: str, content: bytes = PNG) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def by_source(found: list[Found]) -> dict[str, tuple[str, ...]]:
    return {cover.source: (*cover.genres, cover.artist, cover.album, cover.year) for cover in found}


def test_the_first_folder_is_the_genre_at_any_depth(tmp_path: Path) -> None:
    lay(tmp_path, "Rock/a.jpg", "Rock/Seventies/Live/b.jpg", "Hip-Hop/c.png")
    listing = find(tmp_path)
    assert {cover.source: cover.genres for cover in listing.found} == {
        "Hip-Hop/c.png": ("Hip-Hop",),
        "Rock/Seventies/Live/b.jpg": ("Rock",),
        "Rock/a.jpg": ("Rock",),
    }
    assert not listing.problems


def test_covers_come_sorted_by_path_whatever_the_disk_says(tmp_path: Path) -> None:
    lay(tmp_path, "b/2.jpg", "b/10.jpg", "a/z.jpg", "a-/y.jpg", "B/x.jpg", "ä/w.jpg")
    sources = [cover.source for cover in find(tmp_path).found]
    assert sources == sorted(sources)
    assert sources[0] == "B/x.jpg"


def test_files_that_are_no_covers_are_only_counted(tmp_path: Path) -> None:
    lay(tmp_path, "Rock/a.jpg")
    lay(tmp_path, "Rock/notes.txt", "Rock/album.nfo", "Rock/list.m3u", "README.md", content=b"notes")
    lay(tmp_path, "Rock/.hidden.jpg", "Rock/Thumbs.db", "Rock/._a.jpg", ".git/x.jpg", "Rock/__MACOSX/y.jpg")
    listing = find(tmp_path)
    assert [cover.source for cover in listing.found] == ["Rock/a.jpg"]
    assert listing.ignored == 7  # what lies in hidden folders is not even counted
    assert not listing.problems


def test_a_picture_is_known_by_its_content_where_its_name_does_not_tell(tmp_path: Path) -> None:
    heads = [b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0", b"MM\0*", b"RIFF\1\2\3\4WEBP", b"\0\0\0\x20ftypavif"]
    for number, head in enumerate(heads):
        lay(tmp_path, f"Rock/cover{number}", content=head + bytes(16))
    lay(tmp_path, "Rock/bitmap", content=b"BM\x36\x03\0\0\0\0\0\0\x36\0\0\0\x28\0")
    lay(tmp_path, "Rock/text", content=b"BM is a word in here")
    assert [cover.source for cover in find(tmp_path).found] == ["Rock/bitmap"] + [f"Rock/cover{n}" for n in range(6)]


def test_a_name_that_promises_a_picture_is_taken_at_its_word(tmp_path: Path) -> None:
    lay(tmp_path, "Rock/empty.jpg", "Rock/page.JPEG", "Rock/phone.heic", "Rock/vector.svg", content=b"")
    assert len(find(tmp_path).found) == 4


@pytest.mark.parametrize(
    ("layout", "name", "expected"),
    [
        ("artist/album", "Can/Tago Mago/cover.jpg", ("Can", "Tago Mago", "")),
        ("artist/album", "Can/Tago Mago/CD 1/cover.jpg", ("Can", "Tago Mago", "")),
        ("genre/artist/album", "Rock/Can/Tago Mago/cover.jpg", ("Rock", "Can", "Tago Mago", "")),
        (
            "/genre/artist - album (year)/",
            "Rock/Can - Tago - Mago (1971)/f.jpg",
            ("Rock", "Can", "Tago - Mago", "1971"),
        ),
        ("*/genre", "download/Rock/a.jpg", ("Rock", "", "", "")),
        ("Genre/Artist - Album.*", "Rock/Can - Tago Mago.jpeg", ("Rock", "Can", "Tago Mago", "")),
        ("genre/year/album", "Rock/1971/Tago Mago/front.png", ("Rock", "", "Tago Mago", "1971")),
    ],
)
def test_a_layout_says_what_the_folders_mean(tmp_path: Path, layout: str, name: str, expected: tuple[str, ...]) -> None:
    assert by_source(find(lay(tmp_path, name), layout=layout).found) == {name: expected}


def test_a_layout_without_a_genre_notes_that_none_is_known(tmp_path: Path) -> None:
    listing = find(lay(tmp_path, "Can/Tago Mago/cover.jpg"), layout="artist/album")
    assert listing.found[0].genres == ()
    assert listing.notes == ['No genre is known for any of the 1 covers; `--genre "…"` gives them one.']


def test_covers_that_do_not_fit_the_layout_are_counted_in_a_note(tmp_path: Path) -> None:
    lay(tmp_path, "Rock/Can - Soon/a.jpg", "Rock/Faust/b.jpg", "Rock/c.jpg")
    listing = find(tmp_path, layout="genre/artist - album")
    assert [cover.artist for cover in listing.found] == ["Can", "", ""]
    assert listing.notes[0].startswith(
        "2 of 3 covers do not fit the layout 'genre/artist - album' (the first is Rock/Faust/b.jpg)"
    )


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ("artists/album", r"layout 'artists/album': 'artists' is no word of a layout\. .* Did you mean 'artist'\?"),
        ("artist/artist", r"'artist' stands twice"),
        ("artist//album", r"'' says nothing"),
        ("artist/--/album", r"'--' says nothing"),
        ("", r"'' says nothing"),
    ],
)
def test_a_layout_that_makes_no_sense_is_told(layout: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        parse_layout(layout)


def test_one_genre_can_be_given_to_all(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "some/where/b.jpg")
    assert {cover.genres for cover in find(tmp_path, genre="progressive rock").found} == {("progressive rock",)}
    assert {cover.genres for cover in find(tmp_path, genre="rock; pop").found} == {("rock", "pop")}


def test_a_flat_folder_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"2 covers, but no folder that could be their genre") as told:
        find(lay(tmp_path, "a.jpg", "b.jpg"), commands=Commands.of(Path("in"), Path("out")))
    assert '`sleevenotes collect in -o out --genre "progressive rock"`' in str(told.value)
    assert "or none with `sleevenotes collect in -o out --unlabelled`" in str(told.value)


@pytest.mark.parametrize("names", [("a.jpg",), ("img/a.jpg", "img/b.jpg")])
def test_a_table_beside_the_covers_is_pointed_out(tmp_path: Path, names: tuple[str, ...]) -> None:
    lay(tmp_path, *names)
    lay(tmp_path, "albums.csv", content=b"file_name,genre\n")
    with pytest.raises(
        SourceError, match=re.escape(f"`sleevenotes collect {tmp_path / 'albums.csv'} -o out/dataset`, or give all")
    ):
        find(tmp_path)


def test_a_dataset_given_as_a_folder_is_pointed_to_its_table(tmp_path: Path) -> None:
    lay(tmp_path, "images/a.jpg")
    lay(tmp_path, "check.json", "metadata.csv", "train.parquet", content=b"{}")
    with pytest.raises(SourceError, match=re.escape(f"`sleevenotes collect {tmp_path / 'metadata.csv'} -o")):
        find(tmp_path)


def test_a_table_beside_several_genres_or_a_given_genre_does_not_matter(tmp_path: Path) -> None:
    lay(tmp_path, "Rock/a.jpg", "Pop/b.jpg")
    lay(tmp_path, "albums.csv", content=b"file_name,genre\n")
    assert len(find(tmp_path).found) == 2
    assert len(find(tmp_path, genre="rock").found) == 2


def test_a_cover_beside_the_genres_folders_is_left_out_and_told(tmp_path: Path) -> None:
    listing = find(lay(tmp_path, "Rock/a.jpg", "Pop/b.jpg", "stray.jpg"))
    assert len(listing.found) == 2
    assert [each.problem for each in listing.problems] == ["stray.jpg: in no genre's folder. Move it into one."]


def test_a_wrapping_folder_is_pointed_out(tmp_path: Path) -> None:
    listing = find(lay(tmp_path, "download/Rock/a.jpg", "download/Pop/b.jpg"))
    command = f"sleevenotes collect {tmp_path} -o out/dataset --layout '*/genre'"
    assert listing.notes == [f"All 2 covers are of one genre, 'download'. If its folders are the genres: `{command}`."]


def test_a_folder_that_is_not_there_is_told_with_one_that_is(tmp_path: Path) -> None:
    (tmp_path / "covers").mkdir()
    with pytest.raises(SourceError, match=r"cover: no such folder\. .* was expected\. Did you mean 'covers'\?"):
        find(tmp_path / "cover")


def test_a_folder_without_a_picture_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no picture in this folder \(other files: 1\)\. A folder of covers per"):
        find(lay(tmp_path, "notes.txt", content=b"notes"))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    lay(tmp_path / "elsewhere", "a.jpg")
    source = lay(tmp_path / "source", "Rock/b.jpg")
    (source / "Pop").symlink_to(tmp_path / "elsewhere")
    (source / "Rock" / "round").symlink_to(source)
    (source / "Rock" / "lost.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert [cover.source for cover in find(source).found] == ["Pop/a.jpg", "Rock/b.jpg", "Rock/lost.jpg"]


def test_a_folder_can_be_left_out_of_a_walk(tmp_path: Path) -> None:
    lay(tmp_path, "a.jpg", "out/b.jpg", "other/c.jpg")
    files, hidden = walk(tmp_path, skip=tmp_path / "out")
    assert [path.name for path in files] == ["a.jpg", "c.jpg"]
    assert hidden == 0


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("R-4080454-1354392498-6720-jpeg.jpg", "R-4080454"),
        ("R-17.png", "R-17"),
        ("R-17x.png", ""),
        ("A-R-17-1.jpg", ""),
    ],
)
def test_a_discogs_name_tells_the_release(tmp_path: Path, name: str, release: str) -> None:
    assert release_of(name) == release
    extra = find(lay(tmp_path, f"Rock/{name}")).found[0].extra
    assert extra == ({"release": release} if release else {})


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("1964-01-01 00:00:00", "1964"),
        ("1979", "1979"),
        ("1979.0", "1979"),
        (" 1979 ", "1979"),
        ("19790131", "1979"),
        ("19790131T120000", "1979"),
        ("31/12/1979", "1979"),
        ("Mar 5, 1979", "1979"),
        ("℗ 2003 (1979)", "2003"),
        ("0", ""),
        ("", ""),
        ("unknown", ""),
        ("197", ""),
        ("1234567890", ""),
        ("3021", ""),
    ],
)
def test_the_year_of_a_date(text: str, year: str) -> None:
    assert year_of(text) == year


@given(st.text() | st.dates().map(str) | st.integers().map(str))
def test_a_year_is_four_digits_of_the_text_or_nothing(text: str) -> None:
    year = year_of(text)
    assert year in text
    assert year == "" or re.fullmatch("(18|19|20)[0-9]{2}", year)


@given(st.text(min_size=1), st.sampled_from([".jpg", ".JPEG", ".png", ".Avif"]))
def test_only_a_pictures_ending_is_taken_off(name: str, ending: str) -> None:
    assert stem(name + ending) == name
