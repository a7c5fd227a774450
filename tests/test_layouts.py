"""Folders that are more than genres: sides of a split, artists and albums, scans beside covers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from sleevenotes.collect.folders import Commands, find
from sleevenotes.collect.layouts import recognised, side_of
from sleevenotes.collect.scans import beside_covers
from sleevenotes.errors import SourceError

PNG = b"\x89PNG\r\n\x1a\n and so on"


def lay(folder: Path, *names: str, content: bytes = PNG) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def sides(folder: Path, **options: str) -> dict[str, tuple[str, ...]]:
    return {cover.source: (cover.split, *cover.genres) for cover in find(folder, **options).found}


# -- sides of a split --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("train", "train"),
        ("Training Set", "train"),
        ("TRAIN_DATA", "train"),
        ("trainset", "train"),
        ("valid", "valid"),
        ("Val", "valid"),
        ("validation", "valid"),
        ("dev", "valid"),
        ("Test", "test"),
        ("testing", "test"),
        ("test-images", "test"),
        ("eval", "test"),
        ("Soul Train", ""),
        ("Trainspotting", ""),
        ("rock", ""),
        ("", ""),
    ],
)
def test_words_of_a_split(name: str, side: str) -> None:
    assert side_of(name) == side


@pytest.mark.parametrize("wrapped", ["", "download/"])
@pytest.mark.parametrize(
    "names", [("train", "valid", "test"), ("Training", "VAL", "Testing"), ("TRAIN", "dev", "eval")]
)
def test_folders_of_a_split_are_never_genres(tmp_path: Path, wrapped: str, names: tuple[str, ...]) -> None:
    for name in names:
        lay(tmp_path, *(f"{wrapped}{name}/{genre}/{n}.jpg" for genre in ("jazz", "metal") for n in range(3)))
    found = find(tmp_path)
    assert Counter((cover.split, cover.genres) for cover in found.found) == {
        (side, (genre,)): 3 for side in ("train", "valid", "test") for genre in ("jazz", "metal")
    }
    prefix = "*/" if wrapped else ""
    listed = ", ".join(sorted(names))
    assert found.notes == [
        f"The split is that of the folders {listed}; `--layout {prefix}genre` reads these as genres."
    ]
    assert sides(tmp_path, layout=f"{prefix}split/genre") == sides(tmp_path)


def test_a_split_can_lie_below_the_genres(tmp_path: Path) -> None:
    lay(tmp_path, "jazz/train/1.jpg", "jazz/test/2.jpg", "pop/train/3.jpg", "pop/test/4.jpg")
    assert sides(tmp_path) == {
        "jazz/test/2.jpg": ("test", "jazz"),
        "jazz/train/1.jpg": ("train", "jazz"),
        "pop/test/4.jpg": ("test", "pop"),
        "pop/train/3.jpg": ("train", "pop"),
    }


def test_covers_outside_of_a_given_split_are_left_out_and_told(tmp_path: Path) -> None:
    lay(tmp_path, "train/jazz/1.jpg", "train/pop/2.jpg", "test/jazz/3.jpg", "test/pop/4.jpg", "more/pop/5.jpg")
    lay(tmp_path, "test/6.jpg", "7.jpg")
    found = find(tmp_path)
    assert len(found.found) == 4
    assert {each.source: each.problem for each in found.problems} == {
        "7.jpg": "7.jpg: in no folder of the split. Move it into one.",
        "more/pop/5.jpg": "more/pop/5.jpg: in no folder of the split. Move it into one.",
        "test/6.jpg": "test/6.jpg: in no genre's folder. Move it into one.",
    }


def test_one_side_alone_is_no_split(tmp_path: Path) -> None:
    lay(tmp_path, "train/jazz/1.jpg", "train/pop/2.jpg")
    found = find(tmp_path)
    assert sides(tmp_path) == {"train/jazz/1.jpg": ("", "jazz"), "train/pop/2.jpg": ("", "pop")}
    assert found.notes == ["All covers lie in 'train', one side of a split: the folders in it are the genres."]


def test_a_test_without_genres_leaves_no_split(tmp_path: Path) -> None:
    lay(tmp_path, "train/jazz/1.jpg", "train/pop/2.jpg", "test/3.jpg")
    found = find(tmp_path)
    assert {cover.split for cover in found.found} == {""}
    assert found.notes[-1] == "All covers that can be used are train: there is no split to keep."
    assert [each.source for each in found.problems] == ["test/3.jpg"]


def test_a_genre_called_like_a_side_stays_a_genre(tmp_path: Path) -> None:
    lay(tmp_path, "Test/a/1.jpg", "Rock/b/2.jpg", "Pop/c/3.jpg")
    assert {cover.genres for cover in find(tmp_path).found} == {("Test",), ("Rock",), ("Pop",)}


def test_a_layout_with_a_split_needs_one(tmp_path: Path) -> None:
    lay(tmp_path, "rock/pop/1.jpg")
    with pytest.raises(SourceError, match=r"no folder that is a side of a split.*Leave `split` out of the layout"):
        find(tmp_path, layout="split/genre")


def test_a_split_without_genres_goes_with_one_genre_or_none(tmp_path: Path) -> None:
    lay(tmp_path, "train/1.jpg", "test/2.jpg")
    with pytest.raises(SourceError, match="no folder that could be their genre"):
        find(tmp_path)
    assert sides(tmp_path, genre="jazz") == {"test/2.jpg": ("test", "jazz"), "train/1.jpg": ("train", "jazz")}
    assert {cover.split for cover in find(tmp_path, unlabelled=True).found} == {"test", "train"}


# -- artists and albums ------------------------------------------------------------------------------------------------

ALBUMS = ("Can - Tago Mago", "Can - Future Days", "Neu! - Neu! 75", "Faust - IV", "Faust - So Far", "Can - Soon Over")


def test_artists_are_read_from_the_names_of_files(tmp_path: Path) -> None:
    lay(tmp_path, *(f"krautrock/{name}.jpg" for name in ALBUMS))
    found = find(tmp_path)
    assert {(cover.genres, cover.artist) for cover in found.found} == {
        (("krautrock",), artist) for artist in ("Can", "Faust", "Neu!")
    }
    assert found.notes == [
        "Artist and album were read from the file names ('Can', 'Future Days'); `--layout genre` leaves them out."
    ]
    assert {cover.artist for cover in find(tmp_path, layout="genre").found} == {""}


@pytest.mark.parametrize(
    ("pattern", "year"), [("{} (1971)", "1971"), ("{}/front", ""), ("{}", ""), ("{} (1971)/cover", "1971")]
)
def test_other_ways_to_name_artist_and_album(tmp_path: Path, pattern: str, year: str) -> None:
    lay(tmp_path, *(f"train/rock/{pattern.format(name)}.jpg" for name in ALBUMS))
    lay(tmp_path, *(f"test/rock/{pattern.format(name)} 2.jpg" for name in ALBUMS if "/" not in pattern and not year))
    lay(tmp_path, *(f"test/pop/{pattern.format(name)}.jpg" for name in ALBUMS))
    cover = next(cover for cover in find(tmp_path).found if cover.album == "Tago Mago")
    assert (cover.artist, cover.year, cover.split, cover.genres) == ("Can", year, "test", ("pop",))


@pytest.mark.parametrize(
    "names",
    [
        [f"{n:02} - Album {n}" for n in range(9)],  # numbers are no artists
        ["Red - Can", "Blue - Can", "Green - Can", "Grey - Can", "White - Neu!"],  # the album first
        ["Can - Soon", "Tago Mago", "Faust", "Neu!", "Cluster"],  # few
        ["Can - Soon", "Can - Soon Over"],
    ],
)
def test_names_that_only_resemble_artists_are_left_alone(tmp_path: Path, names: list[str]) -> None:
    lay(tmp_path, *(f"rock/{name}.jpg" for name in names))
    assert {cover.artist for cover in find(tmp_path).found} == {""}


def test_folders_of_artists_are_no_genres_but_offered(tmp_path: Path) -> None:
    lay(tmp_path, "Can/Tago Mago/cover.jpg", "Can/Soon/cover.jpg", "Neu!/75/folder.jpg", "Faust/IV/front.png")
    with pytest.raises(SourceError) as told:
        find(tmp_path, commands=Commands.of(Path("in"), Path("out"), "sleevenotes run in -o ."))
    said = str(told.value)
    assert "its 3 folders look like artists, not like genres ('Can', 'Faust', 'Neu!')" in said
    assert "`sleevenotes collect in -o out --layout artist/album --unlabelled`" in said
    assert "`sleevenotes run in -o . --layout genre`" in said
    assert {cover.genres for cover in find(tmp_path, layout="genre").found} == {("Can",), ("Neu!",), ("Faust",)}
    covers = find(tmp_path, layout="artist/album", unlabelled=True).found
    assert {(cover.artist, cover.genres) for cover in covers} == {("Can", ()), ("Neu!", ()), ("Faust", ())}


@pytest.mark.parametrize("base", ["genre", "split/genre"])
def test_two_levels_below_the_genres_are_offered_as_artists_and_albums(tmp_path: Path, base: str) -> None:
    for side in ("train/", "test/") if base == "split/genre" else ("",):
        lay(tmp_path, f"{side}Polka/Can/Soon/cover.jpg", f"{side}Schlager/Neu!/75/cover.jpg")
    commands = Commands.of(Path("my covers"), Path("out"))
    listing = find(tmp_path, commands=commands)
    assert {cover.genres for cover in listing.found} == {("Polka",), ("Schlager",)}
    assert f"`sleevenotes collect 'my covers' -o out --layout {base}/artist/album`" in listing.notes[-1]
    assert {cover.artist for cover in find(tmp_path, layout=f"{base}/artist/album").found} == {"Can", "Neu!"}


def test_music_among_the_covers_is_counted(tmp_path: Path) -> None:
    lay(tmp_path, "Pink Floyd/Animals/Animals.jpg", "Various Artists/Nuggets/scan1.jpg")
    lay(tmp_path, "Pink Floyd/Animals/1.flac", "Pink Floyd/Animals/2.MP3", content=b"music")
    with pytest.raises(SourceError, match=r"look like artists, not like genres \(.*\), beside 2 music files\."):
        find(tmp_path)
    listing = find(tmp_path, layout="genre")
    assert listing.notes == ["2 music files lie here: genres and covers in the tags of music are not read."]


@pytest.mark.parametrize(
    "names",
    [
        ["Rock/Animals/cover.jpg", "Jazz/Blue Train/cover.jpg"],  # known genres
        [f"genre {g}/album {n}/cover.jpg" for g in "ab" for n in range(12)],  # many albums each
        ["Volksmusik/a.jpg", "Schlager/b.jpg"],
        ["Volksmusik/1/a.jpg", "Schlager/1/b.jpg"],
    ],
)
def test_genres_are_not_taken_for_artists(tmp_path: Path, names: list[str]) -> None:
    assert len(find(lay(tmp_path, *names)).found) == len(names)


# -- covers without a genre --------------------------------------------------------------------------------------------


def test_covers_can_have_no_genre_at_all(tmp_path: Path) -> None:
    found = find(lay(tmp_path, "a.jpg", "some/where/b.jpg"), unlabelled=True)
    assert [(cover.source, cover.genres) for cover in found.found] == [("a.jpg", ()), ("some/where/b.jpg", ())]
    assert not found.problems


@pytest.mark.parametrize("options", [{"genre": "rock"}, {"layout": "genre/album"}])
def test_no_genre_does_not_go_with_one(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(SourceError, match="--unlabelled: given with a genre"):
        find(lay(tmp_path, "a.jpg"), unlabelled=True, **options)


# -- scans beside a cover ----------------------------------------------------------------------------------------------


def kept(folder: Path, **options: str) -> list[str]:
    return [cover.source for cover in find(folder, **options).found]


BESIDE = (
    *(
        "back.jpg",
        "Back Cover.jpg",
        "cd.jpg",
        "CD1.png",
        "disc 2.jpg",
        "booklet-01.jpg",
        "booklet 2-3.jpg",
        "inlay.jpg",
    ),
    *(
        "inside.jpg",
        "tray.jpg",
        "matrix.jpg",
        "obi.jpg",
        "AlbumArtSmall.jpg",
        "AlbumArt_{0A-1B}_Small.jpg",
        "scan0001.png",
    ),
    *("cover_back.jpg", "Cover (back).jpg", "folder.jpg", "thumb.jpg", "Scans/front.jpg", "Artwork/page 1.jpg"),
    *("Scans/Booklet/7.jpg", "CD 1/folder.jpg", "thumbs/cover.jpg"),
)


@pytest.mark.parametrize("layout", [None, "genre/artist/album", "*/artist/album"])
def test_scans_beside_a_cover_are_left_out_and_told(tmp_path: Path, layout: str | None) -> None:
    album = "Metal/Opeth/Damnation"
    lay(tmp_path, *(f"{album}/{name}" for name in BESIDE))
    lay(tmp_path, f"{album}/cover.jpg", content=PNG * 2)
    lay(tmp_path, "Jazz/Can/Soon/only.jpg")
    listing = find(tmp_path, layout=layout)
    assert [cover.source for cover in listing.found] == ["Jazz/Can/Soon/only.jpg", f"{album}/cover.jpg"]
    assert {each.source for each in listing.scans} == {f"{album}/{name}" for name in BESIDE}
    said = {each.source: each.problem for each in listing.scans}[f"{album}/back.jpg"]
    assert said == (
        f"{album}/back.jpg: by its name no front cover, and {album}/cover.jpg lies beside it. "
        "Rename it if it is a cover of its own."
    )


def test_of_several_fronts_the_largest_file_is_kept(tmp_path: Path) -> None:
    lay(tmp_path, "Rock/A/folder.jpg", "Rock/B/cover.jpg")
    lay(tmp_path, "Rock/A/cover.jpg", "Rock/B/AlbumArt_{0A}_Large.jpg", content=PNG * 9)
    assert kept(tmp_path) == ["Rock/A/cover.jpg", "Rock/B/AlbumArt_{0A}_Large.jpg"]


@pytest.mark.parametrize(
    "names",
    [
        ["Rock/back.jpg", "Rock/cover.jpg", "Rock/inside.jpg", "Rock/disc.jpg"],  # titles in a genre's folder
        ["Rock/Album/back.jpg"],  # the only picture there is
        ["Rock/Album/back.jpg", "Rock/Album/cd.jpg"],
        ["Rock/AC DC/back in black.jpg", "Rock/AC DC/cover.jpg"],
        ["Rock/some/cover1.jpg", "Rock/some/cover2.jpg", "Rock/some/cover3.jpg"],
        ["Rock/A/cover.jpg", "Rock/A/back.jpg", "Rock/A/abba.jpg", "Rock/A/alice.jpg", "Rock/A/ac dc.jpg"],
        ["Rock/The Used/folder.jpg", "Rock/The Used/Artwork/cover.jpg", "Rock/The Used/Berth/cover.jpg"],
        ["Rock/Scans/cover.jpg", "Rock/cover.jpg"],
        ["Rock/Help!.jpg", "Rock/Help! Inside.jpg", "Rock/Bo Burnham - Inside.jpg", "Rock/Bo Burnham.jpg"],
    ],
)
def test_no_cover_is_taken_for_a_scan(tmp_path: Path, names: list[str]) -> None:
    assert kept(lay(tmp_path, *names)) == sorted(names)


def test_scans_can_be_named_after_their_cover(tmp_path: Path) -> None:
    lay(tmp_path, *(f"Rock/Can - Soon{ending}.jpg" for ending in ("", " (back)", " - CD", "-inlay", " [Disc 2]")))
    lay(tmp_path, *(f"Rock/neu_75{ending}.jpg" for ending in ("-front", "-back", "_cd1")))
    assert kept(tmp_path) == ["Rock/Can - Soon.jpg", "Rock/neu_75-front.jpg"]


def test_thumbnails_of_what_lies_beside_are_left_out(tmp_path: Path) -> None:
    lay(tmp_path, "Rock/a.jpg", "Rock/b.jpg", "Rock/thumbs/a.png", "Rock/thumbs/b.png")
    lay(tmp_path, "Pop/c.jpg", "Pop/thumbs/d.png", "Pop/thumbs/e.png")
    assert kept(tmp_path) == ["Pop/c.jpg", "Pop/thumbs/d.png", "Pop/thumbs/e.png", "Rock/a.jpg", "Rock/b.jpg"]


def test_layouts_that_name_files_lose_none(tmp_path: Path) -> None:
    names = [f"Rock/Can/{title}.jpg" for title in ("back", "cover", "inside", "Can")]
    assert kept(lay(tmp_path, *names), layout="genre/artist/album.*") == sorted(names)


TITLES = st.lists(
    st.one_of(
        st.sampled_from(
            ["back", "cover", "folder", "Front", "cd", "booklet-01", "Inside", "obi", "scan", "AlbumArtSmall"]
        ),
        st.text(
            st.characters(exclude_characters="/\\-_()[]", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12
        ),
    ),
    unique_by=str.casefold,
    max_size=12,
)


@given(titles=TITLES, folders=TITLES)
@example(titles=["cover", "back"], folders=["Scans"])
def test_a_folder_per_genre_loses_no_title(titles: list[str], folders: list[str]) -> None:
    places = [(("rock",), title) for title in titles]
    places += [(("pop", folder), "cover") for folder in folders]
    assert beside_covers(places, depth=2, size=lambda index: 1) == {}


@given(
    folders=st.lists(st.lists(st.sampled_from(["train", "rock", "x", "test", "y"]), max_size=3).map(tuple), min_size=1)
)
def test_recognising_never_fails(folders: list[tuple[str, ...]]) -> None:
    found = recognised(folders, ["a - b"] * len(folders), genre_given=False)
    assert found is None or found.layout
