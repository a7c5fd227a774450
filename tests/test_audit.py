"""The audit is right about itself: it finds what was planted, and keeps quiet where nothing was."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import copy_of
from covers_for_tests import GENRES, draw
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.duplicates import Pair
from sleevenotes.covers.images import encode, sha256
from sleevenotes.errors import AuditError, SplitError
from sleevenotes.judge.audit import leaks
from sleevenotes.judge.audit.audit import AUDIT_NAME, RULES, AuditSettings, audit
from sleevenotes.judge.audit.control import Control, controlled, parse_years
from sleevenotes.judge.audit.findings import Finding, Measured, holm, settled, worst
from sleevenotes.judge.audit.probe import Target, cauchy, probe, shuffled_p
from sleevenotes.judge.audit.scores import Ruler, above_chance, auc
from sleevenotes.judge.audit.subject import Subject, cross_validated
from sleevenotes.judge.figures import Answers
from sleevenotes.learn.model import Model

CHEAP = frozenset({1, 2, 6})


def found(p=None, verdict="suspicious", **more):
    measured = Measured("ROC AUC", 0.8, 0.7, 0.9, 0.5, p)
    return Finding("x", 1, "A title", "What was tested.", measured, verdict, "Words.", "Do it.", "a command", **more)


# -------------------------------------------------------------------------------- findings


def test_holm_never_lowers_a_p_and_keeps_their_order():
    rng = np.random.default_rng(1)
    for _ in range(50):
        values = rng.random(rng.integers(1, 9)) ** 3
        corrected = np.array(holm(values.tolist()))
        assert (corrected >= values - 1e-12).all()
        assert corrected.max() <= 1
        assert (np.diff(corrected[np.argsort(values)]) >= 0).all()
    assert holm([]) == []


def test_a_finding_that_does_not_survive_the_correction_becomes_clean_and_says_so():
    told = settled([found(0.04), found(0.3), found(None, "broken"), found(0.0001)])
    assert [finding.verdict for finding in told] == ["clean", "clean", "broken", "suspicious"]
    assert "Among 3 tests that is no more than chance would give (p = 0.08)" in told[0].words
    assert told[0].advice == told[0].command == ""
    assert told[2].advice == "Do it."
    assert told[3].p_holm == pytest.approx(0.0003)
    assert told[2].p_holm is None


def test_the_worst_verdict_is_that_of_all():
    assert worst([finding.verdict for finding in (found(), found(verdict="clean"))]) == "suspicious"
    assert worst([]) == "clean"


# -------------------------------------------------------------------------------- the probe


def target(n=150, genres=3, seed=0, groups=None):
    rng = np.random.default_rng(seed)
    return Target.of_one(rng.permutation(np.arange(n) % genres), groups or [str(i) for i in range(n)], seed=seed)


def test_the_probe_finds_the_one_column_that_tells():
    asked = target()
    columns = np.random.default_rng(3).normal(size=(150, 4))
    columns[:, 2] += 2 * asked.truth.argmax(axis=1)
    told = probe(columns, asked)
    assert told.low > 0.7
    assert told.p < 0.01
    assert told.alone.argmax() == 2
    assert told.alone[2] > 0.8


def test_the_probe_finds_what_is_told_by_a_value_that_is_missing():
    asked = target()
    columns = np.random.default_rng(3).normal(size=(150, 2))
    columns[asked.truth[:, 0] == 1, 1] = np.nan
    told = probe(columns, asked)
    assert told.p < 0.01
    assert told.alone[1] > 0.7


def test_the_probe_keeps_quiet_about_noise():
    p = []
    for seed in range(12):
        asked = target(90, 2, seed)
        p.append(probe(np.random.default_rng(seed + 100).normal(size=(90, 3)), asked).p)
    assert sum(value < 0.05 for value in p) <= 2  # of 12, where one in twenty is to be expected
    assert max(p) > 0.3


def test_covers_of_one_group_are_one_observation():
    """A column that knows each group, and genres that go by group: nothing is told of a group not yet seen."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(30), 5)
    genre = np.repeat(rng.permutation(np.arange(30) % 2), 5)
    asked = Target.of_one(genre, [f"g{group}" for group in groups])
    proba = np.where((genre == 0)[:, None], [0.9, 0.1], [0.1, 0.9]).astype(float)
    rows = groups < 4  # four groups, two of each genre: 6 ways to deal them out, one of them right
    rows = np.isin(groups, [*np.flatnonzero(genre[::5] == 0)[:2], *np.flatnonzero(genre[::5] == 1)[:2]])
    assert shuffled_p(asked, proba, rows) == pytest.approx(1 / 6, abs=0.03)


def test_a_fold_in_which_nothing_can_be_ranked_has_no_p():
    asked = target()
    rows = asked.truth[:, 0] == 1
    assert shuffled_p(asked, np.full((150, 3), 1 / 3), rows) is None


def test_cauchy_lies_between_the_least_and_their_number_times_it():
    rng = np.random.default_rng(2)
    for _ in range(100):
        values = rng.random(5) * 0.4
        assert values.min() - 1e-9 <= cauchy(values.tolist()) <= 5 * values.min() + 1e-9


# -------------------------------------------------------------------------------- scores


def test_answers_are_not_better_than_themselves_and_are_than_none():
    rng = np.random.default_rng(5)
    truth = rng.integers(2, size=120)
    good = np.stack([1.0 - truth, truth], axis=1) * 0.4 + rng.random((120, 2)) * 0.3
    groups = [str(number) for number in range(120)]
    sharp, none = Answers(truth, good, groups), Answers(truth, rng.random((120, 2)), groups)
    ruler = Ruler()
    difference, p = ruler.paired(sharp, sharp)
    assert difference == {"value": 0, "low": None, "high": None, "too_few": True}
    assert p is None
    difference, p = ruler.paired(sharp, none)
    assert p < 0.01
    assert difference["low"] > 0.2
    assert ruler.unpaired(sharp, none)[1] < 0.02
    assert above_chance(ruler.estimate(sharp)) == pytest.approx(float(auc(sharp)) - 0.5)


# -------------------------------------------------------------------------------- leaks


def test_a_split_with_groups_apart_leaks_nothing_and_one_without_does(single, tmp_path):
    subject = Subject.of(single, None, tmp_path)
    assert leaks.across_sides(subject, []).verdict == "clean"
    side = np.array(subject.dataset.column("split"))
    test, train = int(np.flatnonzero(side == "test")[0]), int(np.flatnonzero(side == "train")[0])
    told = leaks.across_sides(subject, [Pair(train, test, 3, 0.99)])
    assert told.verdict == "suspicious"
    assert told.details["shared"] == {"near-duplicates": 1, "artists": 0, "releases": 0}
    assert "--again" in told.command
    artists = ["Yes" if row in (test, train) else name for row, name in enumerate(subject.dataset.column("artist"))]
    artists[train] = "yes; Genesis"
    torn = subject.on(subject.dataset.with_columns(artist=artists))
    assert leaks.across_sides(torn, []).details["shared"]["artists"] == 1
    everywhere = subject.on(subject.dataset.with_columns(artist=["Yes"] * len(subject.dataset)))
    assert leaks.across_sides(everywhere, []).verdict == "broken"


def test_the_price_of_leaking_is_told_where_mates_are_alike(single, tmp_path):
    """Covers that only their mates look like: known on a random split, unknown with groups apart."""
    subject = Subject.of(single, None, tmp_path)
    rng = np.random.default_rng(0)
    n = len(subject.dataset)
    groups = [f"g{row // 4}" for row in range(n)]
    own = rng.normal(size=(n // 4 + 1, 60))
    features = own[np.arange(n) // 4].astype(np.float32)
    truth = rng.integers(3, size=n // 4 + 1)[np.arange(n) // 4]
    fake = subject.on(subject.dataset.with_columns(group=groups))
    fake.__dict__.update(features=features, truth=truth, frozen=(None, "numbers"))
    told = leaks.price(fake, repeats=4).details["price"]
    assert told["difference"]["low"] > 0.2
    assert abs(told["apart"]["value"] - 0.5) < 0.2


# -------------------------------------------------------------------------------- the control


@pytest.fixture
def other(single, tmp_path):
    """Covers of years, folk among jazz, whose colours tell the genre as those of `single` do."""
    copy = copy_of(single, tmp_path / "other")
    genres = [";".join(sorted({each[0], "jazz"})) for each in copy.genre_lists]
    return copy.with_columns(genres=genres, year=[str(1960 + row % 40) for row in range(len(copy))])


def test_years_are_two_in_order():
    assert parse_years(" 1966–1985 ") == (1966, 1985)
    for text in ("1985-1966", "66-85", "1966", ""):
        with pytest.raises(AuditError, match=r"--control-years: '.*'\. Two years were expected, such as 1966-1985"):
            parse_years(text)


def test_a_control_takes_covers_of_the_genre_and_others_of_those_years(other):
    covers, truth = Control(other, "Folk", "JAZZ", (1966, 1985)).covers()
    assert {("folk", "jazz")} == {genres for genres, of in zip(covers.genre_lists, truth, strict=True) if of == 0}
    assert all("folk" not in genres and "jazz" in genres for genres in np.array(covers.genre_lists, object)[truth == 1])
    assert {int(year) for year in covers.column("year")} <= set(range(1966, 1986))


def test_a_control_without_covers_says_so(other):
    with pytest.raises(AuditError, match=r"0 covers of folk and 0 others of jazz of 1700 to 1710\. At least 10 of ei"):
        Control(other, "folk", "jazz", (1700, 1710)).covers()
    with pytest.raises(AuditError, match=r"unknown genre 'folc'\. Genres there: folk, jazz, metal\. Did you mean 'fol"):
        Control(other, "folc").covers()


def test_a_control_on_which_the_model_is_as_good_is_clean_and_one_of_noise_is_broken(
    single, color_model, other, tmp_path
):
    subject = Subject.of(single, color_model, tmp_path)
    good = controlled(subject, Control(other, "folk"))
    assert good.verdict == "clean"
    assert good.details["after"]["value"] > 0.8
    mixed = other.with_columns(genres=np.random.default_rng(0).permutation(other.column("genres")).tolist())
    bad = controlled(subject, Control(mixed, "folk"))
    assert bad.verdict == "broken"
    assert bad.measured.p is not None
    assert bad.measured.p < 0.05
    with pytest.raises(AuditError, match=r"the control's genre 'rock' is unknown to this model\. Its genres are"):
        controlled(subject, Control(other.with_columns(genres=["jazz;rock", "folk"] * (len(other) // 2)), "rock"))


# -------------------------------------------------------------------------------- the subject


def test_a_model_for_other_genres_or_that_has_seen_the_test_side_is_refused(single, binary, color_model, tmp_path):
    with pytest.raises(AuditError, match=r"a model for single: folk, jazz, metal\. One for the dataset's genres"):
        Subject.of(binary, color_model, tmp_path)
    turned = ["test" if side == "train" else "train" for side in single.column("split")]
    with pytest.raises(AuditError, match=r"it learnt from \d+ of the covers that are now in test"):
        Subject.of(single.with_columns(split=turned), color_model, tmp_path)
    with pytest.raises(SplitError, match="no cover in test"):
        Subject.of(single.with_columns(split=["train"] * len(single)), None, tmp_path)


def test_cross_validated_answers_are_of_covers_not_learnt_from(single, tmp_path):
    """Features that know each cover by heart help nothing."""
    subject = Subject.of(single, None, tmp_path)
    features = np.eye(len(subject.dataset), dtype=np.float32)
    proba = cross_validated(features, subject.truth, subject.dataset.groups, subject.task, seed=0)
    assert np.allclose(proba.sum(axis=1), 1)
    assert abs((proba.argmax(axis=1) == subject.truth).mean() - 1 / 3) < 0.12


# -------------------------------------------------------------------------------- the whole


@pytest.fixture(scope="module")
def planted(single, tmp_path_factory):
    """The same covers, metal in another size and quality: a shortcut that has nothing to do with the art."""
    dataset = copy_of(single, tmp_path_factory.mktemp("planted") / "dataset")
    rng = np.random.default_rng(9)
    digests, names = [], []
    for row, genres in enumerate(dataset.genre_lists):
        metal = genres[0] == "metal"
        cover = draw(GENRES.index(genres[0]), rng, signal=False)[: 40 if metal else 48]
        data = encode(cover, "jpeg", quality=60 if metal else 92)
        names.append(f"images/{row:04d}.jpg")
        (dataset.folder / names[-1]).write_bytes(data)
        digests.append(sha256(data))
    dataset = dataset.with_columns(file_name=names, sha256=digests, width=["48"] * len(dataset))
    dataset.write()
    return Dataset.open(dataset.folder)


def test_a_planted_shortcut_is_found_and_a_page_of_json_tells_it(planted, tmp_path):
    said = []
    told = audit(planted, tmp_path / "audit", AuditSettings(checks=CHEAP, price=False, say=said.append))
    assert json.loads((tmp_path / "audit" / AUDIT_NAME).read_text()) == told
    findings = {finding["id"]: finding for finding in told["findings"]}
    files = findings["file-properties"]
    assert told["verdict"] == files["verdict"] == "broken"
    assert files["measured"]["low"] > 0.75 > findings["file-names"]["measured"]["value"]
    assert files["p_holm"] < 0.05
    assert {row["name"] for row in files["details"]["properties"] if row["auc"] > 0.7} >= {"height", "aspect"}
    assert "sleevenotes harmonise" in files["command"]
    assert findings["leaks"]["verdict"] == "clean"
    assert told["left_out"] == []
    assert re.match(r"Broken: the genre from file properties alone", told["words"])
    assert len(said) == len(told["findings"])


def test_covers_without_a_shortcut_raise_no_alarm(single, tmp_path):
    told = audit(single, tmp_path / "audit", AuditSettings(checks=frozenset({1, 6}), price=False))
    assert told["verdict"] == "clean"
    assert all(finding["command"] == "" for finding in told["findings"])


def test_an_audit_of_a_dataset_alone_says_what_it_leaves_out(single, tmp_path):
    told = audit(single, tmp_path / "audit", AuditSettings(checks=frozenset({1, 3, 5}), price=False))
    assert [(one["check"], one["why"]) for one in told["left_out"]] == [
        (3, "no model is audited"),
        (5, "no model is audited"),
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (AuditSettings(checks=frozenset({0, 11})), r"audit: no check 0, 11\. Checks are 1 to 9"),
        (AuditSettings(checks=frozenset()), "no check at all"),
        (AuditSettings(model="color", trained="there"), "a model to train and one that is trained"),
    ],
)
def test_what_can_t_be_audited_is_refused(single, tmp_path, settings, message):
    with pytest.raises(AuditError, match=message):
        audit(single, tmp_path / "audit", settings)


def test_every_rule_stands_in_the_docs():
    told = " ".join((Path(__file__).parents[1] / "docs" / "audit.md").read_text(encoding="utf-8").split())
    assert len(RULES) == 13
    for rule in RULES.values():
        assert rule in told


def test_a_file_is_no_folder_for_an_audit(single, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="a file"):
        audit(single, tmp_path / "file", replace(AuditSettings(), checks=frozenset({6})))


# the log


@pytest.mark.parametrize(("checks", "lines"), [({3}, 1), ({1, 6}, 0)])
def test_an_audit_that_asks_the_model_about_the_test_is_logged_first(
    single: Dataset, color_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: set[int], lines: int
):
    model = shutil.copytree(color_model.folder, tmp_path / "model")
    log = model / "scorings.jsonl"
    before = len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sleevenotes.judge.audit.audit._made", stop)
    with pytest.raises(KeyboardInterrupt):
        audit(single, tmp_path / "out", AuditSettings(trained=model, checks=frozenset(checks)))
    lines_now = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    logged = [json.loads(line) for line in lines_now[before:]]
    assert [(line["by"], line["split"], line["n"]) for line in logged] == [("audit", "test", 30)] * lines
