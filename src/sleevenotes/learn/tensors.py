"""Reading files of weights: their SHA-256 first, then the arrays in them, which have to be finite numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleevenotes.errors import ModelError

TRAIN_AGAIN = "Train the model again"
DTYPES = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.int64))  # integers count the batches of a batch norm

Arrays = dict[str, NDArray[Any]]


def read_content(path: Path, sha256: str | None, cure: str = TRAIN_AGAIN) -> bytes:
    """Return the bytes of a file, once it is certain that it is the file that was meant.

    Parameters
    ----------
    path
        The file.
    sha256
        The SHA-256 that it has to have, 64 hexadecimal digits; any if None.
    cure
        What to do if it can't be used.

    Raises
    ------
    ModelError
        If the file can't be read or has another SHA-256.
    """
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise ModelError(str(path), "can't be read" if path.exists() else "not there", "", cure) from cause
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256:
        changed = f"its SHA-256 begins with {found[:8]}, so that it was damaged or replaced"
        raise ModelError(str(path), changed, f"the file whose SHA-256 begins with {sha256[:8]}", cure)
    return content


def read_tensors(path: Path, sha256: str | None, cure: str = TRAIN_AGAIN) -> Arrays:
    """Return all arrays of a safetensors file.

    Parameters
    ----------
    path, sha256, cure
        As for `read_content`.

    Raises
    ------
    ModelError
        If the file can't be read, has another SHA-256, or holds what is no array of float16, float32 or int64.
    """
    from safetensors.numpy import load

    content = read_content(path, sha256, cure)
    try:
        arrays: Arrays = load(content)
    except Exception as cause:  # what a damaged file raises depends on the byte that is damaged
        raise ModelError(str(path), "it is damaged, or has numbers of an unknown type", "safetensors", cure) from cause
    odd = [name for name, array in arrays.items() if array.dtype not in DTYPES]
    if odd:
        raise ModelError(str(path), f"{odd[0]} has numbers of an unknown type", "float32 or float16", cure)
    return arrays


def refuse_infinite(path: Path, arrays: Mapping[str, NDArray[Any]], cure: str = TRAIN_AGAIN) -> None:
    """Refuse arrays with numbers that are not finite.

    Raises
    ------
    ModelError
        Naming the first of them.
    """
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelError(str(path), f"{name} has numbers that are not finite", "finite numbers", cure)
