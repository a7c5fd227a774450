"""Covers fetched from a real server on this machine, which does all that servers should not."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import ipaddress
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server_for_tests import Server, cover
from sleevenotes.collect import downloads
from sleevenotes.collect.addresses import Forbidden, checked, not_public
from sleevenotes.collect.collecting import CollectResult, CollectSettings, collect
from sleevenotes.collect.ledger import Ledger
from sleevenotes.collect.politeness import FetchSettings, Pace, read_robots, retry_after
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import probe
from sleevenotes.errors import SourceError

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals need a POSIX system")
QUICK: dict[str, Any] = {"rate": 0, "timeout_s": 0.15, "allow_private": True, "tries": 2, "back_off_s": 0.01}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def listed(folder: Path, server: Server, *paths: str, name: str = "list.tsv") -> Path:
    """A list as it goes round: URL, tab, genre/file.jpg; genres take turns."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{path if '://' in path else server.url + path}\t{('rock', 'folk')[number % 2]}/{number:03d}.jpg"
        for number, path in enumerate(paths)
    ]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def fetched(source: Path, out: Path, **limits: Any) -> CollectResult:
    return collect(source, out, settings=CollectSettings(fetch=FetchSettings(**{**QUICK, **limits})))


def rows(out: Path, name: str = "sources.csv") -> list[dict[str, str]]:
    with (out / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def problem(server: Server, tmp_path: Path, path: str, **limits: Any) -> str:
    """What is said of one bad URL beside a good one; nothing of it is kept."""
    out = tmp_path / "out"
    result = fetched(listed(tmp_path, server, "/good/1.jpg", path), out, **limits)
    assert len(result.dataset) == 1
    last = rows(out)[1]
    assert last["url"].endswith(path)
    assert not last["file"]
    assert len(list((out / ".downloads").iterdir())) == 1
    told = last["problem"].removeprefix(f"{last['url']}: ")
    assert (last["url"], told) in [(each.source, each.problem) for each in result.problems]
    return last["problem"].removeprefix(last["url"])


# -- a list of URLs becomes a dataset ----------------------------------------------------------------------------------


def test_a_list_of_urls_becomes_a_dataset_with_a_ledger(server: Server, tmp_path: Path) -> None:
    source = listed(tmp_path, server, "/good/1.jpg", "/png/a.jpg", "/good/3.jpg")
    result = fetched(source, tmp_path / "out", terms="CC BY 4.0")
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.file_names == ["images/rock/000.jpg", "images/folk/001.png", "images/rock/002.jpg"]
    assert dataset.genre_lists == [("rock",), ("folk",), ("rock",)]
    assert dataset.column("source") == [server.url + path for path in ("/good/1.jpg", "/png/a.jpg", "/good/3.jpg")]
    first = rows(tmp_path / "out")[0]
    assert list(first) == ["url", "when", "status", "bytes", "sha256", "file", "problem", "terms"]
    assert (first["status"], first["bytes"]) == ("200", str(len(cover(1))))
    assert (first["terms"], first["problem"]) == ("CC BY 4.0", "")
    assert first["sha256"] == hashlib.sha256(cover(1)).hexdigest()
    assert first["when"].startswith("20")
    assert first["when"].endswith("Z")
    assert not result.problems
    assert server.agents == {downloads.USER_AGENT}
    assert downloads.USER_AGENT.startswith("sleevenotes/")


def test_nothing_is_kept_twice_on_the_disk(server: Server, tmp_path: Path) -> None:
    fetched(listed(tmp_path, server, "/good/1.jpg"), tmp_path / "out")
    (kept,) = (tmp_path / "out" / ".downloads").iterdir()
    assert kept.samefile(tmp_path / "out" / "images" / "rock" / "000.jpg")


def test_a_second_run_asks_for_nothing(server: Server, tmp_path: Path) -> None:
    source = listed(tmp_path, server, "/good/1.jpg", "/missing")
    first = fetched(source, tmp_path / "out")
    asked, table = len(server.asked), (tmp_path / "out" / "metadata.csv").read_bytes()
    second = fetched(source, tmp_path / "out")
    assert (first.fresh, second.fresh, len(server.asked)) == (True, False, asked)
    assert (tmp_path / "out" / "metadata.csv").read_bytes() == table
    assert any("1 of 2 URLs could not be fetched" in note and "--retry-failed" in note for note in second.notes)


def test_a_longer_list_fetches_only_what_is_new(server: Server, tmp_path: Path) -> None:
    fetched(listed(tmp_path, server, "/good/1.jpg"), tmp_path / "out")
    result = fetched(listed(tmp_path, server, "/good/1.jpg", "/good/2.jpg"), tmp_path / "out")
    assert len(result.dataset) == 2
    assert server.paths == {"/robots.txt": 2, "/good/1.jpg": 1, "/good/2.jpg": 1}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_table_with_a_header_may_name_urls_and_files(server: Server, tmp_path: Path, ending: str) -> None:
    (tmp_path / "here.jpg").write_bytes(cover(9))
    url = f"{server.url}/good/1.jpg?size=300"
    text = {
        "csv": f"cover_url,genre,artist\n{url},rock,Can\nhere.jpg,folk,Abba\n",
        "jsonl": f'{{"cover_url": "{url}", "genre": "rock", "artist": "Can"}}\n'
        '{"cover_url": "here.jpg", "genre": "folk", "artist": "Abba"}\n',
    }[ending]
    (tmp_path / f"table.{ending}").write_text(text)
    dataset = fetched(tmp_path / f"table.{ending}", tmp_path / "out").dataset
    assert dataset.file_names == ["images/rock/1.jpg", "images/here.jpg"]
    assert dataset.column("artist") == ["Can", "Abba"]
    assert dataset.column("source") == [url, "here.jpg"]


def test_one_url_under_two_genres_is_fetched_once_and_has_both(server: Server, tmp_path: Path) -> None:
    result = fetched(listed(tmp_path, server, "/good/1.jpg", "/good/1.jpg"), tmp_path / "out")
    assert result.dataset.genre_lists == [("rock", "folk")]
    assert server.paths["/good/1.jpg"] == 1


def test_the_list_is_told_where_its_lines_are_none(server: Server, tmp_path: Path) -> None:
    source = listed(tmp_path, server, "/good/1.jpg")
    source.write_text(source.read_text() + "ftp://x/y.jpg\trock/y.jpg\nhttp://host/alone.jpg\n")
    result = fetched(source, tmp_path / "out")
    assert [each.source for each in result.problems] == ["list.tsv, row 2", "list.tsv, row 3"]


LETTERS = "foo%27bar%28x%29/%7Euser/http%3A%2F%2Fcdn.example%2F/1.jpg?Signature=a%2Bb%2Fc%3D&n=(x)&d=2024-01-01T00:00"


@pytest.mark.parametrize("way", ["good", "moved", "elsewhere"])
def test_an_address_is_asked_for_letter_by_letter(server: Server, tmp_path: Path, way: str) -> None:
    fetched(listed(tmp_path, server, f"/{way}/{LETTERS}#top"), tmp_path / "out")
    assert f"/good/{LETTERS}" in server.paths
    assert rows(tmp_path / "out")[0]["url"] == f"{server.url}/{way}/{LETTERS}#top"
    assert not rows(tmp_path / "out")[0]["problem"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("/good/Große Namen/1.jpg", "/good/Gro%C3%9Fe%20Namen/1.jpg"),
        ("/good/ß%20 /1.jpg?ä=ü", "/good/%C3%9F%20%20/1.jpg?%C3%A4=%C3%BC"),
    ],
)
def test_only_what_no_request_can_hold_is_encoded(server: Server, tmp_path: Path, given: str, sent: str) -> None:
    fetched(listed(tmp_path, server, given), tmp_path / "out")
    assert sent in server.paths


# -- bad servers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "said", "asked"),
    [
        ("/missing", ": the server answered 404 (Not Found).", 1),
        ("/page/a.jpg", ": an HTML page. A JPEG", 1),
        ("/stall/a.jpg", ": silent for 0.15 s. Tried 2 times.", 2),
        ("/halt/a.jpg", ": silent for 0.15 s. Tried 2 times.", 2),
        ("/drip/a.jpg", ": not done within 0.6 s. Tried 2 times.", 2),
        ("/half/a.jpg", ": breaks off before its end. Tried 2 times.", 2),
        ("/chunked/a.jpg", ": breaks off before its end. Tried 2 times.", 2),
        ("/short/a.jpg", ": an answer that is no proper HTTP, or longer than it says. Tried 2 times.", 2),
        ("/heavy/a.jpg", ": 1,000,000,000,000 bytes. No more than 50,000 bytes are read.", 1),
        (
            "/endless/a.jpg",
            ": more than 50,000 bytes. No more than 50,000 bytes are read. Allow more with `--max-bytes`.",
            1,
        ),
        ("/bomb/a.jpg", ": 50,000 × 50,000 pixels. No more than 64 megapixels are read.", 1),
        ("/gzip/a.jpg", ": sent as 'gzip', though plain bytes were asked for.", 1),
        ("/far/6", ": more than 5 redirects, the last to", 1),
        ("/file/a.jpg", ": redirects to file:///etc/passwd: leads to 'file'. Only http and https", 1),
        ("/nowhere/a.jpg", ": redirects to nowhere.", 1),
        ("/down/1.jpg", ": the server answered 503 (Service Unavailable). Tried 2 times.", 2),
    ],
)
def test_a_bad_answer_is_told_and_nothing_of_it_is_kept(
    server: Server, tmp_path: Path, path: str, said: str, asked: int
) -> None:
    assert said in problem(server, tmp_path, path, max_bytes=50_000)
    assert server.paths[path] == asked


def test_redirects_in_a_circle_are_told(server: Server, tmp_path: Path) -> None:
    assert ": redirects in a circle, over" in problem(server, tmp_path, "/circle/a")


def test_five_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    result = fetched(listed(tmp_path, server, "/far/5"), tmp_path / "out")
    assert result.dataset.column("source") == [f"{server.url}/far/5"]


def test_a_pixel_bomb_is_left_after_its_head(server: Server, tmp_path: Path) -> None:
    problem(server, tmp_path, "/bomb/a.jpg")
    assert server.sent["/bomb/a.jpg"] < 100_000


def test_a_cover_that_came_cut_is_no_cover_and_can_be_tried_again(server: Server, tmp_path: Path) -> None:
    source = listed(tmp_path, server, "/good/1.jpg", "/cut/a.jpg")
    result = fetched(source, tmp_path / "out")
    assert "cut off after 700 bytes" in result.problems[0].problem
    assert "cut off after 700 bytes" in rows(tmp_path / "out")[1]["problem"]
    assert not fetched(source, tmp_path / "out").fresh
    fetched(source, tmp_path / "out", retry_failed=True)
    assert (server.paths["/good/1.jpg"], server.paths["/cut/a.jpg"]) == (1, 2)


def test_a_host_that_does_not_answer_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "SILENT_IN_A_ROW", 3)
    paths = [f"/stall/{number}" for number in range(40)]
    with pytest.raises(SourceError, match="no cover could be fetched"):
        fetched(listed(tmp_path, server, *paths), tmp_path / "out", per_host=2, timeout_s=0.05)
    assert len(server.asked) < 12
    assert "gave no answer 3 times in a row and was given up" in rows(tmp_path / "out")[-1]["problem"]


# -- waiting, pace and rules -------------------------------------------------------------------------------------------


def test_a_server_that_is_busy_is_waited_for_as_long_as_it_says(server: Server, tmp_path: Path) -> None:
    started = time.monotonic()
    result = fetched(listed(tmp_path, server, "/busy/1.jpg"), tmp_path / "out")
    assert len(result.dataset) == 1
    assert 1 <= time.monotonic() - started < 3


def test_what_fails_for_a_while_is_tried_again(server: Server, tmp_path: Path) -> None:
    result = fetched(listed(tmp_path, server, "/flaky/1.jpg"), tmp_path / "out", tries=3)
    assert len(result.dataset) == 1
    assert server.paths["/flaky/1.jpg"] == 3


def test_only_failed_urls_are_fetched_again_when_asked_to(server: Server, tmp_path: Path) -> None:
    source = listed(tmp_path, server, "/good/1.jpg", "/down/2.jpg", "/half/a.jpg")
    assert len(fetched(source, tmp_path / "out").dataset) == 1
    server.well = True
    assert len(fetched(source, tmp_path / "out").dataset) == 1
    asked = server.paths
    result = fetched(source, tmp_path / "out", retry_failed=True)
    assert [name[-7:] for name in result.dataset.file_names] == ["000.jpg", "001.jpg", "002.jpg"]
    assert server.paths - asked == {"/robots.txt": 1, "/down/2.jpg": 1, "/half/a.jpg": 1}
    assert [row["problem"] for row in rows(tmp_path / "out")] == [""] * 3


def test_requests_to_one_host_keep_their_pace(server: Server, tmp_path: Path) -> None:
    fetched(listed(tmp_path, server, *(f"/good/{number}.jpg" for number in range(8))), tmp_path / "out", rate=40)
    times = [at for at, _ in server.asked]
    assert times[-1] - times[0] >= 8 / 40 - 0.02


@pytest.mark.parametrize(("per_host", "concurrent", "most"), [(3, 8, 3), (8, 2, 8)])
def test_no_more_are_asked_for_at_once_than_allowed(
    server: Server, tmp_path: Path, per_host: int, concurrent: int, most: int
) -> None:
    paths = [f"/slow/{number}.jpg" for number in range(20)]
    fetched(listed(tmp_path, server, *paths), tmp_path / "out", per_host=per_host, concurrent=concurrent)
    assert server.most_at_once == most


def test_robots_txt_is_asked_once_and_obeyed(tmp_path: Path) -> None:
    with Server("User-agent: *\nDisallow: /good/2\nCrawl-delay: 0.1") as server:
        source = listed(tmp_path, server, "/good/1.jpg", "/good/2.jpg", "/good/4.jpg", "/far/1")
        result = fetched(source, tmp_path / "out")
        assert [each.source for each in result.problems] == [f"{server.url}/good/2.jpg"]
        assert "robots.txt of http://127.0.0.1" in result.problems[0].problem
        assert server.paths["/robots.txt"] == 1
        assert server.paths["/good/2.jpg"] == 0
        times = [at for at, path in server.asked if path != "/robots.txt"]
        assert times[-1] - times[0] >= 0.28


def test_nothing_is_fetched_where_robots_txt_can_not_be_had(tmp_path: Path) -> None:
    with Server(503) as server, pytest.raises(SourceError, match="no cover could be fetched"):
        fetched(listed(tmp_path, server, "/good/1.jpg", "/good/2.jpg"), tmp_path / "out")
    assert server.paths == {"/robots.txt": 2}
    assert "can't be had (the server answered 503" in rows(tmp_path / "out")[0]["problem"]


@pytest.mark.parametrize(
    ("text", "allowed", "forbidden"),
    [
        ("", ["/a"], []),
        ("User-agent: *\nDisallow:", ["/a"], []),
        ("User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /b", ["/a"], ["/b", "/bc"]),
        ("User-agent: Sleevenotes/2\nDisallow: /a\n\nUser-agent: *\nDisallow: /", ["/b"], ["/a"]),
        ("User-agent: x\nUser-agent: *\nDisallow: /*.gif$\nAllow: /ok", ["/a.gif?x", "/a.jpg"], ["/a.gif", "/d/b.gif"]),
        ("User-agent: *\nDisallow: /art\nAllow: /art", ["/art"], []),
        ("User-agent: *\nDisallow: /caf%C3%A9 # so", ["/caf"], ["/café", "/caf%c3%a9/x"]),
        ("User-agent: *\nDisallow: /a*b*c$", ["/abcd", "/ab"], ["/abc", "/aXbXcc"]),
        ("user-AGENT:*\ndisallow:/", ["/robots.txt"], ["/", "/x"]),
        ("Disallow: /\nnonsense", ["/a"], []),
    ],
)
def test_rules_of_robots_txt(text: str, allowed: list[str], forbidden: list[str]) -> None:
    robots = read_robots(text)
    assert [path for path in allowed if not robots.allows(path)] == []
    assert [path for path in forbidden if robots.allows(path)] == []


def test_waits_are_capped_whatever_a_server_says() -> None:
    assert retry_after("99999") == 300
    assert retry_after("Fri, 01 Jan 2100 00:00:00 GMT") == 300
    assert retry_after("Fri, 01 Jan 1999 00:00:00 GMT") == 0
    assert read_robots("User-agent: *\nCrawl-delay: 1e9").delay_s == 300
    assert read_robots("User-agent: *\nCrawl-delay: nan\n").delay_s == 0


def test_a_pause_lets_nobody_through_and_then_all() -> None:
    async def times() -> list[float]:
        pace = Pace(0, time.monotonic)
        pace.pause(0.1)
        started = time.monotonic()
        await asyncio.gather(*(pace.turn() for _ in range(3)))
        return [time.monotonic() - started]

    assert 0.09 <= asyncio.run(times())[0] < 0.3


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "[fe80::1%25eth0]", "[fc00::1]", "224.0.0.1", "[ff02::1]", "240.0.0.1", "100.64.0.1"),
        *("255.255.255.255", "[64:ff9b::7f00:1]", "[2002:a00:1::]", "[2001:db8::1]", "192.0.2.1"),
        *("１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "127.0.0.1:80"),
    ],
)
def test_no_private_address_is_asked(host: str) -> None:
    with pytest.raises(Forbidden, match="leads to"):
        checked(f"http://{host}/a.jpg")
    assert checked(f"http://{host}/a.jpg", allow_private=True)


def test_public_addresses_may_be_asked() -> None:
    assert not [
        text for text in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8") if not_public(ipaddress.ip_address(text))
    ]


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://a.org/b", "http://", "http://a:b@c.org/x", "http://[::1", "http://a.org:x/"),
        *("http://a b.org/x", "http://a.org\\@127.0.0.1/", "http://a.org/\nx", "http://a.org/\tx", "http://u＠a.org/x"),
    ],
)
def test_odd_addresses_are_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        checked(url, allow_private=True)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("localhost", "which is loopback), so nothing is fetched there. A public address was expected."),
        ("0x7f000001", "which is loopback), so nothing is fetched there. A public address was expected."),
        ("127.1", "no address that can be asked"),
        ("2130706433", "no address that can be asked"),
    ],
)
def test_a_name_of_a_private_address_is_not_asked(server: Server, tmp_path: Path, host: str, said: str) -> None:
    source = listed(tmp_path, server, f"http://{host}:{server.port}/good/1.jpg")
    with pytest.raises(SourceError, match="no cover could be fetched"):
        fetched(source, tmp_path / "out", allow_private=False)
    assert said in rows(tmp_path / "out")[0]["problem"]
    assert not server.asked


def test_a_redirect_to_a_private_address_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_metadata(address: ipaddress.IPv4Address) -> str:
        return "link-local" if str(address).startswith("169.254.") else ""

    monkeypatch.setattr("sleevenotes.collect.addresses.not_public", only_metadata)
    source = listed(tmp_path, server, "/good/1.jpg", "/private/a.jpg")
    result = fetched(source, tmp_path / "out", allow_private=False)
    assert "redirects to http://169.254.169.254/latest/meta-data: leads to 169.254" in result.problems[0].problem


# -- interrupted -------------------------------------------------------------------------------------------------------


def running(source: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    limits = ["--rate", "0", "--allow-private", "--timeout", "1", *more]
    command = [sys.executable, "-m", "sleevenotes", "collect", source, "-o", out, *limits]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(server: Server, requests: int) -> None:
    until = time.monotonic() + 20
    while len(server.asked) < requests and time.monotonic() < until:
        time.sleep(0.005)


@posix_only
def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_dataset(server: Server, tmp_path: Path) -> None:
    paths = ["/missing", *(f"/slow/{number}.jpg" for number in range(60))]
    source = listed(tmp_path, server, *paths)
    process = running(source, tmp_path / "out")
    wait_for(server, 25)
    process.kill()
    process.communicate()
    assert not (tmp_path / "out" / "metadata.csv").exists()
    done = {url for url, row in Ledger(tmp_path / "out").rows.items() if row.file}
    assert 10 <= len(done) <= 30
    fetched(source, tmp_path / "out")
    assert all(server.paths[url.removeprefix(server.url)] == 1 for url in done)
    fetched(source, tmp_path / "whole")
    for name in ("metadata.csv", "problems.csv", "collect.json", "genres.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    told = [(row["url"], row["sha256"], row["file"], row["problem"]) for row in rows(tmp_path / "out")]
    assert told == [(row["url"], row["sha256"], row["file"], row["problem"]) for row in rows(tmp_path / "whole")]
    assert not list((tmp_path / "out" / ".downloads").glob("*.part"))


@posix_only
def test_interrupted_by_hand_it_ends_at_once_and_says_how_to_go_on(server: Server, tmp_path: Path) -> None:
    paths = [f"/slow/{number}.jpg" for number in range(20)] + [f"/stall/{number}.jpg" for number in range(20)]
    process = running(listed(tmp_path, server, *paths), tmp_path / "out", "--timeout", "30")
    wait_for(server, 25)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, said = process.communicate()
    assert time.monotonic() - started < 1.5
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "the same command goes on from here" in said


def test_half_a_row_of_the_ledger_is_left_aside(server: Server, tmp_path: Path) -> None:
    source = listed(tmp_path, server, "/good/1.jpg", "/good/2.jpg")
    fetched(source, tmp_path / "out")
    whole = (tmp_path / "out" / "sources.csv").read_text()
    (tmp_path / "out" / "sources.csv").write_text(whole[:-30])
    (tmp_path / "out" / "collect.json").unlink()
    assert len(fetched(source, tmp_path / "out").dataset) == 2
    assert len(rows(tmp_path / "out")) == 2


def test_a_ledger_of_somebody_else_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "out" / ".downloads").mkdir(parents=True)
    (tmp_path / "out" / "sources.csv").write_text("mine,yours\n")
    with pytest.raises(SourceError, match="no ledger of `collect`"):
        fetched(listed(tmp_path, server, "/good/1.jpg"), tmp_path / "out")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"concurrent": 0}, "--concurrent: 0. 1 or more"),
        ({"rate": -1.0}, "--rate: -1. Requests a second"),
        ({"timeout_s": 0.0}, "--timeout: 0. Seconds, more than 0"),
    ],
)
def test_limits_that_allow_nothing_are_refused(limits: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        FetchSettings(**limits)


def test_what_is_kept_is_a_picture(server: Server, tmp_path: Path) -> None:
    fetched(listed(tmp_path, server, "/good/1.jpg"), tmp_path / "out")
    (kept,) = (tmp_path / "out" / ".downloads").iterdir()
    assert probe(kept.read_bytes(), "kept").width == 32
