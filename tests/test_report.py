from __future__ import annotations

import csv
import html
import json
import re
import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest

from finished import GENRES, HOSTILE, Finished, finished
from sleevenotes.errors import DatasetError, EvaluationError, ModelError
from sleevenotes.publish import plots
from sleevenotes.publish.report import write_report as write

KINDS: dict[str, dict[str, Any]] = {
    "single": {},
    "binary": {"task": "binary", "genres": ("progressive rock", "not progressive rock")},
    "multi": {"task": "multi", "genres": [f"style {at}" for at in range(40)], "covers": 300},
    "forty": {"genres": [f"genre {at}" for at in range(40)], "covers": 400},
    "hostile": {"genres": [HOSTILE, "`rm -rf`; $(reboot)", "\u202eevil\x07\x00", "日本の音楽", "x" * 200]},
}
FOREIGN = {"svg": "{http://www.w3.org/2000/svg}"}


class Page:
    """A report: its source, its text, and, where a test asks for it, what a strict parser makes of it."""

    def __init__(self, path: Path) -> None:
        self.html = path.read_text(encoding="utf-8")
        body = self.html.partition("<body>")[2]
        body = re.sub(r"</(td|th|dt|dd|li|p|h\d)>", " ", body)
        self.text = " ".join(html.unescape(re.sub(r"<[^>]*>", "", body)).split())

    @cached_property
    def tree(self) -> Any:
        return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(self.html)

    def all(self, tag: str) -> list[Any]:
        return list(self.tree.iter(tag))

    def values(self, attribute: str) -> list[str]:
        return [element.get(attribute) for element in self.tree.iter() if element.get(attribute) is not None]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Finished]:
    made: dict[str, Finished] = {}

    def run(kind: str) -> Finished:
        if kind not in made:
            made[kind] = finished(tmp_path_factory.mktemp(kind), **KINDS[kind])
        return made[kind]

    return run


@pytest.fixture(scope="module")
def pages(runs: Callable[[str], Finished]) -> Callable[[str], Page]:
    made: dict[str, Page] = {}

    def page(kind: str) -> Page:
        if kind not in made:
            made[kind] = Page(write_report(runs(kind).folder, **runs(kind).everything))
        return made[kind]

    return page


@pytest.fixture
def run(tmp_path: Path, runs: Callable[[str], Finished], monkeypatch: pytest.MonkeyPatch) -> Finished:
    """Return results that a test may spoil; figures are only hinted at, which is quicker."""

    def hinted(*_: object, name: str, title: str, **__: object) -> str:
        return f'<svg id="{name}"><title>{html.escape(title)}</title></svg>'

    for figure in ("intervals", "confusion", "lines", "reliability", "roc"):
        monkeypatch.setattr(plots, figure, hinted)
    shutil.copytree(runs("single").folder, tmp_path / "run")
    return Finished(tmp_path / "run")


def write_report(out: Path, **results: Any) -> Path:
    return write(out, **results)


def report(run: Finished, **more: Any) -> Page:
    return Page(write_report(run.folder / "out.html", **(run.everything | more)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_report_is_valid_and_asks_for_nothing(kind: str, pages: Callable[[str], Page]) -> None:
    page = pages(kind)
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.values("src"))
    assert all(target.startswith("#") for target in page.values("href"))
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {str(e.tag) for e in page.tree.iter()}
    assert not any(attribute.startswith("on") for element in page.tree.iter() for attribute in element.attrib)
    assert not re.search(r"url\((?!#)|@import", page.html)


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_unique_and_every_reference_is_met(kind: str, pages: Callable[[str], Page]) -> None:
    page = pages(kind)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    named = [id_ for value in page.values("aria-labelledby") for id_ in value.split()]
    assert {target[1:] for target in page.values("href")} | set(named) <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_have_words(kind: str, pages: Callable[[str], Page]) -> None:
    page = pages(kind)
    assert page.all("img")
    assert all(picture.get("alt") for picture in page.all("img"))
    figures = page.all(f"{FOREIGN['svg']}svg")
    assert len(figures) >= 4
    assert all(figure.get("role") == "img" for figure in figures)
    assert all(figure.find(f"{FOREIGN['svg']}{part}").text for figure in figures for part in ("title", "desc"))


def test_report_says_the_verdict_and_the_three_figures(pages: Callable[[str], Page], runs: Any) -> None:
    evaluation = json.loads((runs("single").folder / "evaluation.json").read_text(encoding="utf-8"))
    text = pages("single").text
    assert evaluation["verdict"] in text
    percent = f"{100 * evaluation['accuracy']['value']:.0f} %"
    assert f"Right answers {percent}" in text.replace("\xa0", " ")
    assert "Guessing 20 %" in text.replace("\xa0", " ")
    assert evaluation["baselines"]["color"]["words"] in text


def test_report_shows_the_same_covers_and_figures_again_byte_for_byte(run: Finished) -> None:
    first = write_report(run.folder / "a", **run.everything).read_bytes()
    assert write_report(run.folder / "b", **run.everything).read_bytes() == first


def test_names_of_other_people_stay_text(pages: Callable[[str], Page]) -> None:
    page = pages("hostile")
    assert HOSTILE in page.text
    assert "&lt;script&gt;" in page.html
    assert "<script" not in page.html
    assert "</title><img" not in page.html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page.html)


def test_commands_to_copy_can_do_no_harm(run: Finished) -> None:
    run.change("evaluation.json", task="binary", genres=["$(reboot) 'x'", "rest"], model="small; reboot")
    page = report(run)
    assert """--genre '$(reboot) '"'"'x'"'"''""" in page.text
    assert "--model 'small; reboot'" in page.text


def test_a_report_without_covers_has_no_pixel_of_them(run: Finished) -> None:
    shutil.rmtree(run.folder / "dataset" / "images")
    shutil.rmtree(run.folder / "explanations")
    page = report(run, covers=False)
    assert "<img" not in page.html
    assert "data:" not in page.html.replace("img-src data:", "")
    assert "No covers are shown" in page.text
    assert "Sure and wrong" in page.text


def test_covers_that_cannot_be_read_are_counted(run: Finished) -> None:
    images = sorted((run.folder / "dataset" / "images").iterdir())
    for path in images[3:]:
        path.write_bytes(b"no cover")
    (images[0]).unlink()
    page = report(run)
    assert re.search(r"\d+ covers could not be read and are not shown", page.text)
    for path in images[1:3]:
        path.write_bytes(b"")
    assert "No cover can be shown" in report(run).text


def test_what_is_missing_is_left_out_with_the_command_that_makes_it(run: Finished) -> None:
    for name in ("check.json", "problems.csv", "split.json"):
        (run.folder / "dataset" / name).unlink()
    for name in ("history.csv", "scorings.jsonl"):
        (run.folder / "model" / name).unlink()
    page = Page(write_report(run.folder, **run.required))
    dataset, model, out = (str(run.folder / name) for name in ("dataset", "model", "."))
    evaluate = f"sleevenotes evaluate {model} {dataset} -o {out}"
    cover = next(iter(sorted((run.folder / "dataset" / "images").iterdir())))
    for command in (
        f"sleevenotes check {dataset} looks",
        f"{evaluate} writes them",
        f"sleevenotes explain {model} {cover} -o {out}/explanations shows",
        f"{evaluate} --folds 5 trains",
        f"sleevenotes curve {dataset} --model small -o {out} trains",
    ):
        assert command in page.text
    assert not re.search(r"\b(DATASET|MODEL|OUT|FOLDER)\b", page.text)
    assert report(run, predictions=run.folder / "none.csv", explanations=run.folder / "none").text == page.text


def test_without_maps_the_answers_are_shown_all_the_same(run: Finished) -> None:
    page = report(run, explanations=None)
    assert "Sure and right" in page.text
    assert re.search(r"sleevenotes explain \S+/model \S+ -o \S+/explanations would show", page.text)


def test_several_genres_at_once_have_figures_of_their_own(pages: Callable[[str], Page]) -> None:
    page = pages("multi")
    assert "Ranking precision" in page.text
    assert "none is taken for another" in page.text
    assert "figure-confusion" not in page.html
    assert page.text.count("style 39") >= 2


def test_one_genre_against_the_rest_has_figures_of_its_own(pages: Callable[[str], Page]) -> None:
    page = pages("binary")
    assert "ROC AUC" in page.text
    assert "figure-roc" in page.values("id")
    assert "Is it progressive rock, or not?" in page.text
    assert "Top 2" not in page.text


def test_forty_genres_stay_readable(pages: Callable[[str], Page]) -> None:
    page = pages("forty")
    rows = page.all("tr")
    assert sum("genre 17" in "".join(row.itertext()) for row in rows) >= 2
    assert "the best 12" in page.text
    assert "the worst 12" in page.text
    assert "the 24 commonest genres" in page.text


def test_a_hundred_genres_are_folded_in_the_order_of_the_tree_and_rare_ones_named(tmp_path: Path) -> None:
    genres = [f"genre {at:02d}" for at in range(100)]
    made = finished(tmp_path, task="multi", genres=genres, covers=400, size_px=32)
    evaluation = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    per_genre = {
        genre: {**each, "support": 200 - at} for at, (genre, each) in enumerate(evaluation["per_genre"].items())
    }
    made.change("evaluation.json", per_genre=per_genre)
    made.change("dataset/split.json", tree=[["genre 01", "genre 29"], ["genre 30", "genre 29"]], rare={"<polka>": 7})
    html = write_report(tmp_path, **made.required).read_text(encoding="utf-8")
    section = html.partition('<section id="genres"')[2].partition("</section>")[0]
    shown, _, folded = section.partition("<summary>The other 70 genres</summary>")
    in_table = re.findall(r"<bdi>(genre \d\d)</bdi></th>", shown)
    assert in_table == ["genre 00", *genres[2:30], "genre 01"]  # the child after its parent
    assert re.findall(r"<bdi>(genre \d\d)</bdi></th>", folded) == genres[30:]
    assert shown.count('class="below" style="--depth: 1"') == 1
    assert "1 genre on too few covers, not asked about" in folded
    assert "&lt;polka&gt; (7)" in folded


def test_a_confusion_matrix_that_nobody_could_read_is_not_drawn(tmp_path: Path) -> None:
    genres = [f"genre {at:02d}" for at in range(45)]
    made = finished(tmp_path, genres=genres, covers=450, size_px=32)
    html = write_report(tmp_path, **made.required).read_text(encoding="utf-8")
    section = html.partition('<section id="confusion"')[2].partition("</section>")[0]
    assert "Of 45 genres no matrix is drawn" in section
    assert "<svg" not in section
    assert "The commonest mistakes" in section


def test_models_without_epochs_show_what_was_tried(run: Finished) -> None:
    (run.folder / "model" / "history.csv").unlink()
    trials = [
        {"strength": strength, "train_loss": 1.1, "valid_loss": 1.5, "valid_accuracy": 0.38} for strength in (0.01, 0.1)
    ]
    run.change("model/model.json", head={"kind": "linear", "strength": 0.1, "trials": trials})
    run.change("evaluation.json", model="mobilenet")
    page = report(run)
    assert "0.1 ✓ 1.100 1.500 38 %" in page.text.replace("\xa0", " ")
    assert "MobileNetV2" in page.text
    assert "cdcdcdcdcdcdcdcd" in page.text


def test_a_model_of_colours_has_no_map_and_none_is_asked_for(run: Finished) -> None:
    run.change("model/model.json", network=None, backbone=None)
    page = report(run, explanations=None)
    assert "sees colours without their places" in page.text
    assert "explain MODEL" not in page.text


def test_folds_and_the_curve_are_drawn_where_they_are(run: Finished) -> None:
    evaluation = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    folds = {"k": 5, "n": 150, "groups": 75, "accuracy": evaluation["accuracy"], "spread": 0.021}
    run.change("evaluation.json", folds=folds | {"accuracy_per_training": [0.6, 0.5, 0.55, 0.61, 0.58]})
    points = [{"covers": covers, "value": 0.4, "low": 0.3, "high": 0.5, "draws": 3} for covers in (50, 100)]
    curve = {"metric": "accuracy", "split": "valid", "points": points, "words": "More covers would help."}
    (run.folder / "curve.json").write_text(json.dumps(curve), encoding="utf-8")
    page = report(run)
    assert 'id="figure-folds"' in page.html
    assert 'id="figure-curve"' in page.html
    assert "varies by 2.1 points" in page.text
    assert "More covers would help." in page.text


def test_the_first_screen_shows_the_figure_with_and_without_changed_genres(run: Finished) -> None:
    words = "8 of 20 test genres were changed after this model answered, 8 towards its answer."
    before = {"n": 20, "accuracy": {"value": 0.25, "low": 0.1, "high": 0.4}}
    run.change(
        "evaluation.json",
        verdict=f"{'It names some genres, as far as can be told. ' * 5}{words}",
        edits={"words": words, "with_genres_before": before},
    )
    text = report(run).text.replace("\xa0", " ")
    screen, rest = text.split("Side A:", 1)
    assert words in screen
    assert "25 % (10–40) with the genres of before they were changed" in screen
    assert f"The test was edited. {words}" in rest


def test_the_first_screen_shows_the_figure_with_and_without_covers_that_the_model_may_know(run: Finished) -> None:
    words = "Among these covers are 6 that the model may know (6 by artists of training covers)."
    run.change(
        "evaluation.json",
        known={"kept": 6, "left_out": 0, "words": words},
        without_known={"n": 14, "groups": 14, "accuracy": {"value": 0.25, "low": 0.1, "high": 0.4}},
    )
    text = report(run).text.replace("\xa0", " ")
    screen, rest = text.split("Side A:", 1)
    assert "25 % (10–40) on the 14 covers without an artist, release or source of training" in screen
    assert f"It may know some of these covers. {words}" in rest


def test_a_long_verdict_is_told_whole(run: Finished) -> None:
    run.change("evaluation.json", verdict=f"{'It names some genres. ' * 12}The end.")
    assert "It names some genres. The end." in report(run).text


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("dataset/metadata.csv", DatasetError, "metadata"),
        ("model/model.json", ModelError, "no model.json in this folder. A model was expected"),
        ("evaluation.json", EvaluationError, "not there. Run `sleevenotes evaluate"),
    ],
)
def test_a_report_needs_dataset_model_and_evaluation(
    run: Finished, name: str, error: type[Exception], words: str
) -> None:
    (run.folder / name).unlink()
    with pytest.raises(error, match=words):
        write_report(run.folder / "out.html", **run.everything)
    assert not (run.folder / "out.html").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 9}, r"format 9\. At most format 1 is read here\. Update sleevenotes\."),
        ({"task": "ternary"}, r"task is 'ternary'\. One of single, binary, multi was expected"),
        ({"accuracy": None}, r"accuracy is null\. An object was expected"),
        ({"verdict": ""}, r"verdict is ''\. Text that is not empty was expected"),
        ({"genres": "rock"}, r"genres is 'rock'\. A list that is not empty was expected"),
    ],
)
def test_an_evaluation_that_is_not_whole_is_refused(run: Finished, change: dict[str, Any], words: str) -> None:
    run.change("evaluation.json", **change)
    with pytest.raises(EvaluationError, match=words):
        write_report(run.folder / "out.html", **run.everything)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("evaluation.json", "{", "no valid JSON"),
        ("evaluation.json", "[]", "an empty list. An object was expected"),
        ("predictions.csv", "file_name,truth\na.jpg,rock\n", "no column 'predicted'"),
        ("predictions.csv", b"file_name\n\xff\xfe", "no CSV table in UTF-8"),
        ("explanations/explanations.json", "{}", "an object. A list was expected"),
        ("explanations/explanations.json", "?", "no valid JSON"),
    ],
)
def test_broken_results_are_named(run: Finished, name: str, content: str | bytes, words: str) -> None:
    (run.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(EvaluationError, match=words):
        write_report(run.folder / "out.html", **run.everything)


def test_a_report_carries_off_no_picture_from_elsewhere(run: Finished) -> None:
    path = run.folder / "explanations" / "explanations.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    shutil.copy(run.folder / "explanations" / entries[0]["cover"], run.folder / "secret.jpg")
    outside = ["../secret.jpg", str((run.folder / "secret.jpg").resolve()), "no\x00name"]
    for entry, name in zip(entries, outside, strict=False):
        entry |= {"file_name": f"not in the table {name}.jpg", "cover": name, "overlay": name, "proba": 1.0}
    path.write_text(json.dumps(entries[: len(outside)]), encoding="utf-8")
    page = report(run)
    assert "The same cover" not in page.html
    assert "not in the table" in page.text


def test_only_the_last_part_of_a_path_is_shown(run: Finished) -> None:
    path = run.folder / "explanations" / "explanations.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    for entry in entries:
        entry["file_name"] = f"/home/whoever/private/{entry['cover']}"
    path.write_text(json.dumps(entries), encoding="utf-8")
    page = report(run)
    assert "whoever" not in page.html
    assert entries[0]["cover"] in page.text


def test_title_and_place_can_be_named(run: Finished) -> None:
    out = write_report(run.folder / "deep" / "er.html", **run.everything, title="Mine & yours")
    assert out == run.folder / "deep" / "er.html"
    assert "<title>Mine &amp; yours – sleevenotes</title>" in out.read_text(encoding="utf-8")
    assert [path.name for path in out.parent.iterdir()] == ["er.html"]


def test_the_title_is_that_of_the_source_and_never_of_the_folder(run: Finished) -> None:
    state = run.folder / "dataset" / "collect.json"
    state.unlink(missing_ok=True)
    genres = f"{', '.join(GENRES[:-1])} and {GENRES[-1]}" if len(GENRES) <= 4 else f"{len(GENRES)} genres"
    assert f"{genres[0].upper()}{genres[1:]}, judged by their covers" in report(run).text
    state.write_text(json.dumps({"source": "albums 1971.csv"}), encoding="utf-8")
    assert "albums 1971, judged by its covers" in report(run).text
    state.write_text(json.dumps({"source": "covers", "title": "Ours"}), encoding="utf-8")
    assert "Ours, judged by its covers" in report(run).text


def test_a_table_with_gaps_is_refused(run: Finished) -> None:
    path = run.folder / "predictions.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    for row, words in (
        (rows[1][:3], "row 2: 3 cells, where the table has"),
        (["x" if name == "confidence" else cell for name, cell in zip(rows[0], rows[1], strict=True)], "is 'x'"),
    ):
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([rows[0], row, *rows[2:]])
        with pytest.raises(EvaluationError, match=words):
            report(run, explanations=None)


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1..21 (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_all_text_can_be_read_in_light_and_in_dark(pages: Callable[[str], Page]) -> None:
    palettes = re.findall(r":root \{ *\n?( *--paper: #.*?--accent: #\w+;)", pages("single").html, re.DOTALL)
    assert len(palettes) == 2
    for palette in palettes:
        colours = dict(re.findall(r"--(\w+): (#\w{6});", palette))
        for ink in ("ink", "muted", "accent"):
            assert _contrast(colours[ink], colours["paper"]) >= 4.5
        # the strongest cell of a confusion matrix: 55 % accent, with ink on it
        accent, paper = ([int(colours[name][at : at + 2], 16) for at in (1, 3, 5)] for name in ("accent", "paper"))
        mixed = "#" + "".join(f"{round(0.55 * a + 0.45 * p):02x}" for a, p in zip(accent, paper, strict=True))
        assert _contrast(colours["ink"], mixed) >= 4.5


def test_genres_of_the_fixture_are_all_named(pages: Callable[[str], Page]) -> None:
    assert all(genre in pages("single").text for genre in GENRES)


def test_axe_finds_nothing_in_a_browser(runs: Callable[[str], Finished], pages: Callable[[str], Page]) -> None:
    reason = "axe needs playwright, axe-playwright-python and a Chromium, which are not required for development"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    axe = pytest.importorskip("axe_playwright_python", reason=reason)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip(reason)
    script = next(Path(axe.__file__).parent.rglob("axe*.js")).read_text(encoding="utf-8")
    pages("single")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for width, scheme in ((390, "dark"), (1280, "light")):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.goto((runs("single").folder / "report.html").as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.evaluate(script)
            found = page.evaluate("axe.run().then(found => found.violations.map(each => each.id))")
            assert found == []
        browser.close()
