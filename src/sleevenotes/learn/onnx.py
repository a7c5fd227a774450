"""The ONNX form of a network: written once after training, and from then on what predicts.

onnxruntime starts in a fraction of the time that torch takes, and gives one and the same number wherever a model is
asked: `train`, `evaluate` and `predict` all read features from the ONNX form.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import replacing
from sleevenotes.errors import ModelError

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork

INPUT = "covers"
OUTPUT = "features"
TOLERANCE = 1e-4
CHECKED_COVERS = 4


class OnnxNetwork:
    """A network that gives features, (n, D), of covers, uint8 (n, S, S, 3).

    Parameters
    ----------
    path
        The ONNX file.
    threads
        How many threads compute; all cores by default.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self.path = Path(path)
        self.threads = threads or os.cpu_count() or 1

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, 64 hexadecimal digits."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        except Exception as cause:  # onnxruntime raises classes of its own making, with no common parent but this
            found = f"onnxruntime can't read it ({str(cause).splitlines()[0]})"
            raise ModelError(str(self.path), found, cure="Train the model again") from cause

    def features(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features, (n, D), of covers, (n, S, S, 3)."""
        (features,) = self._session.run([OUTPUT], {INPUT: covers})
        return features  # type: ignore[no-any-return]


class ForeignOnnxNetwork(OnnxNetwork):
    """A graph that others made: `input`, normalised covers, float32 (n, 3, S, S) in -1..1, to `features`, (n, D)."""

    def features(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features, (n, D), of covers, (n, S, S, 3)."""
        normalised = covers.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)
        (features,) = self._session.run([OUTPUT], {"input": normalised})
        return features  # type: ignore[no-any-return]


def export(network: CoverNetwork, path: Path, *, size_px: int) -> float:
    """Write the ONNX form of a network and check it against torch.

    Parameters
    ----------
    network
        The network; it is put into evaluation mode.
    path
        The file to write.
    size_px
        The covers' width and height.

    Returns
    -------
    The largest difference of a feature between the two forms, relative to the largest feature.

    Raises
    ------
    ModelError
        Where the two differ by more than 1e-4.
    """
    import torch

    network.eval()
    covers = np.random.default_rng(0).integers(0, 256, (CHECKED_COVERS, size_px, size_px, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(covers)).numpy()  # (4, D)
    with replacing(path) as partial:
        _write(network, torch.from_numpy(covers), partial)
        _forget_origins(partial)
        found = OnnxNetwork(partial).features(covers)  # (4, D)
        difference = float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))
        if not difference <= TOLERANCE:  # nor where it is not a number
            told = f"the ONNX form differs from torch by {difference:.2g}"
            raise ModelError(str(path), told, f"at most {TOLERANCE:g} of difference")
    return difference


def _write(network: CoverNetwork, covers: Any, path: Path) -> None:
    import torch

    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)  # it reports each optional package that it does without
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # deprecations inside of torch's exporter, which are not ours to mend
            torch.onnx.export(
                network,
                (covers,),
                path,
                dynamo=True,
                verbose=False,
                external_data=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("n")},),
            )
    finally:
        exporter.setLevel(level)


def _forget_origins(path: Path) -> None:
    """Remove what the exporter notes of each node: the paths of source files on the machine that trained it."""
    import onnx

    model = onnx.load(path)
    for part in (*model.graph.node, *model.graph.value_info):
        part.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString(deterministic=True))
