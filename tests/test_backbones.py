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
from sleevenotes.learn.backbones import BACKBONES, Training, at_hand, backbone_named, cache_folder, find, load

NAME = "mobilenet_v2"
BOTH_CURES = r"Connect to the network, or name a file of weights with --weights FILE \(or .* SLEEVENOTES_WEIGHTS\)"


class Publisher(http.server.BaseHTTPRequestHandler):
    """Serves one file; can promise more than it sends."""

    files: ClassVar[dict[str, bytes]] = {}
    promised = 0  # bytes more than there are

    def do_GET(self) -> None:
        content = self.files.get(self.path.removeprefix("/"))
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + self.promised))
        self.end_headers()
        self.wfile.write(content)

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
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(Publisher, "files", {})
    monkeypatch.setattr(Publisher, "promised", 0)


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


def test_a_download_that_is_cut_off_is_an_error_and_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, address: str, pretrained: Path
):
    content = pretrained.read_bytes()
    publish(monkeypatch, address, content)
    monkeypatch.setattr(Publisher, "promised", 1000)
    told = rf"can't be fetched \(.*{len(content):,} of {len(content) + 1000:,} bytes.*\)\. {BOTH_CURES}"
    with pytest.raises(WeightsError, match=told):
        find(NAME)
    assert kept() == []


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
