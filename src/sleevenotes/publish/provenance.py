"""Which model answers, and how far it has been measured: one line for every prediction's reader.

The figures come from where they were written: `evaluation.json` beside a trained model, or the `figures` in the card of
the bundled one, which `box/make_model.py` measured over several seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleevenotes.errors import EvaluationError
from sleevenotes.learn.model import BOX, EVALUATION_NAME, Model


def provenance(model: Model) -> str:
    """Return one line that names the model and says what its evaluation found.

    Parameters
    ----------
    model
        The model, or an exported one.

    Returns
    -------
    str
        Such as ``model: out/model (mobilenet, 5 genres). On covers it has never seen …``; if there is no evaluation,
        it says so.
    """
    bundled = model.folder == BOX
    name = "the bundled model" if bundled else str(model.folder)
    what = f"model: {name} ({model.name}, {len(model.genres):,} genres)."
    return f"{what} {verdict_of(model) or _unmeasured(model)}"


def verdict_of(model: Model) -> str | None:
    """Return the first sentence of a model's verdict, which has its figures; None if it has not been evaluated."""
    figures = model.card.get("figures")
    if isinstance(figures, Mapping):
        return words_of_figures(figures)
    evaluation = _evaluation_of(model)
    return None if evaluation is None else str(evaluation["verdict"]).split(". ")[0].rstrip(".") + "."


def words_of_figures(figures: Mapping[str, Any]) -> str:
    """Return the figures of the bundled model in a sentence.

    Examples
    --------
    >>> accuracy = {"value": 0.3746, "low": 0.3509, "high": 0.3998}
    >>> words_of_figures({"five_genres": {"genres": ["folk", "pop"], "accuracy": accuracy, "answers": 4135}})
    'Of 4,135 test covers of folk or pop, it names the right genre for 37 % (35–40); a random pick gets 50 %.'
    """
    found = figures["five_genres"]
    *most, last = found["genres"]
    accuracy = found["accuracy"]
    low, high = (f"{100 * accuracy[end]:.0f}" for end in ("low", "high"))
    return (
        f"Of {found['answers']:,} test covers of {', '.join(most)} or {last}, it names the right genre for "
        f"{100 * accuracy['value']:.0f} % ({low}–{high}); a random pick gets {100 / len(found['genres']):.0f} %."
    )


def _evaluation_of(model: Model) -> dict[str, Any] | None:
    """Return the evaluation of this very model that lies in its folder or in the one around it."""
    from sleevenotes.judge.schemas import read_evaluation  # not needed for the bundled model, which starts the sooner

    for folder in (model.folder, model.folder.parent):
        try:
            found = read_evaluation(folder / EVALUATION_NAME)
        except EvaluationError:  # none here; `evaluate` and `report` say what is wrong with a damaged one
            continue
        if found.get("model_sha256") == model.sha256:
            return found
    return None


def _unmeasured(model: Model) -> str:
    dataset = model.folder.parent / "dataset"
    named = dataset if dataset.is_dir() else Path("DATASET")
    return f"It has not been evaluated: run `sleevenotes evaluate {model.folder} {named}`."
