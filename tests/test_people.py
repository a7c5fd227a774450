"""How good people are: laws of agreement, cases worked by hand, and the way from a game to its figures."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from numpy.typing import NDArray
from scipy import stats

from covers_for_tests import GENRES
from finished import HOSTILE, Finished, finished
from sleevenotes.collect.guesses import Answer, Dealt, Guesses
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import write_json
from sleevenotes.errors import DatasetError, EvaluationError
from sleevenotes.judge import people as p, players as q
from sleevenotes.judge.evaluation import evaluate
from sleevenotes.judge.intervals import TEST, paired_test
from sleevenotes.judge.proportions import holm
from sleevenotes.learn.model import Model
from sleevenotes.publish.people import table
from sleevenotes.publish.report import write_report

laws = settings(max_examples=60)
tables = st.lists(st.lists(st.integers(-1, 3), min_size=2, max_size=5), min_size=1, max_size=12).filter(
    lambda rows: len({len(row) for row in rows}) == 1
)


def counts(rows: Sequence[Sequence[int]], genres: int = 6) -> NDArray[np.float64]:
    """How many players named each genre, a row a cover; -1 is a player who did not see the cover."""
    return np.array([[list(row).count(genre) for genre in range(genres)] for row in rows], dtype=np.float64)


# ------------------------------------------------------------------------------------------- agreement

# the example that closes Krippendorff's paper: twelve units, four observers, some of whom did not see all of them
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, -1, -1, -1),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, -1, 3),
    (-1, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, -1),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, -1),
)
TWO_OBSERVERS = ("aabbdcccedda", "babbbccceddd")
YES_OR_NO = ("0100000010", "1110010000")


def test_alpha_is_that_of_krippendorffs_worked_examples():
    assert float(q.alpha(counts(list(zip(*OBSERVERS, strict=True))))) == pytest.approx(0.743, abs=5e-4)
    letters = [["abcde".index(mark) for mark in row] for row in TWO_OBSERVERS]
    assert float(q.alpha(counts(list(zip(*letters, strict=True))))) == pytest.approx(0.692, abs=5e-4)
    digits = [[int(mark) for mark in row] for row in YES_OR_NO]
    assert float(q.alpha(counts(list(zip(*digits, strict=True))))) == pytest.approx(0.095, abs=5e-4)


@laws
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(2, 5)), min_size=2, max_size=12))
def test_alpha_is_one_where_all_agree(named: list[tuple[int, int]]):
    assume(len({genre for genre, _ in named}) > 1)
    assert float(q.alpha(counts([[genre] * players for genre, players in named]))) == pytest.approx(1)


@laws
@given(tables, st.permutations(range(6)))
def test_alpha_does_not_change_with_names_order_or_covers_of_one_answer(rows: list[list[int]], names: list[int]):
    value = q.alpha(counts(rows))
    renamed = [[names[genre] if genre >= 0 else -1 for genre in reversed(row)] for row in reversed(rows)]
    assert float(q.alpha(counts(renamed))) == pytest.approx(float(value), nan_ok=True)
    assert float(q.alpha(counts([*rows, [3]]))) == pytest.approx(float(value), nan_ok=True)
    assert np.isnan(value) or value <= 1 + 1e-12


@laws
@given(tables, st.data())
def test_weighing_covers_is_repeating_them(rows: list[list[int]], data: st.DataObject):
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    repeated = [row for row, count in zip(rows, times, strict=True) for _ in range(count)]
    expected = float(q.alpha(counts(repeated))) if repeated else np.nan
    assert float(q.alpha(counts(rows), times)) == pytest.approx(expected, nan_ok=True)


def test_alpha_of_guessing_is_about_nothing():
    rng = np.random.default_rng(0)
    assert abs(float(q.alpha(counts(rng.integers(0, 4, (2000, 3)))))) < 0.03


def test_alpha_of_one_genre_alone_is_not_told():
    assert np.isnan(q.alpha(counts([[1, 1], [1, 1]])))


def test_alpha_of_no_table_is_refused():
    with pytest.raises(EvaluationError, match=r"alpha: an array of shape \(3,\). How many named each genre, \(U, K\)"):
        q.alpha([1, 2, 3])


# ------------------------------------------------------------------------------------------- intervals


@laws
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=2, max_size=40))
def test_an_interval_holds_the_share_and_lies_within_0_and_1(answers: list[tuple[int, int]]):
    players, right = np.array(answers).T
    figure = q.rate(right, players, np.arange(len(players)))
    assert figure["value"] == pytest.approx(right.mean())
    few = len(right) < 10 or 1 < len(set(players)) < 5
    assert figure.get("too_few", False) == few
    assert few or 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert few or figure["low"] < figure["high"]


def test_players_who_differ_make_the_interval_wider_than_covers_alone():
    players, right = np.repeat(np.arange(10), 20), np.repeat(np.arange(10) % 2, 20)
    by_player = q.rate(right, players, np.arange(200))
    by_cover = q.rate(right, np.zeros(200, int), np.arange(200))
    assert by_player["high"] - by_player["low"] > 3 * (by_cover["high"] - by_cover["low"])


@laws
@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 99))
def test_a_difference_that_players_or_covers_make_varies_as_their_mean_does(players: int, covers: int, seed: int):
    rng = np.random.default_rng(seed)
    who, what = np.repeat(np.arange(players), covers), np.tile(np.arange(covers), players)
    for groups, count in ((who, players), (what, covers)):
        own = rng.normal(size=count)
        assert q.two_way_variance(own[groups], who, what) == pytest.approx(own.var(ddof=1) / count, rel=1e-6)


def test_the_interval_of_a_difference_holds_it_about_as_often_as_it_says():
    rng, held = np.random.default_rng(0), []
    for _ in range(300):
        who = np.repeat(np.arange(8), 10)
        what = np.concatenate([rng.choice(40, 10, replace=False) for _ in range(8)])
        gain = rng.normal(size=8)[who] / 4 + rng.normal(size=40)[what] / 4 + rng.normal(size=80) / 4
        found = q.paired(gain, np.zeros(80), who, covers=what)
        held.append(found.low <= 0 <= found.high)
    assert 0.92 <= np.mean(held) <= 0.995


def test_one_player_is_compared_over_covers_and_several_over_both():
    people, model = [1] * 8 + [0] * 2, [0] * 8 + [1] * 2
    alone = q.paired(people * 3, model * 3, [0] * 30, covers=range(30))
    assert alone == paired_test(people * 3, model * 3, range(30))
    several = q.paired(people, model, range(10), covers=range(10))
    expected = stats.ttest_1samp(np.array(people) - model, 0)
    assert (several.test, several.p) == (q.TWO_WAY, pytest.approx(expected.pvalue))
    ends = expected.confidence_interval(0.95)
    assert (several.low, several.high) == (pytest.approx(max(-1, ends.low)), pytest.approx(min(1, ends.high)))


@pytest.mark.parametrize("people", [[1] * 6, [0] * 6])
def test_where_nothing_varies_there_is_neither_interval_nor_p(people: list[int]):
    found = q.paired(people, [0] * 6, range(6), covers=[0, 1, 2, 3, 4, 4])
    assert found.difference == people[0]
    assert np.isnan([found.low, found.high, found.p]).all()


@laws
@given(st.integers(0, 999), st.integers(2, 12), st.floats(-1, 1))
def test_p_and_interval_of_people_and_a_model_never_disagree(seed: int, players: int, ahead: float):
    rng = np.random.default_rng(seed)
    who, what = np.repeat(np.arange(players), 8), rng.integers(40, size=8 * players)
    people, model = (rng.normal(size=(2, 8 * players)) + np.array([[ahead], [0]]) > 0).astype(float)
    found = q.paired(people, model, who, covers=what)
    assert np.isnan(found.p) == np.isnan(found.low) == (found.student is None)
    assert found.student is None or (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_of_one_cover_nothing_is_told_of_others_however_many_players_saw_it():
    found = q.paired([1] * 29 + [0], [0] * 30, range(30), covers=[0] * 30)
    assert found.difference == pytest.approx(29 / 30)
    assert np.isnan([found.low, found.high, found.p]).all()


def test_few_covers_make_a_difference_as_unsure_as_few_players_do():
    rng = np.random.default_rng(0)
    gain, players, covers = rng.normal(0.4, 1, 60), np.repeat(np.arange(10), 6), np.tile(np.arange(6), 10)
    one, two = (q.paired(gain, np.zeros(60), who, covers=what) for who, what in ((players, covers), (covers, players)))
    assert (one.p, one.low, one.high) == (pytest.approx(two.p), pytest.approx(two.low), pytest.approx(two.high))


# ------------------------------------------------------------------------------------------- a game


def game_of(
    dataset: Dataset,
    said: Sequence[Sequence[tuple[int, str, str]]],
    nickname: str = "=cmd|' /C calc'!A0",
    model: str = "color",
) -> None:
    """Play: for each player rows of (cover of test, guess, what the model says)."""
    test = dataset.in_split("test")
    opened = Guesses.open(dataset.folder)
    for player, rows in enumerate(said):
        covers = [Dealt(test.file_names[at], test.digests[at]) for at, _, _ in rows]
        name = f"{nickname} {player}"
        found = opened.start(name, GENRES, commonest="folk", choose=lambda _, times, covers=covers: covers)
        for number, (at, guess, other) in enumerate(rows, start=1):
            truth = test.genre_lists[at]
            opened.answer(found.round, number, Answer(truth, guess, model, model[0] * 64, other, 0.5))
    opened.close()


def rows_of(
    dataset: Dataset, people: Sequence[bool], model: Sequence[bool], start: int = 0
) -> Iterator[tuple[int, str, str]]:
    """Give answers about covers of test from one on, right or wrong as told."""
    test = dataset.in_split("test")
    for at, (own, other) in enumerate(zip(people, model, strict=True), start=start):
        truth = test.genre_lists[at][0]
        wrong = GENRES[(GENRES.index(truth) + 1) % 3]
        yield at, truth if own else wrong, truth if other else wrong


def test_a_game_is_told_as_its_answers_were(copied: Dataset):
    good, bad = [True] * 8 + [False] * 2, [False] * 7 + [True] * 3
    game_of(copied, [list(rows_of(copied, good, bad, start)) for start in (0, 0, 5, 10, 15, 20)])
    told = p.people(copied, resamples=200).told
    assert (told["n"], told["players"], told["covers"], told["rounds"]) == (60, 6, 30, 6)
    assert told["accuracy"]["value"] == pytest.approx(0.8)
    (model,) = told["models"]
    assert (model["model"], model["source"], model["n"], model["better"]) == ("color", "the game", 60, "people")
    assert model["difference"]["value"] == pytest.approx(0.5)
    assert model["words"].startswith("People are better than color by 50 points (")
    table_of = np.array(told["confusion"]["counts"])
    assert (table_of.sum(), np.trace(table_of)) == (60, 48)
    assert sum(row["recall"]["value"] * row["n"] for row in told["per_genre"].values()) == pytest.approx(48)
    assert told["alpha"]["covers"] == 25
    assert told["notes"] == ["Two or more players saw only 25 covers: an interval of alpha takes 30."]
    assert told == json.loads(json.dumps(told, allow_nan=False))


def test_the_more_models_are_compared_the_surer_each_has_to_be(copied: Dataset):
    good, other = [True] * 7 + [False] * 3, [True] * 3 + [False] * 4 + [True] * 2 + [False]
    rows = [list(rows_of(copied, good, other, start)) for start in (0, 3, 7, 11, 14, 18)]
    game_of(copied, rows)
    one = p.people(copied, resamples=200).told["models"][0]
    assert (one["better"], one["p"] < one["p_holm"] < 0.05) == ("people", True)  # guessing is compared, too
    for model in ("best", "tiny"):
        game_of(copied, rows, nickname=f"Against {model}", model=model)
    told = p.people(copied, resamples=200).told
    ps, corrected = ([each[key] for each in (told["guessing"], *told["models"])] for key in ("p", "p_holm"))
    assert corrected == holm(ps)
    for model in told["models"]:
        assert (model["p"], model["better"]) == (pytest.approx(one["p"]), None)
        assert model["p_holm"] == pytest.approx(3 * one["p"])
        assert model["words"].startswith(f"Can't tell people from {model['model']}: people are ahead by 20 points (")
        assert f"; p = {model['p_holm']:.2g} after Holm over 4 pairs), on 60 answers" in model["words"]
    assert told["intervals"]["correction"].startswith("Holm, over people and each model, and people and guessing")
    for row in told["models"]:  # the interval is widened as p is
        assert row["difference"]["low"] <= 0 <= row["difference"]["high"]


def test_an_evaluation_that_is_given_twice_is_refused(copied: Dataset, color_model: Model, tmp_path: Path):
    evaluate(color_model, copied, tmp_path, resamples=100)
    game_of(copied, [list(rows_of(copied, [True] * 10, [False] * 10))])
    with pytest.raises(EvaluationError, match=r"evaluation\.json: given twice\. Each evaluation is of another model"):
        p.people(copied, [tmp_path, tmp_path / "evaluation.json"], resamples=200)


def test_a_model_that_met_one_of_several_players_has_the_interval_of_one(copied: Dataset):
    good, bad = [True] * 6 + [False] * 4, [False] * 10
    game_of(copied, [list(rows_of(copied, good, bad, start)) for start in (0, 5)])
    game_of(copied, [list(rows_of(copied, good, bad, 20))], nickname="Cy", model="another")
    model = p.people(copied, resamples=200).told["models"][1]
    assert (model["model"], model["players"], model["test"]) == ("another", 1, TEST)
    assert model["people"]["low"] < 0.6 < model["people"]["high"]


def test_a_genre_that_one_of_several_players_saw_has_no_interval(copied: Dataset):
    test = copied.in_split("test")
    folk, jazz = ([at for at, truth in enumerate(test.genre_lists) if truth == (genre,)] for genre in ("folk", "jazz"))
    game_of(
        copied, [[(at, "folk", "folk") for at in (*folk[:2], *jazz[:2])], [(at, "jazz", "folk") for at in jazz[2:4]]]
    )
    told = p.people(copied, resamples=200).told["per_genre"]
    assert told["folk"]["recall"] == {"value": 1, "low": None, "high": None, "too_few": True}
    assert told["jazz"]["recall"]["too_few"] is True


def test_one_answer_about_one_cover_is_told_as_one(copied: Dataset):
    game_of(copied, [list(rows_of(copied, [True], [True])), list(rows_of(copied, [True], [True]))])
    told = p.people(copied, resamples=200).told
    assert told["words"][0].startswith("2 players gave 2 answers about 1 cover: 100 %")
    assert told["models"][0]["words"] == (
        "Can't tell people from color: level (too few answers), on 2 answers about the same 1 cover."
    )
    assert not any("1 covers" in note for note in told["notes"])


def test_a_few_players_are_never_said_to_be_better(copied: Dataset):
    game_of(copied, [list(rows_of(copied, [True] * 10, [False] * 10, start)) for start in (0, 10)])
    told = p.people(copied, resamples=200).told
    assert told["models"][0]["better"] is None
    assert told["models"][0]["words"].startswith("Can't tell people from color: people are ahead by 100 points")
    assert "Only 2 players: intervals take 5 or more." in told["notes"]


def test_one_player_alone_is_said_to_be_one(copied: Dataset):
    game_of(copied, [list(rows_of(copied, [True] * 10, [False] * 10))])
    told = p.people(copied, resamples=200).told
    assert told["words"][0].startswith("One player gave 10 answers about 10 covers: 100 % (69 to 100) are right")
    assert told["models"][0]["test"] == TEST
    assert told["models"][0]["words"].startswith(
        "Can't tell the one player from color: the one player is ahead by 100 points (too few answers), on 10 answers"
    )
    assert told["alpha"] == {"value": None, "low": None, "high": None, "covers": 0, "answers": 0}
    assert told["notes"][0].startswith("One player has played alone")


def test_a_cover_that_a_player_had_seen_before_does_not_count_again(copied: Dataset):
    game_of(copied, [list(rows_of(copied, [False] * 10, [True] * 10))], nickname="Ada")
    game_of(copied, [list(rows_of(copied, [True] * 10, [True] * 10))], nickname="Ada")
    told = p.people(copied, resamples=200).told
    assert (told["n"], told["repeats"], told["accuracy"]["value"]) == (10, 10, 0)
    assert "10 answers about covers that the player had seen before were left out." in told["notes"]


def test_a_genre_that_was_mended_since_is_noted(copied: Dataset):
    game_of(copied, [list(rows_of(copied, [True] * 10, [True] * 10))])
    names = {copied.in_split("test").file_names[0]}
    mended = [
        "jazz" if name in names and genres != ("jazz",) else "folk" if name in names else ";".join(genres)
        for name, genres in zip(copied.file_names, copied.genre_lists, strict=True)
    ]
    copied.with_columns(genres=mended).write()
    told = p.people(Dataset.open(copied.folder), resamples=200).told
    assert told["accuracy"]["value"] == 1
    assert "1 cover bears other genres now; answers count by what was known when they were given." in told["notes"]


def test_a_model_that_was_evaluated_is_set_beside_people_on_the_same_covers(
    copied: Dataset, color_model: Model, tmp_path: Path
):
    evaluation = evaluate(color_model, copied, tmp_path / "evaluated", resamples=100)
    game_of(copied, [list(rows_of(copied, [True] * 10, [False] * 10, start)) for start in (0, 10, 20)])
    told = p.people(copied, [tmp_path / "evaluated"], resamples=200).told
    assert [model["source"] for model in told["models"]] == ["the game", str(tmp_path / "evaluated")]
    assert [model["model"] for model in told["models"]] == ["color (the game)", f"color ({tmp_path / 'evaluated'})"]
    assert told["models"][1]["n"] == 30
    assert told["models"][1]["accuracy"]["value"] == pytest.approx(evaluation["accuracy"]["value"])
    assert len(table(told)[1]) == 2 + 2 + 1 + 3


def test_an_evaluation_of_other_covers_or_genres_is_refused(
    copied: Dataset, single: Dataset, color_model: Model, tmp_path: Path
):
    evaluate(color_model, single, tmp_path / "evaluated", resamples=100)
    game_of(copied, [list(rows_of(copied, [True] * 10, [False] * 10))])
    predictions = tmp_path / "evaluated" / "predictions.csv"
    same = predictions.read_text(encoding="utf-8")
    header, *rows = same.splitlines()
    others = [f"{name},{at:064x},{rest}" for at, (name, _, rest) in enumerate(row.split(",", 2) for row in rows)]
    predictions.write_text("\n".join([header, *others]) + "\n", encoding="utf-8")
    with pytest.raises(EvaluationError, match="none of the 10 covers that were played with is in it"):
        p.people(copied, [tmp_path / "evaluated"])
    digests = [row.split(",")[1] for row in rows]  # the same files, for other answers
    moved = [
        f"{name},{digest},{rest}"
        for digest, (name, _, rest) in zip([*digests[1:], digests[0]], (row.split(",", 2) for row in rows), strict=True)
    ]
    predictions.write_text("\n".join([header, *moved]) + "\n", encoding="utf-8")
    with pytest.raises(EvaluationError, match="of 10 covers are of other genres there, such as images/"):
        p.people(copied, [tmp_path / "evaluated"])


def test_the_verb_prints_a_table_and_words_and_writes_both_files(copied: Dataset, sleevenotes, tmp_path: Path):
    game_of(copied, [list(rows_of(copied, [True] * 6 + [False] * 4, [False] * 10, start)) for start in (0, 5)])
    said = sleevenotes("people", copied.folder, "-o", tmp_path / "out", "--resamples", 200)
    assert said.code == 0, said.err
    assert re.search(r"^people +0\.600 +too few answers +20$", said.out, re.MULTILINE)
    assert re.search(r"^color +0\.000 .* 20 +\+0\.600 \(too few answers\)", said.out, re.MULTILINE)
    assert "2 players gave 20 answers about 15 covers: 60 %" in said.out
    assert "Only 2 players: intervals take 5 or more." in said.out
    told = json.loads((tmp_path / "out" / "people.json").read_text(encoding="utf-8"))
    assert told["words"][0] in said.out
    with (tmp_path / "out" / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["player"] for row in rows} == {"player 1", "player 2"}
    assert sum(int(row["right"]) for row in rows) == 12
    assert "calc" not in (tmp_path / "out" / "people.csv").read_text(encoding="utf-8")


def test_no_cell_of_the_table_is_a_formula(copied: Dataset, sleevenotes, tmp_path: Path):
    opened = Guesses.open(copied.folder)
    genres = ("=1+1", "@jazz")
    found = opened.start("Ada", genres, commonest="@jazz", choose=lambda _, times: [Dealt("-images.jpg", "a" * 64)])
    opened.answer(found.round, 1, Answer(("@jazz",), "=1+1", "+model", "b" * 64, "@jazz", 0.5))
    opened.close()
    assert sleevenotes("people", copied.folder, "-o", tmp_path, "--resamples", 100).code == 0
    with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as file:
        assert not [cell for row in csv.reader(file) for cell in row if cell[:1] in ("=", "+", "-", "@")]


def test_where_nobody_has_played_the_verb_says_how_to(copied: Dataset, sleevenotes):
    said = sleevenotes("people", copied.folder)
    assert said.code == 1
    assert "nobody has played yet. Start `sleevenotes serve MODEL --dataset" in said.err
    with pytest.raises(DatasetError, match="play a round"):
        p.people(copied)


# ------------------------------------------------------------------------------------------- the report


def reported(run: Finished, **people: object) -> str:
    """The report's text with a game beside its evaluation."""
    dataset = Dataset.open(run.folder / "dataset")
    test = dataset.in_split("test")
    opened = Guesses.open(dataset.folder)
    covers = [Dealt(name, "0" * 60 + f"{at:04d}") for at, name in enumerate(test.file_names[:20])]
    found = opened.start(HOSTILE, dataset.genres, commonest="rock", choose=lambda _, times: covers)
    for number, genres in enumerate(test.genre_lists[:20], start=1):
        opened.answer(found.round, number, Answer(genres, genres[0], HOSTILE, "d" * 64, "rock", 0.5))
    opened.close()
    told = {**p.people(dataset, resamples=100).told, **people}
    write_json(run.folder / "people.json", told)
    return write_report(run.folder / "report.html", **run.everything).read_text(encoding="utf-8")


def test_a_report_tells_of_people_where_a_game_lies_beside_its_evaluation(tmp_path: Path):
    page = reported(finished(tmp_path, covers=100))
    assert '<h3 id="people">People</h3>' in page
    assert "One player gave 20 answers about 20 covers" in page
    assert "One player has played alone" in page
    rows = page.partition("people are ahead by, points")[2].partition("</table>")[0].split("<tr>")[2:]
    assert len(rows) >= 2
    assert not [row for row in rows if "%" in row.rpartition("<td")[2]]  # points are not percentages
    assert HOSTILE not in page


def test_a_report_without_a_game_says_nothing_of_people_and_one_of_other_covers_says_so(tmp_path: Path):
    run = finished(tmp_path, covers=100)
    page = write_report(tmp_path / "report.html", **run.everything).read_text(encoding="utf-8")
    assert 'id="people"' not in page
    page = reported(run, dataset={"fingerprint": "another"})
    assert "but with other covers than these" in page
    write_json(tmp_path / "people.json", {"n": 1, "accuracy": {}, "guessing": {}, "models": [], "notes": []})
    with pytest.raises(EvaluationError, match=r"people.json: .*words is missing .*Run `sleevenotes people"):
        write_report(tmp_path / "report.html", **run.everything)
