"""The ONNX form of a network: written once after training, and from then on what predicts.

onnxruntime starts in a fraction of the time that torch takes, and gives one and the same number wherever a model is
asked: `train`, `evaluate` and `predict` all read features from the ONNX form.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.files import replacing
from sleevenotes.errors import ModelError
from sleevenotes.learn.tensors import TRAIN_AGAIN, read_content

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork

INPUT = "covers"
OUTPUT = "features"
TOLERANCE = 1e-4
CHECKED_COVERS = 4
NO_EXTERNAL_DATA = "session.model_external_initializers_file_folder_path"
SILENT = 4  # of onnxruntime's log: what can't be read or run is told by its exception


class OnnxNetwork:
    """A network that gives features, (n, D), of covers, uint8 (n, S, S, 3).

    Parameters
    ----------
    source
        The ONNX file, or its bytes.
    threads
        How many threads compute; all cores by default.
    sha256
        The SHA-256 that the file has to have; any if None.
    cure
        What to do if the file can't be used.
    """

    def __init__(
        self, source: Path | bytes, *, threads: int | None = None, sha256: str | None = None, cure: str = TRAIN_AGAIN
    ) -> None:
        self.source = source if isinstance(source, bytes) else Path(source)
        self.threads = threads or os.cpu_count() or 1
        self.expected, self.cure = sha256, cure

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, 64 hexadecimal digits."""
        return self.expected or hashlib.sha256(self.read()).hexdigest()

    @property
    def where(self) -> str:
        """What an error calls it."""
        return "a network" if isinstance(self.source, bytes) else str(self.source)

    def read(self) -> bytes:
        """Return the file's bytes.

        Raises
        ------
        ModelError
            If the file can't be read or is not the one that was meant.
        """
        return self.source if isinstance(self.source, bytes) else read_content(self.source, self.expected, self.cure)

    @cached_property
    def _session(self) -> Any:
        content = self.read()
        try:
            return _session(content, self.threads)
        except Exception as cause:  # onnxruntime raises classes of its own making, with no common parent but this
            found = f"onnxruntime can't read it ({first_line(cause)})"
            raise ModelError(self.where, found, cure=self.cure) from cause

    def features(self, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features, (n, D), of covers, (n, S, S, 3)."""
        return self.output(OUTPUT, covers)

    def output(self, name: str, covers: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return one of its outputs, (n, D), of covers, (n, S, S, 3).

        Raises
        ------
        ModelError
            If the file can't be read or is not the one that was meant, needs more memory than there is, does not take
            covers of this size, or gives anything else than finite numbers for each of them.
        """
        session = self._session
        try:
            (found,) = session.run([name], {INPUT: covers})
        except Exception as cause:  # as above
            no_memory = isinstance(cause, MemoryError) or "alloc" in str(cause)
            told = "it needs more memory than there is" if no_memory else f"it can't be asked about {_told(covers)}"
            raise ModelError(self.where, told, cure=self.cure) from cause
        if (
            not isinstance(found, np.ndarray)
            or found.ndim != 2
            or len(found) != len(covers)
            or found.dtype != np.float32
        ):
            raise ModelError(self.where, f"its output '{name}' is no row of float32 a cover", cure=self.cure)
        if not np.isfinite(found).all():
            raise ModelError(self.where, f"its output '{name}' has numbers that are not finite", cure=self.cure)
        return found


def run_graph(
    graph: bytes, fed: Mapping[str, NDArray[Any]], wanted: Sequence[str], *, threads: int | None = None
) -> list[NDArray[Any]]:
    """Return the wanted outputs of any graph for what its inputs are fed; what onnxruntime raises is passed on."""
    return list(_session(graph, threads or os.cpu_count() or 1).run(list(wanted), dict(fed)))


def _told(covers: NDArray[np.uint8]) -> str:
    return f"covers of {' × '.join(map(str, covers.shape[1:3]))} px"


def _session(source: bytes, threads: int) -> Any:
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # where whoever uses this had imported it before, and on Windows
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = SILENT
    # threads that wait for work by spinning take the cores from those that decode the next covers
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # tensors in files of their own are not read: of bytes, they would be looked for in the working folder
    options.add_session_config_entry(NO_EXTERNAL_DATA, f"{os.devnull}/none")
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def first_line(cause: Exception) -> str:
    """Return what an exception of another library says, as far as it fits into a sentence."""
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def cells(side: int, grid: int) -> NDArray[np.float32]:
    """Return the weight of each of a side's places in each cell of a grid, (g, side); those of a cell sum to 1.

    The i-th cell has the places from floor(i side / g) to ceil((i + 1) side / g), as in torch's adaptive pooling, so
    that cells share places where g does not divide the side.

    Examples
    --------
    >>> cells(3, 2).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    weights = np.zeros((grid, side), dtype=np.float32)
    for cell in range(grid):
        first, end = cell * side // grid, -(-(cell + 1) * side // grid)
        weights[cell, first:end] = 1 / (end - first)
    return weights


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
        form = OnnxNetwork(partial)
        found = np.concatenate([form.features(covers[:1]), form.features(covers[1:])])  # (4, D), of any number at once
        difference = float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))
        if not difference <= TOLERANCE:  # nor where it is not a number
            told = f"the ONNX form differs from torch by {difference:.2g}"
            raise ModelError(str(path), told, f"at most {TOLERANCE:g} of difference")
    return difference


def _write(network: CoverNetwork, covers: Any, path: Path) -> None:
    import torch

    exporters = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [exporter.level for exporter in exporters]
    for exporter in exporters:  # they report each optional package, and each constant, that they do without
        exporter.setLevel(logging.ERROR)
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
        for exporter, level in zip(exporters, levels, strict=True):
            exporter.setLevel(level)


def _forget_origins(path: Path) -> None:
    """Remove what the exporter notes of each node: the paths of source files on the machine that trained it."""
    import onnx

    model = onnx.load(path)
    for part in (*model.graph.node, *model.graph.value_info):
        part.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString(deterministic=True))
