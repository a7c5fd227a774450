from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sleevenotes.covers.genres import (
    OTHER_NAMES,
    WRITTEN_SO,
    GenreMap,
    plain,
    spelling_key,
    tidy,
    write_map,
)
from sleevenotes.errors import DatasetError

NAMES = st.text(max_size=24) | st.sampled_from(
    ["R&B", "Rock 'n' Roll", "drum n bass", "Funk / Soul", "Hip-Hop", "rock;pop", "Yé-Yé", "Straße", "ΑΣ", "İstanbul"]
)


@pytest.mark.parametrize(
    ("written", "spellings"),
    [
        ("hip-hop", ["Hip-Hop", "hiphop", "Hip Hop", "HipHop", "hip_hop", " HIP  HOP ", "hip - hop", "Hip‐Hop"]),
        ("r&b", ["R&B", "rnb", "R & B", "RnB", "R'n'B", "r and b", "RB"]),
        ("drum & bass", ["Drum & Bass", "drum n bass", "Drum'n'Bass", "dnb", "D&B", "drumnbass", "drum+bass"]),
        ("rock & roll", ["Rock & Roll", "rock'n'roll", "Rock ’n’ Roll", "rock and roll", "rockroll", "Rock n' Roll"]),
        ("folk, world & country", ["Folk, World, & Country", "folkworldcountry"]),
        ("progressive rock", ["Prog Rock", "progrock", "Progressive-Rock"]),
        ("synth-pop", ["Synthpop", "synth pop"]),
        ("nu metal", ["Nü Metal", "NuMetal"]),
        ("neue deutsche welle", ["Neue Deutsche Welle", "neue_deutsche_welle"]),
    ],
)
def test_spellings_of_one_genre_get_one_name(written: str, spellings: list[str]) -> None:
    assert {tidy(name) for name in spellings} == {written}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pop rock", "pop"),
        ("pop/rock", "pop rock"),
        ("rap", "hip-hop"),
        ("rhythm & blues", "r&b"),
        ("soul", "funk/soul"),
        ("electro", "electronic"),
        ("prog", "progressive rock"),
        ("metal", "heavy metal"),
        ("が", "か"),
    ],
)
def test_different_genres_stay_apart(one: str, other: str) -> None:
    assert tidy(one) != tidy(other)


@given(NAMES)
def test_tidying_twice_changes_nothing(name: str) -> None:
    assert tidy(tidy(name)) == tidy(name)
    assert plain(plain(name)) == plain(name)


@given(NAMES)
def test_tidy_names_are_lower_case_one_line_and_free_of_semicolons(name: str) -> None:
    tidied = tidy(name)
    assert tidied == tidied.lower() == tidied.strip()
    assert ";" not in tidied
    assert len(tidied.splitlines()) <= 1
    assert tidied.encode().decode() == tidied


@given(NAMES)
def test_case_spaces_and_hyphens_never_make_a_new_genre(name: str) -> None:
    assert spelling_key(name) == spelling_key(f" {name} ".replace(" ", "_"))
    if name.isascii():
        assert spelling_key(name.upper()) == spelling_key(name.lower())


def test_every_listed_name_is_written_as_listed_and_no_name_is_claimed_twice() -> None:
    names = [name.strip() for name in WRITTEN_SO.split(",")] + list(OTHER_NAMES)
    assert [tidy(name) for name in names] == names
    claims: dict[str, str] = {}
    for name in names:
        for spelling in (name, *OTHER_NAMES.get(name, ())):
            assert claims.setdefault(spelling_key(spelling), name) == name
            assert tidy(spelling) == name


def test_unknown_spellings_are_joined_under_the_commonest() -> None:
    counts = {"Zeuhl-Core": 1, "zeuhlcore": 3, "zeuhl core": 2}
    assert set(GenreMap().apply(counts).values()) == {("zeuhlcore",)}


def test_equally_common_spellings_are_joined_under_the_first_by_the_alphabet() -> None:
    counts = {"zeuhlcore": 2, "zeuhl core": 1, "Zeuhl Core": 1}
    assert set(GenreMap().apply(counts).values()) == {("zeuhl core",)}


def test_a_name_of_signs_alone_stays_and_an_empty_one_goes() -> None:
    assert GenreMap().apply({"???": 1, " _ ": 1}) == {"???": ("???",), " _ ": ()}


def test_the_users_map_goes_before_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("from,to,covers\nrap,Hip Hop,3\nspoken word,,1\nfolkrock,folk;rock,2\n", encoding="utf-8")
    mapping = GenreMap.read(path).apply({"Rap": 3, "HipHop": 9, "Spoken-Word": 1, "Folk Rock": 2, "Jazz": 1})
    assert mapping == {
        "Rap": ("Hip Hop",),
        "HipHop": ("Hip Hop",),  # spelt as the user spells it
        "Spoken-Word": (),
        "Folk Rock": ("folk", "rock"),
        "Jazz": ("jazz",),
    }


def test_rows_for_two_spellings_of_one_genre_can_part_them() -> None:
    mapping = GenreMap({"Hip Hop": ("hip hop",), "hiphop": ("rap",)}).apply({"Hip Hop": 1, "hiphop": 1, "Hip-Hop": 1})
    assert mapping == {"Hip Hop": ("hip hop",), "hiphop": ("rap",), "Hip-Hop": ("hip hop",)}


@given(st.dictionaries(NAMES, st.integers(1, 99), max_size=8))
def test_the_written_map_given_back_changes_nothing(counts: dict[str, int]) -> None:
    mapping = GenreMap().apply(counts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "genres.csv"
        write_map(path, counts, mapping)
        again = GenreMap.read(path).apply(counts)
    assert again == mapping


def test_the_written_map_has_the_commonest_first(tmp_path: Path) -> None:
    counts = {"Pop": 1, "HipHop": 5, "jazz": 1}
    write_map(tmp_path / "genres.csv", counts, GenreMap().apply(counts))
    written = (tmp_path / "genres.csv").read_text(encoding="utf-8")
    assert written == "from,to,covers\nHipHop,hip-hop,5\nPop,pop,1\njazz,jazz,1\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", r"map\.csv: empty\. .*from,to was expected"),
        ("from,into\n", r"no column 'to' among from, into"),
        ("form,to\n", r"no column 'from' among form, to.*Did you mean 'form'\?"),
        ("from,to\n,pop\n", r"1 row can't be used.*\n  row 2: 'from' is empty"),
        ("from,to\nrap,pop\nx,\nrap,rock\n", r"row 4: 'rap' stands in row 2 already, with another 'to'"),
        ("from,to\na,Hip Hop\nb,hip-hop\n", r"row 3: 'hip-hop' is spelt 'Hip Hop' in row 2"),
        ('from,to\n"rap,pop\n', r"can't be read as CSV"),
    ],
)
def test_a_map_that_makes_no_sense_is_told_with_its_rows(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "map.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=said):
        GenreMap.read(tmp_path / "map.csv")


def test_all_bad_rows_of_a_map_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("from,to\n,a\nb,c\nb,d\n", encoding="utf-8")
    with pytest.raises(DatasetError) as told:
        GenreMap.read(tmp_path / "map.csv")
    assert len(told.value.problems) == 2


def test_a_map_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.csv: can't be read \(No such file"):
        GenreMap.read(tmp_path / "nowhere.csv")


def test_a_map_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_bytes("from,to\nyé-yé,pop\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"map\.csv: can't be read as CSV .* in UTF-8"):
        GenreMap.read(tmp_path / "map.csv")


def test_a_map_from_a_spreadsheet_is_read_whatever_its_marks(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("\ufeffFrom, To\r\n Rap ,hip-hop\r\n\r\n", encoding="utf-8", newline="")
    assert GenreMap.read(tmp_path / "map.csv").overrides == {"Rap": ("hip-hop",)}
