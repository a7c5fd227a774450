"""The Bandcamp study: the paper's numbers, and the whole of it on demo covers of which it is known what they tell."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace

import pytest

from sleevenotes.collect.collecting import collect
from sleevenotes.collect.demo import NAMES, DemoSettings, draw_demo
from sleevenotes.covers.splits import split
from sleevenotes.errors import EvaluationError, SleevenotesWarning, WeightsError
from sleevenotes.learn.backbones import BACKBONES, Training
from sleevenotes.publish.study_page import write_study_page
from sleevenotes.studies.bandcamp import leaks, paper as printed, wishes
from sleevenotes.studies.bandcamp.study import Settings, run
from sleevenotes.studies.material import Material, Quick
from sleevenotes.studies.parts import Parts

GENRES = 4
PLAIN = 2  # of them without a palette of their own


# -------------------------------------------------------------------------------- the paper


def test_the_means_of_the_papers_columns_are_not_what_its_text_says():
    means = {name: round(100 * printed.column_mean("table_4", name), 1) for name in printed.paper()["table_4"]}
    assert means == {"AlexNet": 17.1, "ResNet-34": 17.3, "ResNet-18": 15.6, "ResNet-152": 14.8}
    assert round(100 * printed.column_mean("table_3", "AlexNet"), 1) == 13.4
    assert round(100 * printed.column_mean("table_3", "small CNN"), 1) == 17.6


def test_every_table_of_the_paper_has_every_genre_and_method():
    numbers = printed.paper()
    assert len(numbers["genres"]) == 10
    for column in (numbers["table_1"], *numbers["table_3"].values(), *numbers["table_4"].values()):
        assert list(column) == numbers["genres"]
    assert all(set(row) == {"random", "resize"} for row in numbers["table_2"].values())
    assert len(printed.models()) == 20 + 2 + 4


def test_few_of_the_papers_models_differ():
    pairs, among = printed.differing()
    assert among == 26 * 25 // 2
    assert 0 < len(pairs) < among / 4
    assert not any("pretrained" in one and "pretrained" in two for one, two, _ in pairs)


def test_all_disagreements_of_the_paper_are_told():
    section = printed.put_right().plain()
    told = json.dumps(section["tables"][0], ensure_ascii=False)
    for words in ("18.0%", "17.1%", "17.3%", "15.6%", "14.8%", "13.4%", "8,800", "9,700 to 9,900"):
        assert words in told
    for words in ("43.0% and 12.0%", "33.0% and 9.0% random", "11.5% and 12.5%", "an accuracy, not an error", "pop"):
        assert words in told


@pytest.mark.parametrize(
    ("ours", "theirs"), [("Hip Hop", "hiphop/rap"), ("rap", "hiphop/rap"), ("Rock", "rock"), ("polka", None)]
)
def test_genres_are_found_in_the_paper_whatever_their_spelling(ours, theirs):
    assert printed.same_genre(ours) == theirs


# -------------------------------------------------------------------------------- the whole study


@pytest.fixture(scope="module")
def covers(tmp_path_factory):
    """Demo covers: the first two genres have palettes of their own, the others any genre's."""
    folder = tmp_path_factory.mktemp("demo")
    settings = DemoSettings(
        genres=GENRES, covers_per_genre=40, size_px=100, signal=0.9, palette_signal=1.0, plain_genres=PLAIN,
        near_duplicates=0.05, exact_duplicates=0, broken=0, label_noise=0,
    )  # fmt: skip
    draw_demo(folder / "covers", settings, seed=3)
    dataset = collect(folder / "covers", folder / "dataset").dataset
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in test
        return split(dataset, task="single").dataset


def test_the_whole_study_finds_what_was_planted(covers, tmp_path, monkeypatch):
    """One test, as the study takes its time: all of it at --quick, without any weights at hand."""
    monkeypatch.delenv("SLEEVENOTES_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    said: list[str] = []
    study = run(covers, tmp_path, Settings(quick=True, say=said.append))
    assert json.loads((tmp_path / "study.json").read_text()) == study
    assert study["quick"]
    assert "guessing" in study["verdict"]
    tables = {table["id"]: table for section in study["sections"] for table in section["tables"]}
    it_has_every_table_and_figure_of_the_paper(study)
    a_genre_with_its_own_palette_is_most_like_itself_and_one_without_is_not(tmp_path / "colors" / "colors.json")
    what_tells_the_genre_beats_guessing(tables)
    every_table_says_what_it_used_and_that_it_is_quick(study)
    rows_without_weights_say_how_to_get_them(tables["table-4-models"])
    page = write_study_page(tmp_path).read_text(encoding="utf-8")
    assert all(f"Table {number}:" in page for number in (1, 2, 3, 4))
    again: list[str] = []
    assert run(covers, tmp_path, Settings(quick=True, say=again.append)) == study  # and nothing was made anew
    assert len(said) == len(again) > 20
    assert all(line.endswith("(done before)") for line in again)


def it_has_every_table_and_figure_of_the_paper(study):
    titles = {
        kind: [each["title"] for section in study["sections"] for each in section[kind]]
        for kind in ("tables", "figures")
    }
    assert all(any(title.startswith(f"Table {number}:") for title in titles["tables"]) for number in (1, 2, 3, 4))
    assert all(any(title.startswith(f"Figure {number}:") for title in titles["figures"]) for number in (1, 2, 3))
    ids = [each["id"] for section in study["sections"] for each in (*section["tables"], *section["figures"])]
    assert len(ids) == len(set(ids))


def a_genre_with_its_own_palette_is_most_like_itself_and_one_without_is_not(path):
    found = json.loads(path.read_text())
    measures = found["by"]["cubic"]["measures"]
    own = [number for number, genre in enumerate(found["genres"]) if genre in {name.lower() for name in NAMES[:2]}]
    assert len(own) == GENRES - PLAIN
    for name in ("correlation", "intersection", "hellinger"):  # chi-square divides by bins that are nearly empty
        assert [measures[name]["exact_self_rank"][genre] for genre in own] == [1] * len(own)
    plain = [number for number in range(GENRES) if number not in own]
    assert all(measures["intersection"]["exact_self_rank"][genre] > 1 for genre in plain)


def what_tells_the_genre_beats_guessing(tables):
    test = [column["name"] for column in tables["families"]["columns"]].index("test", 2)
    best = {row["name"]: row["cells"][test] for row in tables["families"]["rows"]}
    assert best["colours and gradients"]["low"] > tables["everything"]["rows"][-1]["cells"][1]["value"]


def every_table_says_what_it_used_and_that_it_is_quick(study):
    for section in study["sections"]:
        for table in section["tables"]:
            if section["id"] != "paper":
                assert re.search(r"\d+ covers", table["note"]), table["id"]
                assert "QUICK RUN" in table["note"] or table["id"] == "several", table["id"]


def rows_without_weights_say_how_to_get_them(models):
    remarks = {row["name"]: row["remark"] for row in models["rows"]}
    assert "resnet18-f37072fd.pth" in remarks["ResNet-18, 224 px"]
    assert "--fetch" in remarks["AlexNet, 224 px"]
    assert all(row["cells"][3] is None for row in models["rows"] if "not at hand" in (row["remark"] or ""))


def test_the_study_refuses_an_unknown_backbone_and_a_file_as_its_folder(covers, tmp_path):
    with pytest.raises(WeightsError, match=r"backbone 'resnet19': unknown.*Did you mean 'resnet"):
        run(covers, tmp_path / "out", Settings(backbones=["resnet19"]))
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="a file"):
        run(covers, tmp_path / "file")


def test_parts_that_rest_on_a_backbone_are_made_anew_once_its_weights_are_at_hand(
    covers, pretrained, tmp_path, monkeypatch
):
    monkeypatch.delenv("SLEEVENOTES_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    material = Material.of(covers, seed=0, quick=Quick(covers=8))
    said: list[str] = []
    parts = Parts(tmp_path / "study", {"dataset": material.dataset.fingerprint}, said.append)

    def told():
        rows = {row.name for row in leaks.section(material, parts).tables[0].rows}
        return rows, wishes.section(material, parts).tables[0].note

    rows, note = told()
    assert "colour histograms" in note
    assert told() == (rows, note)
    assert sum("done before" in line for line in said) == 3  # leaks, the top three, several genres
    known = Training("random", pretrained.name, pretrained.stem.split("-")[1])
    monkeypatch.setitem(BACKBONES, "mobilenet_v2", replace(BACKBONES["mobilenet_v2"], trainings=(known,)))
    monkeypatch.setenv("SLEEVENOTES_WEIGHTS", str(pretrained.parent))
    rows_now, note_now = told()
    assert "mobilenet_v2" in note_now
    assert rows_now - rows == {f"{method} on mobilenet_v2, 224 px" for method in ("5-nn", "logistic regression")}
