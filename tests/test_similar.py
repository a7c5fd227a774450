"""Similar covers: all of them compared, in order, with what is the same picture told apart."""

from __future__ import annotations

import csv
import json
from io import StringIO

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner

from covers_for_tests import GENRES
from sleevenotes.cli import app
from sleevenotes.covers.images import decode, encode, resize
from sleevenotes.errors import ModelError
from sleevenotes.judge import similar as similarity
from sleevenotes.judge.similar import NEAR_DUPLICATE, SAME_FILE, CoverIndex, similar
from sleevenotes.learn import nearest as nearest_covers
from sleevenotes.learn.features import dataset_features
from sleevenotes.learn.nearest import Nearest, graph, index_at_hand, indexed, nearest, sketch, sketched
from sleevenotes.publish.similar_page import COLUMNS, write_similar_page, write_table

WITH_INDEX = pytest.mark.skipif(not index_at_hand(), reason="the extra `index` is not installed")


def directions(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    rows = rng.standard_normal((n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# --- arrays -----------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 70), st.integers(1, 80), st.integers(0, 10**6))
def test_blocks_find_what_the_whole_matrix_finds(n, m, count, scores, seed):
    rng = np.random.default_rng(seed)
    rows, asked = directions(rng, n, 6), directions(rng, m, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_covers, "SCORES", scores)
        patch.setattr(nearest_covers, "ASKED", 4)
        places, distances = nearest(asked, rows, count)
    expected = np.sort(np.maximum(0, 1 - asked @ rows.T), axis=1)[:, :count]
    assert places.shape == (m, min(count, n))
    assert distances == pytest.approx(expected, abs=1e-5)
    assert all(len(set(row)) == len(row) for row in places.tolist())


@settings(max_examples=40)
@given(st.integers(1, 80), st.integers(1, 90), st.floats(0, 2), st.integers(0, 10**6))
def test_a_sketch_leaves_out_none_of_the_nearest(n, count, noise, seed):
    rng = np.random.default_rng(seed)
    rough = rng.standard_normal((n, 3)) @ rng.standard_normal((3, 12)) + noise * rng.standard_normal((n, 12))
    rows = (rough / np.linalg.norm(rough, axis=1, keepdims=True)).astype(np.float32)
    asked = rows[:1] + np.float32(0.1)
    asked /= np.linalg.norm(asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_covers, "SKETCH", 3)
        _, told = sketched(asked[0], rows, sketch(rows), count)
    assert told == pytest.approx(nearest(asked, rows, count)[1], abs=1e-5)


def test_a_quick_search_gives_the_same_covers():
    rng = np.random.default_rng(6)
    features = (rng.standard_normal((3000, 20)) @ rng.standard_normal((20, 512))).astype(np.float32)
    features += rng.standard_normal(features.shape, dtype=np.float32)
    plain, quick = Nearest(features), Nearest(features, quick=True)
    for row in range(0, 3000, 500):
        (expected, far), (found, told) = (given.search(features[row : row + 1], 10) for given in (plain, quick))
        assert found.tolist() == expected.tolist()
        assert told == pytest.approx(far, abs=1e-5)


def test_covers_equally_near_come_in_the_order_of_the_table():
    rows = np.array([[0, 1], [1, 0], [1, 0], [1, 0]], dtype=np.float32)
    places, _ = nearest(np.array([[1, 0]], dtype=np.float32), rows, 3)
    assert places.tolist() == [[1, 2, 3]]


def test_the_scale_of_a_feature_does_not_matter():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((50, 8)).astype(np.float32)
    scaled = features * np.float32([1, 1000, 0.001, 1, 1, 30, 1, 1]) + np.float32(5)
    plain, other = (Nearest(given).search(given[:5], 6) for given in (features, scaled))
    assert plain[0].tolist() == other[0].tolist()
    assert plain[1] == pytest.approx(other[1], abs=1e-3)


def test_a_feature_that_never_varies_tells_nothing():
    rng = np.random.default_rng(1)
    features = rng.standard_normal((20, 4)).astype(np.float32)
    constant = np.hstack([features, np.full((20, 1), 7, np.float32)])
    assert Nearest(constant).search(constant, 3)[0].tolist() == Nearest(features).search(features, 3)[0].tolist()


def test_features_that_are_given_stay_as_they_are():
    features = np.random.default_rng(2).standard_normal((10, 3)).astype(np.float32)
    before = features.copy()
    Nearest(features).search(features, 2)
    assert (features == before).all()


def test_one_cover_and_covers_all_the_same_are_no_trouble():
    one = np.ones((1, 3), np.float32)
    assert Nearest(one).search(one, 5)[0].tolist() == [[0]]
    same = np.ones((4, 3), np.float32)
    assert np.isfinite(Nearest(same).search(same, 2)[1]).all()


def test_nothing_to_search_is_refused_in_a_sentence():
    with pytest.raises(ModelError, match="no cover to search"):
        Nearest(np.zeros((0, 3), np.float32))


def test_an_index_without_its_library_is_refused_with_both_ways_out(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "usearch.index", None)
    with pytest.raises(ModelError, match=r'usearch is not installed.*pip install "sleevenotes\[index\]".*compare all'):
        Nearest(np.eye(3, dtype=np.float32), index=True)


@WITH_INDEX
def test_the_index_finds_nearly_all_that_comparing_finds(tmp_path):
    rng = np.random.default_rng(3)
    rows = directions(rng, 2000, 24)
    asked = directions(rng, 50, 24)
    exact, distances = nearest(asked, rows, 10)
    for built in (graph(rows, tmp_path / "kept.usearch"), graph(rows, tmp_path / "kept.usearch")):  # made, then read
        found, told = indexed(asked, rows, built, 10)
        recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), found.tolist(), strict=True)])
        assert recall > 0.97
        assert told[:, 0] == pytest.approx(distances[:, 0], abs=1e-3)


@WITH_INDEX
def test_an_index_that_can_not_be_read_or_is_of_other_covers_is_built_again(tmp_path):
    kept = tmp_path / "kept.usearch"
    kept.write_bytes(b"no index")
    rng = np.random.default_rng(4)
    assert len(graph(directions(rng, 30, 5), kept)) == 30
    assert len(graph(directions(rng, 31, 5), kept)) == 31


# --- covers -----------------------------------------------------------------------------------------------------------


def test_a_cover_of_the_dataset_is_nearest_to_itself_and_is_marked(color_model, single):
    (answer,) = similar(color_model, single, [single.path(7)], top=4)
    first, *others = answer.neighbors
    assert (first.file_name, first.relation) == (single.file_names[7], SAME_FILE)
    assert first.distance == pytest.approx(0, abs=1e-5)
    assert len(others) == 3
    assert all(other.relation == "" for other in others)
    assert [each.distance for each in answer.neighbors] == sorted(each.distance for each in answer.neighbors)


def test_neighbours_come_with_what_the_dataset_knows_of_them(color_model, single):
    (answer,) = similar(color_model, single, [single.path(0)], top=1)
    (found,) = answer.neighbors
    assert found.genres == (GENRES[0],)
    assert found.artist == single.column("artist")[0]
    assert found.split == single.column("split")[0]


def test_covers_alike_in_colour_are_mostly_of_the_genre_that_shows_in_colour(color_model, single):
    answers = similar(color_model, single, single.paths[:30], top=5, duplicates=False)
    shares = [
        genres == each.genres for answer, genres in zip(answers, single.genre_lists, strict=False)
        for each in answer.neighbors
    ]  # fmt: skip
    assert np.mean(shares) > 0.6  # guessing gets a third


@pytest.fixture(scope="module")
def smooth(tmp_path_factory):
    """A dataset whose covers have structure, so that a copy in another compression is a near-duplicate."""
    from sleevenotes.covers.dataset import from_columns

    folder = tmp_path_factory.mktemp("smooth")
    (folder / "images").mkdir()
    rng = np.random.default_rng(5)
    names = []
    for at in range(12):
        picture = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        names.append(f"images/{at}.png")
        (folder / names[-1]).write_bytes(encode(resize(picture, 96), "png"))
    dataset = from_columns(folder, {"file_name": names, "genres": ["folk"] * 12})
    dataset.write()
    return dataset


def test_a_copy_in_another_size_and_compression_is_told_and_can_be_left_out(color_model, smooth):
    copy = encode(resize(decode(smooth.path(3)), 80), "jpeg", quality=70)
    index = CoverIndex(color_model, smooth)
    (marked,) = index.ask([copy], top=3)
    assert {each.file_name: each.relation for each in marked.neighbors}["images/3.png"] == NEAR_DUPLICATE
    (left,) = index.ask([copy], top=11, duplicates=False)
    assert len(left.neighbors) == 11
    assert "images/3.png" not in {each.file_name for each in left.neighbors}


def test_leaving_duplicates_out_goes_on_until_there_are_enough(color_model, smooth, monkeypatch):
    monkeypatch.setattr(similarity, "SPARE", 0)
    (answer,) = CoverIndex(color_model, smooth).ask([smooth.path(1)], top=5, duplicates=False)
    assert len(answer.neighbors) == 5
    assert "images/1.png" not in {each.file_name for each in answer.neighbors}


def test_a_cover_that_can_not_be_read_says_so_in_its_place(color_model, single, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"nothing")
    answers = similar(color_model, single, [single.path(0), broken, tmp_path / "not there.jpg"], top=1)
    assert [answer.error is None for answer in answers] == [True, False, False]
    assert answers[1].error.startswith(f"{broken}: no picture")
    told = StringIO()
    assert write_table(answers, told) == 2
    assert f"{broken}   no picture" in told.getvalue()  # named once
    assert answers[1].neighbors == ()


def test_an_index_of_covers_is_asked_again_without_looking_at_the_dataset(color_model, single, monkeypatch):
    index = CoverIndex(color_model, single)
    monkeypatch.setattr(similarity, "dataset_features", None)
    data = [single.path(0).read_bytes()] * 3
    answers = list(index.ask(data, top=2))
    assert [answer.file for answer in answers] == ["cover 1", "cover 2", "cover 3"]
    assert len({answer.neighbors for answer in answers}) == 1
    assert index.words == "All 200 covers were compared."


def test_distances_are_the_cosines_of_standardised_features(color_model, single):
    features = dataset_features(single, color_model.extractor)
    spread = features.std(axis=0)
    standard = (features - features.mean(axis=0)) / np.where(spread > 1e-6 * spread.max(), spread, 1)
    a, b = standard[4], standard[9]
    expected = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    (answer,) = similar(color_model, single, [single.path(4)], top=200)
    told = {each.file_name: each.distance for each in answer.neighbors}
    assert len(told) == 200
    assert told[single.file_names[9]] == pytest.approx(expected, abs=1e-4)


def test_too_many_covers_without_the_library_are_compared_and_it_is_said(color_model, single, monkeypatch):
    monkeypatch.setattr(nearest_covers, "EXACT_COVERS", 10)
    monkeypatch.setattr(similarity, "EXACT_COVERS", 10)
    monkeypatch.setattr(nearest_covers, "index_at_hand", lambda: False)
    monkeypatch.setattr(similarity, "index_at_hand", lambda: False)
    index = CoverIndex(color_model, single)
    assert not index.nearest.by_index
    assert 'pip install "sleevenotes[index]"' in index.words


# --- the verb and its page --------------------------------------------------------------------------------------------


def test_the_verb_says_the_same_as_text_json_and_csv(color_model, single, tmp_path):
    asked = [str(single.path(2)), "--in", str(single.folder), "--top", "3"]
    text, as_json, as_csv = (
        CliRunner().invoke(app, ["similar", str(color_model.folder), *asked, *form])
        for form in ([], ["--json"], ["--csv"])
    )
    told = json.loads(as_json.stdout)
    rows = list(csv.DictReader(as_csv.stdout.splitlines()))
    assert [text.exit_code, as_json.exit_code, as_csv.exit_code] == [0, 0, 0]
    assert tuple(rows[0]) == COLUMNS
    assert [row["file_name"] for row in rows] == [each["file_name"] for each in told["similar"]]
    assert told["similar"][0]["relation"] == SAME_FILE
    assert len(text.stdout.splitlines()) == 4
    assert "All 200 covers were compared." in text.stderr


def test_the_verb_ends_with_1_where_a_cover_can_not_be_read(color_model, single, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    done = CliRunner().invoke(
        app, ["similar", str(color_model.folder), str(tmp_path / "broken.jpg"), "--in", str(single.folder)]
    )
    assert done.exit_code == 1
    assert "1 of 1 covers could not be read" in done.stderr


@pytest.mark.parametrize("covers", [True, False])
def test_the_page_is_whole_and_shows_covers_only_where_it_may(color_model, smooth, tmp_path, covers):
    source = tmp_path / "<b>&.png"
    source.write_bytes(smooth.path(0).read_bytes())
    answers = similar(color_model, smooth, [source], top=4)
    page = write_similar_page(tmp_path / "out", answers, [source], dataset=smooth.folder, covers=covers)
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/jpeg") == (5 if covers else 0)
    assert "<b>&" not in html
    assert "&lt;b&gt;&amp;.png" in html
    assert str(tmp_path) not in html
    assert "same file" in html
    assert "http" not in html.replace("http-equiv", "")
    assert len(json.loads((tmp_path / "out" / "similar.json").read_text())["answers"][0]["similar"]) == 4
