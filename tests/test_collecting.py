from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sleevenotes.collect import collecting, gathering
from sleevenotes.collect.collecting import CollectResult, CollectSettings, collect
from sleevenotes.covers.dataset import COLUMNS, Dataset
from sleevenotes.covers.images import decode, encode
from sleevenotes.errors import DatasetError, SourceError

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="killing, links and odd names need a POSIX system")


def picture(shade: int, format: str = "jpeg", size_px: tuple[int, int] = (12, 16)) -> bytes:
    pixels = np.full((*size_px, 3), shade, np.uint8)
    pixels[:4, :4] = 255 - shade
    return encode(pixels, format)


def lay(folder: Path, covers: dict[str, bytes]) -> Path:
    for name, content in covers.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def bitmap(shade: int) -> bytes:
    """A BMP of one pixel: whatever the shade, it has the same size."""
    header = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0\1\0\x18\0\0\0\0\0\4\0\0\0"
    return header + bytes(16) + bytes([shade, shade, shade, 0])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eight files in three genres: five covers, one thrice, one broken, one of no kind."""
    return lay(
        tmp_path / "source",
        {
            "HipHop/R-1-2-3-jpeg.jpg": picture(10),
            "HipHop/twin.jpg": picture(20),
            "Pop/twin again.jpg": picture(20),
            "Pop/What?.jpg": picture(30, "png", (20, 10)),
            "Rock/cut.jpg": picture(40)[:200],
            "Rock/page.jpg": b"<html>404</html>",
            "Rock/ok.webp": picture(50, "webp"),
            "Rock/third.jpg": picture(20),
        },
    )


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(dataset: Path, name: str = "metadata.csv") -> list[dict[str, str]]:
    with (dataset / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def problems(result: CollectResult) -> dict[str, str]:
    return {each.source: each.problem for each in result.problems}


# -- the dataset -------------------------------------------------------------------------------------------------------


def test_a_folder_per_genre_becomes_a_dataset(source: Path, tmp_path: Path) -> None:
    result = collect(source, tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")
    assert tuple(dataset.covers.columns) == (*COLUMNS, "release")
    assert dataset.file_names == [
        "images/HipHop/R-1-2-3-jpeg.jpg",
        "images/HipHop/twin.jpg",
        "images/Pop/What_.png",  # by content
        "images/Rock/ok.webp",
    ]
    assert dataset.column("source")[2] == "Pop/What?.jpg"
    assert dataset.column("release") == ["R-1", "", "", ""]
    assert dataset.covers["width"].to_list() == [16, 16, 10, 16]
    assert dataset.covers["height"].to_list() == [12, 12, 20, 12]
    assert result.dataset.covers.equals(dataset.covers)
    assert result.fresh


def test_covers_are_copied_byte_for_byte_and_the_source_is_never_touched(source: Path, tmp_path: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in source.rglob("*") if path.is_file()}
    dataset = collect(source, tmp_path / "out").dataset
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert len(list(source.rglob("*"))) == len(before) + 3
    for name, path in zip(dataset.column("source"), dataset.paths, strict=True):
        assert path.read_bytes() == (source / name).read_bytes()
        assert not path.samefile(source / name)


def test_equal_files_become_one_cover_with_the_genres_of_all(source: Path, tmp_path: Path) -> None:
    result = collect(source, tmp_path / "out")
    assert result.dataset.genre_lists == [("hip-hop",), ("hip-hop", "pop", "rock"), ("pop",), ("rock",)]
    same = "byte for byte the same as HipHop/twin.jpg. They are one cover, with all their genres."
    assert problems(result)["Pop/twin again.jpg"] == same
    assert problems(result)["Rock/third.jpg"] == same
    assert result.counts["duplicates"] == 2


def test_broken_covers_are_left_out_and_told(source: Path, tmp_path: Path) -> None:
    result = collect(source, tmp_path / "out")
    told = problems(result)
    assert "Rock/cut.jpg" not in told["Rock/cut.jpg"]  # not named again
    assert told["Rock/page.jpg"].startswith("an HTML page.")
    assert result.counts["broken"] == 2
    assert result.counts["found"] == 8 == sum(result.counts[name] for name in ("covers", "duplicates", "broken"))
    written = rows(tmp_path / "out", "problems.csv")
    assert [(row["source"], row["problem"]) for row in written] == list(told.items())


def test_the_last_line_says_what_became_of_every_file(source: Path, tmp_path: Path) -> None:
    lay(source, {"Pop/notes.txt": b"notes", "Pop/Scans/a.txt": b"notes", "readme.jpg": picture(70)})
    lay(source, {"Jazz/Soon/cover.jpg": picture(80), "Jazz/Soon/back.jpg": picture(90)})
    (source / "Classical").mkdir()
    (source / ".git").mkdir()
    lay(source, {"Ska/broken.jpg": b"no picture", ".git/x.jpg": b"hidden"})
    result = collect(source, tmp_path / "out")
    assert result.lines[0].startswith(f"5 covers of 4 genres in {tmp_path / 'out'}, ")
    assert result.closing == (
        "12 files: 5 covers, 2 merged, 3 unreadable, 1 in no genre's folder, 1 scan beside a cover "
        f"({tmp_path / 'out' / 'problems.csv'}), 2 other files ignored; no cover in: Classical, Ska; "
        "few covers: jazz (1), hip-hop (2), pop (2), rock (2)."
    )
    counts = result.counts
    assert sum(counts[name] for name in ("covers", "duplicates", "broken", "unlisted", "scans")) == 12
    again = collect(source, tmp_path / "out")
    assert (again.fresh, again.closing) == (False, result.closing)
    assert len(rows(tmp_path / "out", "problems.csv")) == 7


def test_the_last_line_counts_rows_of_a_table(tmp_path: Path) -> None:
    lay(tmp_path / "in", {f"{n}.jpg": picture(n) for n in range(10)})
    table = "file_name,genre\n" + "".join(f"{n}.jpg,rock\n" for n in range(11))
    (tmp_path / "in" / "albums.csv").write_text(table, encoding="utf-8")
    result = collect(tmp_path / "in" / "albums.csv", tmp_path / "out")
    assert result.lines[-1] == f"11 rows: 10 covers, 1 not usable ({tmp_path / 'out' / 'problems.csv'})."
    assert rows(tmp_path / "out", "genres.csv") == [{"from": "rock", "to": "rock", "covers": "10"}]


def test_a_split_of_folders_goes_into_the_dataset(tmp_path: Path) -> None:
    lay(tmp_path / "in", {f"{side}/{genre}/{n}.jpg": picture(9 * (n + 10 * (genre == "pop") + 5 * (side == "test")))
                          for side in ("train", "test") for genre in ("pop", "jazz") for n in range(5)})  # fmt: skip
    lay(tmp_path / "in", {"train/pop/same.jpg": picture(45)})  # as test/jazz/0.jpg, and train/jazz/5.jpg would be
    result = collect(tmp_path / "in", tmp_path / "out")
    told = dict(zip(result.dataset.column("source"), result.dataset.column("split"), strict=True))
    assert {source: side for source, side in told.items() if not source.startswith(side)} == {}
    assert told["test/jazz/0.jpg"] == "test"
    assert (
        "1 cover lies on two sides of the split that came with them, as equal files: kept once, in test or valid."
        in (result.notes)
    )
    result.dataset.with_columns(split=["valid"] * len(result.dataset), group=["g"] * len(result.dataset)).write()
    lay(tmp_path / "in", {"train/pop/new.jpg": picture(250)})
    again = collect(tmp_path / "in", tmp_path / "out").dataset
    assert set(again.column("split")) == {"train", "test"}  # as given, not as it was before
    assert set(again.column("group")) == {"", "g"}


def test_a_title_is_kept_until_another_one_is_given(source: Path, tmp_path: Path) -> None:
    assert collect(source, tmp_path / "out").dataset.name == "source"
    again = collect(source, tmp_path / "out", settings=CollectSettings(title="Mine"))
    assert (again.fresh, again.dataset.name) == (False, "Mine")
    lay(source, {"Rock/new.jpg": picture(100)})
    assert collect(source, tmp_path / "out").dataset.name == "Mine"
    assert collect(source, tmp_path / "out", settings=CollectSettings(title="Ours")).dataset.name == "Ours"


def test_covers_without_a_genre_make_a_dataset(tmp_path: Path) -> None:
    lay(tmp_path / "in", {"a.jpg": picture(1), "b.jpg": picture(2)})
    result = collect(tmp_path / "in", tmp_path / "out", settings=CollectSettings(unlabelled=True))
    assert result.dataset.genre_lists == [(), ()]
    assert result.lines[0].startswith(f"2 covers without a genre in {tmp_path / 'out'}")
    assert result.closing == "2 files: 2 covers."
    (tmp_path / "in" / "t.csv").write_text("file\na.jpg\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"a table with `--unlabelled`\. It is for folders"):
        collect(tmp_path / "in" / "t.csv", tmp_path / "other", settings=CollectSettings(unlabelled=True))


def test_the_genres_file_shows_what_became_of_each_name(source: Path, tmp_path: Path) -> None:
    collect(source, tmp_path / "out")
    assert [tuple(row.values()) for row in rows(tmp_path / "out", "genres.csv")] == [
        ("HipHop", "hip-hop", "2"),
        ("Pop", "pop", "2"),
        ("Rock", "rock", "2"),
    ]


def test_what_is_known_of_a_cover_is_filled_in_from_its_equals(tmp_path: Path) -> None:
    lay(tmp_path / "in", {"a.jpg": picture(1), "b.jpg": picture(1), "c.jpg": picture(2)})
    text = "file_name,genre,artist,album,year,mood\na,rock,,Soon,,\nb,pop,Can,Later,1971,glad\nc,pop,,,,\na,folk,,,,\n"
    (tmp_path / "in" / "t.csv").write_text(text, encoding="utf-8")
    result = collect(tmp_path / "in" / "t.csv", tmp_path / "out")
    first, second = rows(tmp_path / "out")
    assert [first[name] for name in ("genres", "artist", "album", "year", "mood")] == [
        "rock;pop;folk", "Can", "Soon", "1971", "glad",
    ]  # fmt: skip
    assert second["artist"] == ""
    assert result.problems[1].problem == ("named in row 5 as in row 2 already. It is one cover, with all their genres.")


def test_a_table_goes_in_with_its_quirks(tmp_path: Path) -> None:
    lay(tmp_path / "in" / "img", {'"Heroes"_1977.jpg': picture(1), "No. 2_1965.jpg": picture(2)})
    text = 'Filename,Genres,Release Year\n"""Heroes""_1977",rock artrock,1977-01-01 00:00:00\n'
    text += "No. 2_1965,rock,1965\nx,pop,\n"
    (tmp_path / "in" / "t.csv").write_text(text, encoding="utf-8")
    result = collect(tmp_path / "in" / "t.csv", tmp_path / "out", settings=CollectSettings(separator=" "))
    assert result.dataset.file_names == ["images/_Heroes__1977.jpg", "images/No. 2_1965.jpg"]
    assert result.dataset.genre_lists == [("rock", "art rock"), ("rock",)]
    assert result.dataset.column("year") == ["1977", "1965"]
    assert problems(result)["x"].startswith("t.csv, row 4: there is no file 'x'")
    assert result.counts["unlisted"] == 1


def test_a_layout_gives_artist_and_album(tmp_path: Path) -> None:
    lay(tmp_path / "in", {"Can/Tago Mago/cover.jpg": picture(1), "Neu!/Neu! 2/cover.jpg": picture(2)})
    dataset = collect(tmp_path / "in", tmp_path / "out", settings=CollectSettings(layout="artist/album")).dataset
    assert dataset.column("artist") == ["Can", "Neu!"]
    assert dataset.column("album") == ["Tago Mago", "Neu! 2"]
    assert dataset.genre_lists == [(), ()]


def test_one_genre_can_be_given_to_all(source: Path, tmp_path: Path) -> None:
    dataset = collect(source, tmp_path / "out", settings=CollectSettings(genre="Prog Rock")).dataset
    assert set(dataset.genre_lists) == {("progressive rock",)}


def test_a_map_of_genres_is_followed_and_drops_covers(source: Path, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("from,to\nhiphop,rap\nRock,\n", encoding="utf-8")
    result = collect(source, tmp_path / "out", settings=CollectSettings(genre_map=tmp_path / "map.csv"))
    assert result.dataset.genre_lists == [("rap",), ("rap", "pop"), ("pop",)]
    assert result.counts["dropped"] == 4
    assert result.notes == ["The map drops all genres of 4 of 8 covers: left out."]
    assert rows(tmp_path / "out", "genres.csv")[0] == {"from": "Rock", "to": "", "covers": "4"}


def test_progress_counts_from_none_to_all(source: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    collect(source, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 8) for number in range(9)]


@posix_only
def test_links_share_the_bytes_of_the_source(source: Path, tmp_path: Path) -> None:
    dataset = collect(source, tmp_path / "out", settings=CollectSettings(link=True)).dataset
    pairs = list(zip(dataset.column("source"), dataset.paths, strict=True))
    assert all(path.samefile(source / name) for name, path in pairs)
    collect(source, tmp_path / "out")
    assert not any(path.samefile(source / name) for name, path in pairs)
    collect(source, tmp_path / "out", settings=CollectSettings(link=True))
    assert all(path.samefile(source / name) for name, path in pairs)


def test_where_linking_is_impossible_covers_are_copied_and_counted(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    result = collect(source, tmp_path / "out", settings=CollectSettings(link=True))
    assert result.counts["unlinked"] == 4
    assert result.notes == ["No link could be made for 4 of 4 covers: copied."]
    assert len(Dataset.open(tmp_path / "out")) == 4


@posix_only
def test_names_that_are_no_utf8_go_in_and_through_a_restart(tmp_path: Path) -> None:
    odd = tmp_path / "in" / os.fsdecode(b"R\xf6ck") / os.fsdecode(b"h\xfcte.jpg")
    try:
        odd.parent.mkdir(parents=True)
        odd.write_bytes(picture(1))
    except OSError:
        pytest.skip("this disk refuses such names")
    lay(tmp_path / "in", {"Pop/a.jpg": picture(2)})
    whole = collect(tmp_path / "in", tmp_path / "out")
    assert whole.dataset.column("source") == ["Pop/a.jpg", "R?ck/h?te.jpg"]
    assert whole.dataset.file_names[1] == "images/R_ck/h_te.jpg"
    assert whole.dataset.genres == ["pop", "r ck"]
    with pytest.raises(KeyboardInterrupt):
        collect(tmp_path / "in", tmp_path / "again", progress=interrupt_at(2))
    assert collect(tmp_path / "in", tmp_path / "again").counts["kept"] == 2
    assert content(tmp_path / "again") == content(tmp_path / "out")


def test_a_huge_file_is_never_read(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MAX_BYTES", 1000)
    (source / "Rock" / "ok.webp").write_bytes(b"RIFF" + bytes(1001))
    told = problems(collect(source, tmp_path / "out"))
    assert told["Rock/ok.webp"] == "1,005 bytes. At most 1,000 was expected. Scale it down."


def test_the_limit_of_pixels_is_kept(source: Path, tmp_path: Path) -> None:
    told = problems(collect(source, tmp_path / "out", settings=CollectSettings(max_pixels=195)))
    assert "Pop/What?.jpg" in told
    assert "HipHop/twin.jpg" not in told


# -- interrupted and again ---------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from sleevenotes.collect.collecting import CollectSettings, collect

where, number = sys.argv[3].split(":")
real, calls = Path.replace, 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def replace(self, target):
    global calls
    calls += 1
    if where == "before" and calls == int(number):
        die()
    result = real(self, target)
    if where == "after" and calls == int(number):
        die()
    return result

Path.replace = replace

def progress(done, total):
    if where == "done" and done == int(number):
        die()

collect(Path(sys.argv[1]), Path(sys.argv[2]), progress=progress)
"""


def interrupt_at(number: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == number:
            raise KeyboardInterrupt

    return progress


def kill(source: Path, out: Path, point: str) -> int:
    return subprocess.run([sys.executable, "-c", KILLED, str(source), str(out), point], check=False).returncode


@posix_only
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(source: Path, tmp_path: Path) -> None:
    """Put in place are, in this order, four pictures and the tables: problems, genres, metadata, collect.json."""
    collect(source, tmp_path / "whole")
    expected = content(tmp_path / "whole")
    out = tmp_path / "killed"
    for point in ("done:0", "before:2", "done:5", "after:1", "before:2", "after:3", "before:4", "after:4"):
        assert kill(source, out, point) == -9  # each one goes on where the one before was killed
        assert (out / "collect.jsonl").exists()
        assert (out / "collect.json").exists() == (point == "after:4")
    result = collect(source, out)
    assert result.counts["kept"] == 4
    assert result.counts["written"] == 0
    assert content(out) == expected


def test_a_line_of_the_journal_without_its_end_is_not_gone_on_behind(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        collect(source, out, progress=interrupt_at(3))
    journal = out / "collect.jsonl"
    journal.write_bytes(journal.read_bytes().removesuffix(b"\n"))  # torn at the very end: whole but for that
    with pytest.raises(KeyboardInterrupt):
        collect(source, out, progress=interrupt_at(6))
    lines = journal.read_text(encoding="utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) == 7
    collect(source, out)
    collect(source, tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


@posix_only
@pytest.mark.parametrize("point", ["before:7", "after:7", "after:8"])
def test_killed_while_it_writes_the_tables_it_goes_on_to_the_same_bytes(
    source: Path, tmp_path: Path, point: str
) -> None:
    collect(source, tmp_path / "whole")
    assert kill(source, tmp_path / "killed", point) == -9
    collect(source, tmp_path / "killed")
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


@posix_only
@pytest.mark.parametrize("point", ["done:2", "after:3", "after:6", "after:7"])
def test_killed_over_an_older_dataset_it_goes_on_to_the_same_bytes(source: Path, tmp_path: Path, point: str) -> None:
    outs = [tmp_path / "whole", tmp_path / "killed"]
    for out in outs:
        result = collect(source, out)
        result.dataset.with_columns(split=["train", "valid", "test", ""], mine=list("abcd")).write()
    (source / "HipHop" / "twin.jpg").unlink()
    lay(source, {"Folk/a.jpg": picture(60), "Rock/ok.webp": picture(70, "webp")})
    collect(source, outs[0])
    assert kill(source, outs[1], point) == -9
    collect(source, outs[1])
    assert content(outs[1]) == content(outs[0])


def test_a_journal_torn_anywhere_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    collect(source, tmp_path / "whole")
    expected = content(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        collect(source, out, progress=interrupt_at(8))
    journal = (out / "collect.jsonl").read_bytes()
    assert journal.count(b"\n") == 9
    for end in range(0, len(journal), 97):
        (out / "collect.json").unlink(missing_ok=True)
        (out / "collect.jsonl").write_bytes(journal[:end])
        collect(source, out)
        assert content(out) == expected


def test_a_picture_lost_meanwhile_is_put_back(source: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        collect(source, tmp_path / "out", progress=interrupt_at(8))
    (tmp_path / "out" / "images" / "HipHop" / "twin.jpg").unlink()
    (tmp_path / "out" / "images" / "Rock" / "ok.webp").write_bytes(b"half")
    result = collect(source, tmp_path / "out")
    assert (result.counts["kept"], result.counts["written"]) == (2, 2)
    collect(source, tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_second_time_there_is_nothing_to_do(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = collect(source, tmp_path / "out")
    before = content(tmp_path / "out")
    monkeypatch.setattr(collecting, "Gathering", None)
    second = collect(source, tmp_path / "out")
    assert not second.fresh
    assert second.problems == first.problems
    assert second.counts == {name: first.counts[name] for name in second.counts}
    assert second.dataset.covers.equals(first.dataset.covers)
    assert content(tmp_path / "out") == before


def test_what_was_mended_and_split_stays_while_the_source_is_the_same(source: Path, tmp_path: Path) -> None:
    dataset = collect(source, tmp_path / "out").dataset
    dataset.with_columns(genres=["jazz"] * 4, split=["train"] * 4).write()
    again = collect(source, tmp_path / "out")
    assert not again.fresh
    assert again.dataset.genres == ["jazz"]


def test_a_changed_source_keeps_the_splits_of_the_same_pictures(source: Path, tmp_path: Path) -> None:
    dataset = collect(source, tmp_path / "out").dataset
    dataset.with_columns(group=list("abcd"), split=["train", "valid", "test", ""], mine=list("1234")).write()
    (source / "Pop" / "What?.jpg").unlink()
    (source / "HipHop" / "twin.jpg").unlink()  # `Pop/twin again.jpg` is the same picture
    lay(source, {"Folk/new.jpg": picture(60)})
    result = collect(source, tmp_path / "out")
    assert result.dataset.file_names == [
        "images/Folk/new.jpg",
        "images/HipHop/R-1-2-3-jpeg.jpg",
        "images/Pop/twin again.jpg",
        "images/Rock/ok.webp",
    ]
    assert result.dataset.column("split") == ["", "train", "valid", ""]
    assert result.dataset.column("group") == ["", "a", "b", "d"]
    assert result.dataset.column("mine") == ["", "1", "2", "4"]
    assert (result.counts["written"], result.counts["kept"]) == (2, 2)
    assert result.notes == [f"New covers in no split yet: 1. `sleevenotes split {tmp_path / 'out'} --again`."]
    there = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out" / "images").rglob("*.*")}
    assert there == set(result.dataset.file_names)  # pictures that no row names any more are gone


def test_other_settings_make_a_fresh_table_of_the_same_pictures(source: Path, tmp_path: Path) -> None:
    collect(source, tmp_path / "out")
    result = collect(source, tmp_path / "out", settings=CollectSettings(genre="rock"))
    assert result.fresh
    assert (result.counts["written"], result.counts["kept"]) == (0, 4)
    assert set(result.dataset.genre_lists) == {("rock",)}


def test_a_table_mended_by_hand_is_laid_aside_before_a_fresh_one(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    collect(source, out).dataset.with_columns(genres=["jazz"] * 4).write()
    mended = (out / "metadata.csv").read_bytes()
    lay(source, {"Folk/new.jpg": picture(60)})
    result = collect(source, out)
    assert result.notes == [
        "metadata.csv was changed by hand since it was collected: it is kept as metadata.mended.csv."
    ]
    assert (out / "metadata.mended.csv").read_bytes() == mended
    result.dataset.with_columns(genres=["folk"] * 5).write()
    (source / "Folk" / "new.jpg").unlink()
    assert "metadata.mended-2.csv" in collect(source, out).notes[0]
    assert (out / "metadata.mended.csv").read_bytes() == mended


def test_another_source_of_the_same_names_is_read_anew(source: Path, tmp_path: Path) -> None:
    lay(source, {"Rock/ok.webp": bitmap(2)})
    collect(source, tmp_path / "out")
    other = lay(tmp_path / "other" / "source", {"Rock/ok.webp": bitmap(1)})
    stamp = (source / "Rock" / "ok.webp").stat()
    os.utime(other / "Rock" / "ok.webp", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (other / "Rock" / "ok.webp").stat().st_size == stamp.st_size
    dataset = collect(other, tmp_path / "out").dataset
    assert dataset.paths[0].read_bytes() == bitmap(1)


def test_a_dataset_turned_into_parquet_stays_one(source: Path, tmp_path: Path) -> None:
    dataset = collect(source, tmp_path / "out").dataset
    dataset.covers.write_parquet(tmp_path / "out" / "metadata.parquet")
    (tmp_path / "out" / "metadata.csv").unlink()
    assert not collect(source, tmp_path / "out").fresh
    lay(source, {"Folk/new.jpg": picture(60)})
    result = collect(source, tmp_path / "out")
    assert result.notes == []
    assert not (tmp_path / "out" / "metadata.csv").exists()
    assert len(Dataset.open(tmp_path / "out")) == 5


# -- what can't be collected -------------------------------------------------------------------------------------------


def test_source_and_dataset_are_kept_apart(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the source itself"):
        collect(source, source)
    with pytest.raises(SourceError, match="the source lies in it"):
        collect(source, tmp_path)
    with pytest.raises(SourceError, match=r"it lies in the source.* its own covers would be collected next time"):
        collect(source, source / "out")
    assert len(content(source)) == 8


def test_a_dataset_beside_its_table_is_never_searched_for_covers(tmp_path: Path) -> None:
    folder = lay(tmp_path / "in", {"img/a.jpg": picture(1), "t.csv": b"file_name,genre\na,rock\n"})
    first = collect(folder / "t.csv", folder / "out")
    assert not collect(folder / "t.csv", folder / "out").fresh
    assert first.dataset.column("source") == ["img/a.jpg"]


def test_nothing_that_was_not_collected_is_overwritten(source: Path, tmp_path: Path) -> None:
    out = lay(tmp_path / "out", {"metadata.csv": b"mine", "b": b"", "c": b"", "d": b""})
    with pytest.raises(SourceError, match=r"it holds other things already \(b, c, d, …\)\. A new or empty folder was"):
        collect(source, out)
    assert (out / "metadata.csv").read_bytes() == b"mine"
    with pytest.raises(SourceError, match=r"a file\. A folder for the dataset was expected"):
        collect(source, out / "metadata.csv")
    assert len(collect(source, lay(tmp_path / "new", {".DS_Store": b"x"})).dataset) == 4


def test_settings_that_do_not_go_with_the_source_are_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file_name,genre\na,rock\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"a folder with `--separator`\. `--separator` is for tables"):
        collect(source, tmp_path / "out", settings=CollectSettings(separator=";"))
    with pytest.raises(SourceError, match=r"a table with `--layout`\. Layouts are for folders\. Leave it out"):
        collect(tmp_path / "t.csv", tmp_path / "out", settings=CollectSettings(layout="genre"))
    with pytest.raises(SourceError, match="genre: nothing at all"):
        collect(source, tmp_path / "out", settings=CollectSettings(genre=" ; "))
    with pytest.raises(SourceError, match=r"sourc: no such folder.*Did you mean 'source'\?"):
        collect(tmp_path / "sourc", tmp_path / "out")
    with pytest.raises(DatasetError, match="can't be read"):
        collect(source, tmp_path / "out", settings=CollectSettings(genre_map=tmp_path / "nowhere.csv"))
    assert not (tmp_path / "out").exists()


def test_where_no_cover_can_be_used_that_is_told(tmp_path: Path) -> None:
    source = lay(tmp_path / "in", {"Rock/a.jpg": b"", "Pop/b.jpg": b"<html>"})
    for _ in range(2):
        with pytest.raises(SourceError, match=r"none of 2 covers can be used; Pop/b\.jpg: an HTML page.*problems\.csv"):
            collect(source, tmp_path / "out")
    assert len(rows(tmp_path / "out", "problems.csv")) == 2
    lay(source, {"Pop/b.jpg": picture(1)})
    assert len(collect(source, tmp_path / "out").dataset) == 1


def test_a_map_that_drops_everything_is_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("from,to\nrock,\npop,\nhip hop,\n", encoding="utf-8")
    with pytest.raises(SourceError, match="the map of genres drops all 8 covers"):
        collect(source, tmp_path / "out", settings=CollectSettings(genre_map=tmp_path / "map.csv"))


def test_strict_stops_at_the_first_problem_and_loses_nothing(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"--strict: Rock/cut\.jpg: .* leave `--strict` out"):
        collect(source, tmp_path / "out", settings=CollectSettings(strict=True))
    result = collect(source, tmp_path / "out")
    assert (result.counts["kept"], result.counts["written"]) == (3, 1)


def test_a_full_disk_is_told_and_lost_is_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:

        def full(self: Path, data: bytes) -> int:
            raise OSError(28, "No space left on device", str(self))

        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(SourceError, match=r"can't be written \(No space left on device\)\. Make room"):
            collect(source, tmp_path / "out")
    assert len(collect(source, tmp_path / "out").dataset) == 4


def test_a_file_that_changes_meanwhile_is_told(source: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        collect(source, tmp_path / "out", progress=interrupt_at(8))
    path = source / "HipHop" / "twin.jpg"
    stamp = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (tmp_path / "out" / "images" / "HipHop" / "twin.jpg").unlink()
    with pytest.raises(SourceError, match=r"twin\.jpg: changed while it was collected\. Run the same command again"):
        collect(source, tmp_path / "out")


@pytest.mark.parametrize(("state", "said"), [("{", "no valid JSON"), ('{"format": 9}', "format 9")])
def test_a_note_of_another_version_is_told(source: Path, tmp_path: Path, state: str, said: str) -> None:
    collect(source, tmp_path / "out")
    (tmp_path / "out" / "collect.json").write_text(state, encoding="utf-8")
    with pytest.raises(SourceError, match=said):
        collect(source, tmp_path / "out")


def test_the_state_says_nothing_of_this_machine(source: Path, tmp_path: Path) -> None:
    collect(source, tmp_path / "out")
    text = (tmp_path / "out" / "collect.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert json.loads(text)["source"] == "source"


# -- real covers, where they are at hand -------------------------------------------------------------------------------


@pytest.fixture
def real() -> Path:
    folder = os.environ.get("SLEEVENOTES_COVERS")
    if not folder:
        pytest.skip("SLEEVENOTES_COVERS names no folder of real covers")
    return Path(folder)


def test_the_real_collections_go_in_as_they_are(real: Path, tmp_path: Path) -> None:
    five = collect(real / "five-genres", tmp_path / "five")
    assert (five.counts["covers"], five.counts["duplicates"]) == (3748, 234)
    assert five.dataset.genres == ["country", "electronic", "hip-hop", "pop", "rock"]
    styles = collect(real / "styles" / "albumlabel.csv", tmp_path / "styles", settings=CollectSettings(separator=" "))
    assert (styles.counts["covers"], styles.counts["duplicates"]) == (2944, 2)
    assert len(styles.dataset.genres) == 239
    prog = collect(real / "prog" / "albums.csv", tmp_path / "prog", settings=CollectSettings(genre="progressive rock"))
    assert (prog.counts["covers"], prog.problems) == (655, [])
    assert decode(prog.dataset.path(0)).shape == (300, 300, 3)
