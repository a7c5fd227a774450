"""Where pretrained weights come from, and that nothing else is ever taken for them."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file

from sleevenotes.errors import WeightsError
from sleevenotes.learn import backbones
from sleevenotes.learn.backbones import (
    BACKBONES,
    Training,
    at_hand,
    backbone_named,
    cache_folder,
    find,
    listing,
    load,
)
from sleevenotes.learn.backbones.registry import NORMALISATIONS
from sleevenotes.learn.cover_network import IMAGENET_DEVIATION, IMAGENET_MEAN
from sleevenotes.learn.imagenet import PUBLISHED

NAME = "mobilenet_v2"
BOTH_CURES = r"Connect to the network, or name a file of weights with --weights FILE \(or .* SLEEVENOTES_WEIGHTS\)"


class Publisher(http.server.BaseHTTPRequestHandler):
    """Serves files, from any byte on; can break off, and forget what a version is called."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str | None]] = []  # the ranges
    breaks_off = 0  # after so many bytes of an answer
    tag = '"first"'
    ranges = True

    def do_GET(self) -> None:
        content = self.files.get(self.path.removeprefix("/"))
        if content is None:
            self.send_error(404)
            return
        wanted = self.headers["Range"]
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if self.headers["If-Range"] not in (None, self.tag):
            start = 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        if self.tag:
            self.send_header("ETag", self.tag)
        self.end_headers()
        self.wfile.write(content[start : start + self.breaks_off] if self.breaks_off else content[start:])

    def log_message(self, *told: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights of this machine, no proxy, and nothing published."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(backbones.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(Publisher, "files", {})
    monkeypatch.setattr(Publisher, "asked", [])
    monkeypatch.setattr(Publisher, "breaks_off", 0)
    monkeypatch.setattr(Publisher, "tag", '"first"')
    monkeypatch.setattr(Publisher, "ranges", True)


def know(monkeypatch: pytest.MonkeyPatch, *trainings: Training) -> None:
    """Let these be the known trainings."""
    monkeypatch.setitem(BACKBONES, NAME, replace(BACKBONES[NAME], trainings=trainings))


def publish(monkeypatch: pytest.MonkeyPatch, address: str, content: bytes, *, prefix: str = "") -> Training:
    """Publish a file, known by its digest, or by another one."""
    prefix = prefix or hashlib.sha256(content).hexdigest()[:8]
    training = Training("published", f"{NAME}-{prefix}.pth", prefix, f"{address}{NAME}-{prefix}.pth")
    know(monkeypatch, training)
    Publisher.files[training.file_name] = content
    return training


def kept() -> list[str]:
    """Names of what lies in the cache."""
    return sorted(path.name for path in cache_folder().iterdir()) if cache_folder().exists() else []


def test_published_weights_are_fetched_checked_and_kept_as_safetensors(
    monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path
):
    training = publish(monkeypatch, address, pretrained.read_bytes())
    assert not at_hand(NAME)
    said: list[str] = []
    found = find(NAME, say=said.append)
    assert said == [f"fetching mobilenet_v2 from {training.url}"]
    assert kept() == [f"{NAME}-{training.sha256_prefix}.safetensors"]
    assert found.training == "published"
    assert found.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
    published = torch.load(pretrained, weights_only=True)
    loaded = load(found).state_dict()
    assert len(loaded) == 312
    assert all(torch.equal(value, published[name]) for name, value in loaded.items())
    Publisher.files.clear()
    assert at_hand(NAME)
    assert find(NAME, say=said.append) == found
    assert len(said) == 1


def test_missing_weights_are_an_error_with_both_cures_and_nothing_random_is_used(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    know(monkeypatch, Training("published", "w-12345678.pth", "12345678", f"http://127.0.0.1:{port}/w-12345678.pth"))
    found = rf"mobilenet_v2: its weights are not on this machine, and http://127\.0\.0\.1:{port}/.* can't be fetched"
    with pytest.raises(WeightsError, match=rf"{found} \(.*refused.*\)\. {BOTH_CURES}"):
        find(NAME)
    assert kept() == []
    assert not at_hand(NAME)


def test_what_is_not_published_any_more_is_an_error_with_both_cures(monkeypatch: pytest.MonkeyPatch, address: str):
    publish(monkeypatch, address, b"weights")
    Publisher.files.clear()
    with pytest.raises(WeightsError, match=rf"can't be fetched \(HTTP Error 404: Not Found\)\. {BOTH_CURES}"):
        find(NAME)
    assert kept() == []


def test_a_file_of_another_hash_is_refused_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path
):
    publish(monkeypatch, address, pretrained.read_bytes(), prefix="00000000")
    with pytest.raises(WeightsError, match=r"what came has a SHA-256 that begins with \w{8}\. 00000000 was expected"):
        find(NAME)
    assert kept() == []


def broken_off(monkeypatch: pytest.MonkeyPatch, content: bytes, after: int = 1000) -> None:
    """Let a download break off after some bytes, which is told, and keep them."""
    monkeypatch.setattr(Publisher, "breaks_off", after)
    told = rf"can't be fetched \(.*{after:,} of {len(content):,} bytes.*\)\. {BOTH_CURES}\. What came is kept"
    with pytest.raises(WeightsError, match=told):
        find(NAME)
    monkeypatch.setattr(Publisher, "breaks_off", 0)


def test_a_download_that_is_cut_off_is_an_error_and_what_came_is_kept(
    monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path
):
    content = pretrained.read_bytes()
    training = publish(monkeypatch, address, content)
    broken_off(monkeypatch, content)
    assert kept() == [f"{training.file_name}.part", f"{training.file_name}.part.tag"]
    assert (cache_folder() / f"{training.file_name}.part").read_bytes() == content[:1000]
    assert not at_hand(NAME)


def test_a_download_goes_on_from_where_it_broke_off(monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path):
    content = pretrained.read_bytes()
    training = publish(monkeypatch, address, content)
    broken_off(monkeypatch, content)
    assert len(load(find(NAME)).state_dict()) == 312
    assert Publisher.asked == [None, "bytes=1000-"]
    assert kept() == [f"{NAME}-{training.sha256_prefix}.safetensors"]


@pytest.mark.parametrize("change", ["another version", "no ranges"])
def test_a_download_begins_anew_where_the_server_does_not_go_on(
    monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path, change: str
):
    content = pretrained.read_bytes()
    publish(monkeypatch, address, content)
    broken_off(monkeypatch, content)
    monkeypatch.setattr(Publisher, "tag", '"second"' if change == "another version" else '"first"')
    monkeypatch.setattr(Publisher, "ranges", change != "no ranges")
    assert find(NAME).training == "published"


def test_a_download_that_broke_off_after_its_last_byte_is_fetched_again(
    monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path
):
    content = pretrained.read_bytes()
    training = publish(monkeypatch, address, content)
    cache_folder().mkdir(parents=True)
    (cache_folder() / f"{training.file_name}.part").write_bytes(content)
    assert find(NAME).training == "published"
    assert Publisher.asked == [f"bytes={len(content)}-", None]


def test_what_came_of_something_else_is_found_out_by_its_digest_and_does_not_stay(
    monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path
):
    monkeypatch.setattr(Publisher, "tag", "")  # a server that does not say which version it has
    training = publish(monkeypatch, address, pretrained.read_bytes())
    cache_folder().mkdir(parents=True)
    (cache_folder() / f"{training.file_name}.part").write_bytes(b"something else")
    with pytest.raises(WeightsError, match="what came has a SHA-256 that begins with"):
        find(NAME)
    assert kept() == []
    assert find(NAME).training == "published"


def test_a_file_with_code_in_it_is_refused_and_none_of_it_is_run(
    monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path
):
    proof = tmp_path / "it-ran"
    malicious = f"cposix\nsystem\n(S'touch {proof}'\ntR.".encode()  # what unpickling would run
    publish(monkeypatch, address, malicious)
    with pytest.raises(WeightsError, match=r"can't be read .* A file of weights, \.safetensors or \.pth was exp"):
        find(NAME)
    assert not proof.exists()
    given = tmp_path / "mine.pth"
    given.write_bytes(malicious)
    with pytest.raises(WeightsError, match=r"mine\.pth: can't be read"):
        load(find(NAME, weights=given))
    assert not proof.exists()


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3)])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match=r"mine\.pth: something else than parameters by name\. A file of weights"):
        load(find(NAME, weights=tmp_path / "mine.pth"))


@pytest.mark.parametrize("name", ["mine.pth", "mine.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights", b"\xff" * 100])
def test_a_damaged_file_is_told_in_a_sentence(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{name}: can't be read \(.*\)\. A file of weights"):
        load(find(NAME, weights=tmp_path / name))


def test_a_kept_file_that_was_damaged_since_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path
):
    publish(monkeypatch, address, pretrained.read_bytes())
    path = find(NAME).path
    path.write_bytes(b"\x00" * 30)
    with pytest.raises(WeightsError, match=r"\.safetensors: can't be read"):
        find(NAME)


def test_another_training_of_the_same_network_has_its_own_name(tmp_path: Path, pretrained: Path):
    parameters = torch.load(pretrained, weights_only=True)
    save_file(parameters, tmp_path / "my-own.safetensors")
    found = find(NAME, weights=tmp_path / "my-own.safetensors")
    assert found.training == "my-own (unpublished)"
    assert found.path == tmp_path / "my-own.safetensors"
    assert len(load(found).state_dict()) == 312
    assert kept() == []


def test_a_known_training_is_known_by_its_digest_whatever_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pretrained: Path
):
    content = pretrained.read_bytes()
    know(monkeypatch, Training("from a friend", "friend.pth", hashlib.sha256(content).hexdigest()[:8]))
    (tmp_path / "renamed.pth").write_bytes(content)
    assert find(NAME, weights=tmp_path / "renamed.pth").training == "from a friend"


def test_a_file_that_claims_to_be_a_known_training_has_to_be_it(tmp_path: Path):
    claimed = tmp_path / BACKBONES[NAME].trainings[0].file_name
    claimed.write_bytes(b"something else")
    digest = hashlib.sha256(b"something else").hexdigest()[:8]
    with pytest.raises(WeightsError, match=rf"begins with {digest}\. 7ebf99e0, as torchvision IMAGENET1K_V2 has"):
        find(NAME, weights=claimed)


def test_weights_that_nobody_publishes_have_to_be_at_hand(monkeypatch: pytest.MonkeyPatch):
    know(monkeypatch, Training("passed from hand to hand", "hand.pth", "11111111"))
    with pytest.raises(
        WeightsError, match=r"not on this machine, and none are published\. Name a file .* --weights FILE"
    ):
        find(NAME)


def test_the_named_folder_comes_before_the_cache_and_the_given_file_before_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    digest = hashlib.sha256(b"weights").hexdigest()
    know(monkeypatch, Training("known", "known.pth", digest[:8], "http://127.0.0.1:9/known.pth"))
    cache_folder().mkdir(parents=True)
    for folder in (cache_folder(), tmp_path / "named", tmp_path / "given"):
        folder.mkdir(exist_ok=True)
        (folder / "known.pth").write_bytes(b"weights")
    assert find(NAME).path == cache_folder() / "known.pth"
    monkeypatch.setenv(backbones.WEIGHTS_VARIABLE, str(tmp_path / "named"))
    assert find(NAME).path == tmp_path / "named" / "known.pth"
    assert find(NAME, weights=tmp_path / "given" / "known.pth").path == tmp_path / "given" / "known.pth"


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"gone\.pth: no such file\. Weights of mobilenet_v2 .* --weights FILE"):
        find(NAME, weights=tmp_path / "gone.pth")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("missing", "of mobilenet_v2's parameters 1 missing, and 0 that are foreign"),
        ("foreign", "of mobilenet_v2's parameters 0 missing, and 1 that are foreign"),
        ("shape", r"parameters of other shapes\. Weights of mobilenet_v2 were"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, pretrained: Path, change: str, told: str):
    parameters = torch.load(pretrained, weights_only=True)
    if change == "missing":
        del parameters["features.18.0.weight"]
    elif change == "foreign":
        parameters["features.19.weight"] = torch.zeros(3)
    else:
        parameters["features.18.1.weight"] = torch.zeros(3)
    save_file(parameters, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=rf"other\.safetensors: {told}"):
        load(find(NAME, weights=tmp_path / "other.safetensors"))


def test_what_is_known_of_each_backbone_is_complete():
    for backbone in BACKBONES.values():
        assert backbone.parameters > 0
        assert backbone.licence
        assert backbone.source
        assert backbone.digest
        assert backbone.normalise in NORMALISATIONS
        assert bool(backbone.trainings) != bool(backbone.hub)
        assert bool(backbone.hub) == bool(backbone.revision)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_registry_knows_how_many_parameters_a_network_has(name: str):
    with torch.device("meta"):
        network = PUBLISHED[name]()
    assert BACKBONES[name].parameters == sum(parameter.numel() for parameter in network.parameters())


def test_the_networks_of_imagenet_normalise_as_the_registry_says():
    assert NORMALISATIONS["imagenet"] == (IMAGENET_MEAN, IMAGENET_DEVIATION)


def test_the_table_lists_every_backbone_with_where_it_comes_from():
    listed = {row[0]: row for row in listing.rows(with_presence=False)}
    assert list(listed) == list(BACKBONES)
    assert listed["mobilenet_v2"][-1] == "https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth"
    assert listed["dinov2_small"][-1] == "https://huggingface.co/facebook/dinov2-small"
    assert all(len(row) == len(listing.HEADER) for row in listed.values())


def test_the_verb_tells_which_backbones_are_at_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from sleevenotes.cli.backbones import backbones as verb

    (tmp_path / "squeezenet1_1.safetensors").write_bytes(b"weights")
    monkeypatch.setenv(backbones.WEIGHTS_VARIABLE, str(tmp_path))
    verb()
    presence = {line.split()[1]: line.split()[0] for line in capsys.readouterr().out.splitlines()[2:-2]}
    assert list(presence) == list(BACKBONES)
    assert {name for name, there in presence.items() if there == "yes"} == {"squeezenet1_1"}


def test_an_unknown_backbone_is_told_with_the_known_ones():
    with pytest.raises(
        WeightsError, match=r"'mobilnet_v2': unknown\. Known are alexnet, .*, mobilenet_v2, .*\. Did you mean 'mobile"
    ):
        backbone_named("mobilnet_v2")


def test_the_known_trainings_bear_the_beginning_of_their_digest_in_their_address():
    for training in (training for backbone in BACKBONES.values() for training in backbone.trainings):
        assert len(training.sha256_prefix) >= 8
        if training.url:
            assert training.url.startswith("https://")
            assert training.url.endswith(f"-{training.sha256_prefix}.pth")


def test_what_was_fetched_is_kept_without_loss(monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path):
    publish(monkeypatch, address, pretrained.read_bytes())
    held = load_file(find(NAME).path)
    published = torch.load(pretrained, weights_only=True)
    assert set(held) == set(published)
    assert all(torch.equal(held[name], published[name]) for name in held)


def test_the_page_of_backbones_has_the_table_of_the_registry():
    page = (Path(__file__).parents[1] / "docs" / "backbones.md").read_text(encoding="utf-8")
    assert listing.markdown() in page, "run `make docs`"
