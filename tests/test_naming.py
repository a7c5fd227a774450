from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, strategies as st

from sleevenotes.collect.folders import PICTURE_ENDINGS
from sleevenotes.collect.naming import FOLDER_BYTES, PATH_CHARACTERS, RESERVED, Names, safe_path

PARTS = st.text(max_size=20) | st.sampled_from(
    ["CON", "nul.txt", "LPT1", "..", ".", "", " x ", "x.", "train", "x.jpg", "é", "e\u0301", "\ud800", "a" * 300, "img"]
)
SOURCES = st.lists(PARTS, min_size=1, max_size=5).map("/".join)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("Rock/Vol. 2_1969.jpg", "Rock/Vol. 2_1969"),
        ('styles/What\'s "Going" On?.jpg', "styles/What's _Going_ On_"),
        ("img/a.jpg", "a"),
        ("img.jpg", "img"),
        ("../covers/a.png", "a"),
        ("Rock/...hidden", "Rock/_..hidden"),
        ("aux/con.tar.png", "_aux/_con.tar"),
        ("Rock/  two   spaces .jpg", "Rock/two spaces"),
        ("Rock/e\u0301.jpg", "Rock/é"),
        ("a.jpg/b.jpg", "a_jpg/b"),
        ("Rock/bad\udcff\x07name.jpg", "Rock/bad__name"),
        ("Rock/night train - test.jpg", "Rock/night Train - Test"),
        ("Rock/trains, Testament, evaluate.jpg", "Rock/trains, Testament, evaluate"),
        ("", "_"),
        ("/", "_"),
    ],
)
def test_names_stay_readable(source: str, path: str) -> None:
    assert safe_path(source) == path


@given(SOURCES)
def test_names_can_be_held_by_every_system(source: str) -> None:
    path = safe_path(source)
    assert 0 < len(path) <= PATH_CHARACTERS
    parts = path.split("/")
    for part in parts:
        assert part
        assert part == part.strip()
        assert part not in (".", "..")
        assert not part.startswith(".")
        assert not part.endswith(".")
        assert not re.search(r'[<>:"\\|?*;\x00-\x1f\x7f]', part)
        assert part.partition(".")[0].rstrip().upper() not in RESERVED
        assert len(part.encode()) <= 101
    for folder in parts[:-1]:
        assert len(folder.encode()) <= FOLDER_BYTES + 1
        assert not any(folder.lower().endswith(ending) for ending in PICTURE_ENDINGS)


@given(st.lists(st.tuples(SOURCES, st.sampled_from([".jpg", ".png"])), max_size=30))
def test_no_two_covers_get_the_same_name_in_any_case(covers: list[tuple[str, str]]) -> None:
    def again() -> list[str]:
        names = Names()
        return [names.free(source, suffix) for source, suffix in covers]

    given_names = again()
    folded = {unicodedata.normalize("NFC", name.casefold()) for name in given_names}
    assert len(folded) == len(covers)
    assert given_names == again()
    assert all(
        name.startswith("images/") and name.endswith(each[1]) for name, each in zip(given_names, covers, strict=True)
    )


def test_collisions_are_numbered_in_order() -> None:
    names = Names()
    sources = ["x/a.jpg", "X/A.jpeg", "x/a?.jpg", "x/a-2.jpg", "x/a.png"]
    assert [names.free(source, ".jpg") for source in sources] == [
        "images/x/a.jpg",
        "images/X/A-2.jpg",
        "images/x/a_.jpg",
        "images/x/a-2-2.jpg",
        "images/x/a-3.jpg",
    ]


def test_a_deep_path_keeps_its_first_folder_and_its_name() -> None:
    deep = "/".join(["Rock", *["x" * 50] * 6, "cover.jpg"])
    assert safe_path(deep) == "Rock/cover"
