"""Bundles: what `export` makes of a model, and how it is asked in the model's place.

A bundle is a folder with one ONNX graph, covers in and calibrated proba out, and `sleevenotes.json`, which tells all
else that a program needs: genres, how a cover becomes pixels, and the calibration's risk and limits. In a folder for
the Hugging Face hub the same is told in `config.json`. A `Bundle` answers like the model that it was made from, and it
recognises the covers that the model learnt from by the digests and hashes in `learnt_from.csv`, which names no artist
or release. It has no head or network that could be looked into.

Nothing here imports torch, scikit-learn or the library that writes ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.swapping import finish_swap
from sleevenotes.errors import ModelError
from sleevenotes.learn.calibration import Floats
from sleevenotes.learn.card import EXPORT_AGAIN, read_bundle_card
from sleevenotes.learn.extractors import NetworkExtractor
from sleevenotes.learn.heads import Head
from sleevenotes.learn.model import Model, bundle_in
from sleevenotes.learn.onnx import OUTPUT, OnnxNetwork

GRAPH_NAME = "model.onnx"
PROBA, LOGITS, FEATURES = "proba", "logits", OUTPUT


class Bundle(Model):
    """An exported model, to be asked like the one that it was made from.

    Parameters
    ----------
    folder
        The bundle's folder.
    told
        The contents of `sleevenotes.json`.
    graph
        Its graph.
    """

    def __init__(self, folder: Path, told: Mapping[str, Any], graph: OnnxNetwork) -> None:
        sealed = {"architecture": None, "file": told["graph"]["file"], "sha256": told["graph"]["sha256"]}
        nothing = Head(np.zeros((0, 0), dtype=np.float32), np.zeros(0, dtype=np.float32))
        super().__init__(folder, {**told, "network": sealed, "backbone": None}, nothing)
        self.graph = graph

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Load a bundle.

        Raises
        ------
        ModelError
            Where the folder holds none, one of a newer format or with a damaged file, or one whose graph is not the one
            that was exported.
        """
        folder = Path(folder)
        path = bundle_in(folder)
        if path is None:
            raise ModelError(str(folder), "no bundle", "a folder that `export` made", "Run `sleevenotes export MODEL`")
        told = read_bundle_card(path)
        # of its name no folder is taken: a bundle from elsewhere must not reach for other files
        whole = folder / Path(str(told["graph"]["file"])).name
        graph = OnnxNetwork(whole, sha256=told["graph"]["sha256"], cure=EXPORT_AGAIN)
        graph.read()  # a graph that was changed is refused at once, and not at the first cover
        return cls(folder, told, graph)

    @property
    def head(self) -> Head:
        """None that could be told.

        Raises
        ------
        ModelError
            In any case.
        """
        raise self._refusal("a bundle, whose head is inside of its graph")

    @cached_property
    def sha256(self) -> str:
        """That of the model that it was made of, as it says what that says; of its graph where that is not told."""
        origin = self.card.get("model")  # which a bundle from elsewhere may lack
        return str((origin.get("sha256") if isinstance(origin, dict) else None) or self.graph.sha256)

    @cached_property
    def extractor(self) -> NetworkExtractor:
        """What gives the graph's features."""
        return NetworkExtractor(self.graph, self.size_px)

    @property
    def baseline(self) -> None:
        """None: a bundle travels alone."""

    def logits(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits, (n, K), of covers, (n, S, S, 3) at the model's size."""
        return self.graph.output(LOGITS, covers)

    def asked(self, covers: NDArray[np.uint8]) -> Floats:
        """Return calibrated proba, (n, K), as the graph itself gives them to whatever runs it."""
        return np.asarray(self.graph.output(PROBA, covers), dtype=np.float64)

    def _how_to_get_back(self, name: str) -> str:
        return f"Copy {name} back from where you have it, or export the model again"

    def _refusal(self, found: str) -> ModelError:
        return ModelError(str(self.folder), found, "a model", "Name the model that it was exported from")


def loaded(folder: Path) -> Model:
    """Return the model in a folder, or the bundle that was made of one.

    Raises
    ------
    ModelError
        Where there is neither, or one that this version can't read.
    """
    finish_swap(Path(folder))
    return Bundle.load(folder) if bundle_in(folder) else Model.load(folder)
