"""Folders in which a model travels: the ONNX bundle, and the folder for the Hugging Face hub.

============================ =========================================================================================
bundle                       what
============================ =========================================================================================
model.onnx                   covers, uint8 (n, S, S, 3), to calibrated proba, float32 (n, K): `learn.exporting`
learnt_from.csv              SHA-256 and perceptual hash of each training cover, by which one is recognised
sleevenotes.json             genres, how a cover becomes pixels, calibration with its risk and limits, the check
============================ =========================================================================================

For the hub, `sleevenotes.json` is called `config.json`, and there are `README.md` (the model card),
`preprocessor_config.json`, and `model.safetensors`: the head and the networks' parameters as arrays. Nothing is
uploaded; no cover and no name of one, of an artist or of a release is in either. The file that tells what a folder is
comes last, so a folder that has it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleevenotes.covers.files import replacing, write_json
from sleevenotes.covers.swapping import finish_swap, rebuilding
from sleevenotes.errors import DatasetError, EvaluationError, ModelError, StoreBusy
from sleevenotes.judge.schemas import read_audit, read_evaluation
from sleevenotes.learn.bundles import GRAPH_NAME
from sleevenotes.learn.exporting import Checked, Exported, exported
from sleevenotes.learn.known import LEARNT_NAME
from sleevenotes.learn.model import (
    BUNDLE_NAME,
    CONFIG_NAME,
    EVALUATION_NAME,
    MODEL_TYPE,
    WEIGHTS_NAME,
    Model,
    bundle_in,
)
from sleevenotes.publish.model_card import Sources, model_card
from sleevenotes.publish.results import AUDIT_NAME

TENSORS_NAME = "model.safetensors"
PREPROCESSOR_NAME = "preprocessor_config.json"
README_NAME = "README.md"
BICUBIC = 3  # Pillow's number of it, which the hub's own files use


@dataclass(frozen=True)
class Written:
    """A folder that was written.

    Parameters
    ----------
    folder
        Where.
    checked
        How far its graph is from the model.
    graph_bytes
        How large the graph is.
    evaluation, audit
        The files that its card tells of; None where there is none, or no card.
    """

    folder: Path
    checked: Checked
    graph_bytes: int
    evaluation: Path | None = None
    audit: Path | None = None


def export_bundle(model: Model, out: Path, *, covers: Path | None = None) -> Written:
    """Write the ONNX bundle of a model.

    Parameters
    ----------
    model
        A whole model.
    out
        An empty folder, or one of an earlier bundle.
    covers
        A dataset, or a folder with covers, on which the graph is checked; demo covers are drawn where there are none.

    Raises
    ------
    ModelError
        Where the folder holds something else or can't be written to, something can't be said in ONNX, or the graph
        differs by more than 1e-4.
    SourceError, DatasetError
        Where there is no cover to check it on.
    """
    _refuse_foreign(out, BUNDLE_NAME)
    made = exported(model, covers)
    with _rewritten(out, BUNDLE_NAME) as building:
        _write_bytes(building / GRAPH_NAME, made.graph)
        _write_bytes(building / LEARNT_NAME, model.known.without_names().data)
        write_json(building / BUNDLE_NAME, made.told)
    return Written(out, made.checked, len(made.graph))


def export_hub(
    model: Model, out: Path, *, covers: Path | None = None, evaluation: Path | None = None, licence: str = ""
) -> Written:
    """Write the folder of a model for the Hugging Face hub, with its card; nothing is uploaded.

    Parameters
    ----------
    model, out, covers
        As for `export_bundle`.
    evaluation
        The folder with `evaluation.json`, and `audit.json` there or in `audit/`; the model's own, or the one around it,
        where not named. Without one the card says that nothing was measured.
    licence
        Under which it is given away; the card names none where it is empty.

    Raises
    ------
    ModelError, SourceError, DatasetError
        As `export_bundle` does.
    EvaluationError
        Where the folder that was named has no evaluation, or one of another model.
    """
    _refuse_foreign(out, CONFIG_NAME)
    figures = find_evaluation(model, evaluation)
    measured = read_evaluation(figures) if figures else None
    if figures and measured:
        _refuse_other_model(figures, measured, model)
    judged = find_audit(figures.parent, measured) if figures and measured else None
    made = exported(model, covers)
    audit = read_audit(judged) if judged else None
    card = model_card(Sources(made.told, model.card, measured, audit, licence))
    with _rewritten(out, CONFIG_NAME) as building:
        _write_hub(building, model, made, card)
    return Written(out, made.checked, len(made.graph), figures, judged)


def _write_hub(out: Path, model: Model, made: Exported, card: str) -> None:
    _write_bytes(out / GRAPH_NAME, made.graph)
    _write_bytes(out / LEARNT_NAME, model.known.without_names().data)
    # as it is: the head, and the parameters of each network that is known in torch
    _write_bytes(out / TENSORS_NAME, (model.folder / WEIGHTS_NAME).read_bytes())
    _write_bytes(out / README_NAME, card.encode())
    write_json(out / PREPROCESSOR_NAME, preprocessor(made.told["preprocessing"]))
    write_json(out / CONFIG_NAME, config(made.told))


def config(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config.json`: what a bundle tells, and the keys by which the hub's own programs find genres."""
    genres = told["genres"]
    named = {
        "model_type": MODEL_TYPE,
        "problem_type": f"{'multi' if told['task'] == 'multi' else 'single'}_label_classification",
        "id2label": {str(index): genre for index, genre in enumerate(genres)},
        "label2id": {genre: index for index, genre in enumerate(genres)},
    }
    return {**named, **told}


def preprocessor(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return `preprocessor_config.json`: how a cover becomes pixels, in the hub's keys, and in words under our own."""
    size = told["size_px"]
    return {
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": BICUBIC,
        "do_center_crop": False,
        "do_rescale": False,
        "do_normalize": False,
        "sleevenotes": dict(told),
    }


# -- what a card tells of ----------------------------------------------------------------------------------------------


def find_evaluation(model: Model, named: Path | None) -> Path | None:
    """Return a model's `evaluation.json`; None where there is none and none was named.

    Raises
    ------
    EvaluationError
        Where a folder was named that has none.
    """
    if named is not None:
        path = named / EVALUATION_NAME if named.is_dir() else named
        if not path.is_file():
            cure = f"Run `sleevenotes evaluate {model.folder} DATASET -o {named}`"
            raise EvaluationError(str(named), f"no {EVALUATION_NAME}", "a folder that `evaluate` wrote to", cure)
        return path
    for folder in (model.folder, model.folder.resolve().parent):  # where `evaluate` writes, and where `run` does
        path = folder / EVALUATION_NAME
        # around a model there may be the evaluation of another one, which nobody named
        if path.is_file() and (folder == model.folder or not _is_of_another(read_evaluation(path), model)):
            return path
    return None


def find_audit(folder: Path, evaluation: Mapping[str, Any]) -> Path | None:
    """Return the `audit.json` beside an evaluation; None where there is none of the very same covers."""
    fingerprint = (evaluation.get("dataset") or {}).get("fingerprint")
    for path in (folder / "audit" / AUDIT_NAME, folder / AUDIT_NAME):
        if path.is_file():
            told = read_audit(path).get("dataset") or {}
            return path if fingerprint and told.get("fingerprint") == fingerprint else None
    return None


def _is_of_another(evaluation: Mapping[str, Any], model: Model) -> bool:
    judged = evaluation.get("model_sha256")
    return (bool(judged) and judged != model.sha256) or list(evaluation["genres"]) != list(model.genres)


def _refuse_other_model(path: Path, evaluation: Mapping[str, Any], model: Model) -> None:
    if _is_of_another(evaluation, model):
        cure = f"Run `sleevenotes evaluate {model.folder} DATASET` again, or name another with --evaluation"
        raise EvaluationError(str(path), "figures of another model", f"figures of {model.folder}", cure)


# -- files -------------------------------------------------------------------------------------------------------------


def _refuse_foreign(out: Path, telling: str) -> None:
    """Refuse a folder that holds something else than an earlier export of the same kind."""
    if out.is_file():
        raise ModelError(str(out), "a file", "a folder for the export", "Name another with -o")
    finish_swap(out)
    found = bundle_in(out)
    there = out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir())
    if there and (found is None or found.name != telling):
        found_there, expected = (
            "a folder that holds something else",
            "an empty folder, or an earlier export of its kind",
        )
        raise ModelError(str(out), found_there, expected, "Name another with -o")


@contextmanager
def _rewritten(out: Path, telling: str) -> Iterator[Path]:
    """Give a folder to write an export to, which replaces an earlier one once it is whole."""
    owned = (GRAPH_NAME, LEARNT_NAME, TENSORS_NAME, README_NAME, PREPROCESSOR_NAME, telling)
    cure = "Make room or give yourself the right to write there, or name another with -o"
    try:
        with rebuilding(out, "export", owned=owned, last=(telling,)) as building:
            yield building
    except StoreBusy:
        raise
    except DatasetError as cause:
        raise ModelError(cause.where, cause.found, cure=cure) from cause
    except OSError as cause:
        raise ModelError(str(out), f"can't be written ({cause.strerror})", cure=cure) from cause


def _write_bytes(path: Path, data: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(data)
