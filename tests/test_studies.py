"""What studies share: parts that are kept, tables that keep their shape, and the covers behind every figure."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sleevenotes.errors import SplitError
from sleevenotes.studies.material import Material, Quick
from sleevenotes.studies.parts import Parts
from sleevenotes.studies.record import Column, Section, Table, cell_words, of_paper, table_rows


@pytest.fixture
def said():
    return []


@pytest.fixture
def parts(tmp_path, said):
    return Parts(tmp_path, {"dataset": "a"}, said.append)


def test_a_part_is_made_once_and_found_after(parts, said, tmp_path):
    made = []
    for _ in range(2):
        value = parts.part("one", lambda: made.append(1) or {"x": 0.5}, words=lambda value: f"x is {value['x']}")
    assert value == {"x": 0.5}
    assert len(made) == 1
    assert said[0].startswith("one: x is 0.5 (0.")
    assert said[1] == "one: x is 0.5 (done before)"
    again = Parts(tmp_path, {"dataset": "a"}, said.append)
    again.part("one", lambda: made.append(1) or {})
    assert len(made) == 1


def test_a_part_of_other_covers_or_settings_is_made_again(parts, tmp_path, said):
    parts.part("one", lambda: {"x": 1}, settings={"draws": 3})
    assert parts.part("one", lambda: {"x": 2}, settings={"draws": 4}) == {"x": 2}
    others = Parts(tmp_path, {"dataset": "b"}, said.append)
    assert others.part("one", lambda: {"x": 3}, settings={"draws": 4}) == {"x": 3}


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"key": "x"}'])
def test_a_spoilt_part_is_made_again(parts, spoilt):
    parts.part("one", lambda: {"x": 1})
    parts.path("one").write_text(spoilt)
    assert parts.part("one", lambda: {"x": 2}) == {"x": 2}


def test_a_row_has_a_cell_for_each_column():
    table = Table("t", "T", "n = 1", [Column("a"), Column("b")])
    with pytest.raises(ValueError, match=r"row 'x' has 1 cells\. Expected 2"):
        table.add("x", 0.5)


def test_a_section_is_plain_json_and_a_table_reads_in_a_terminal():
    table = Table("t", "T", "n = 1", [Column("a", "paper"), Column("b", "ours", "rank"), Column("c", "", "text")])
    table.add("x", of_paper(0.18, 1000), 2, "words", remark="why")
    table.add("y", None, {"value": 1.5, "low": 1, "high": 2}, None)
    section = json.loads(json.dumps(Section("s", "S", tables=[table]).plain()))
    header, rows = table_rows(section["tables"][0])
    assert header == ["", "paper a", "ours b", "c", "remark"]
    assert rows == [["x", "18.0 % (15.7–20.5)", "2.0", "words", "why"], ["y", "–", "1.5 (1.0–2.0)", "–", ""]]
    assert cell_words(1234, "count") == "1,234"


def test_a_quick_material_keeps_every_genre_and_side_and_is_smaller(single):
    whole = Material.of(single, seed=0)
    quick = Material.of(single, seed=0, quick=Quick(covers=16))
    assert quick.count("train") == 3 * 14
    assert quick.count("valid") == 3 * 2
    assert quick.count("test") == 3 * 8
    assert set(quick.dataset.file_names) < set(whole.dataset.file_names)
    assert "QUICK RUN" in quick.covers_words
    assert quick.dataset.file_names == Material.of(single, seed=0, quick=Quick(covers=16)).dataset.file_names


def test_figures_are_of_the_test_side(single):
    material = Material.of(single, seed=0)
    truth = material.truth("test")
    accuracy = material.accuracy(truth)
    assert accuracy["value"] == accuracy["high"] == 1
    assert 0.5 < accuracy["low"] < 1
    guessing = material.guessing
    assert guessing["low"] < guessing["value"] < guessing["high"]
    assert [each["value"] for each in material.recalls(truth)] == [1.0] * 3
    assert sum(material.spread(truth)) == pytest.approx(1)
    gain = material.difference(truth, material.commonest)
    assert gain.difference == pytest.approx(1 - guessing["value"])
    assert len(material.rows["learn"]) == material.count("train") + material.count("valid")
    assert not set(material.rows["learn"]) & set(material.rows["test"])
    assert material.mean(np.ones(len(truth)), np.zeros(len(truth), bool))["value"] is None


def test_a_study_refuses_what_is_not_one_genre_a_cover(multi, tmp_path, single):
    with pytest.raises(SplitError, match=r"split for `multi`.*--task single --again"):
        Material.of(multi, seed=0)
    with pytest.raises(SplitError, match="no cover in valid"):
        Material.of(single.where([side != "valid" for side in single.column("split")]), seed=0)
