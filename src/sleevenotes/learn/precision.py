"""How exactly a network computes while it is trained, and what makes that fast.

Numbers of 16 bits, bfloat16, halve what goes to and from memory, which is what training waits for at a few hundred
pixels. They have the range of float32 with fewer digits (Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning
Training", https://arxiv.org/abs/1905.12322). Weights, batch norm's statistics, the head, the loss and the optimiser
stay float32 (`torch.autocast`), and so does all that is measured or kept.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]
CPU_FLAG = "amx_bf16"

# glibc's parameters of mallopt(3), and the values at which it arrives by itself once large blocks were freed
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
USUAL = {TRIM_THRESHOLD: 64 << 20, MMAP_THRESHOLD: 32 << 20, MMAP_MAX: 65536}


def precision_used(asked: Literal["auto"] | Precision, device: torch.device) -> Precision:
    """Return what is really used on a device where this is asked.

    "auto" is bfloat16 on a GPU that computes with it, and on a CPU that multiplies matrices of it (`amx_bf16`);
    float32 elsewhere. A CPU with `avx512_bf16` alone is slower with it than without (docs/experiments.md).
    """
    if asked != "auto":
        return asked
    if device.type == "cuda":
        # not a GPU that has to imitate it
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Return whether this CPU multiplies matrices of bfloat16 by itself; False where that can't be known."""
    told = getattr(torch.cpu, "get_capabilities", None)  # newer than the oldest torch that is supported
    if told is not None:
        return bool(told().get(CPU_FLAG, False))
    flags = Path("/proc/cpuinfo")
    return flags.exists() and CPU_FLAG in flags.read_text(encoding="utf-8").split()


def computing(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which a network computes with this precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep memory that was freed, within, instead of handing it back to the system after each step.

    The maps of a batch at 260 px are blocks of a hundred megabytes and more. glibc asks the system for each of them
    anew, which has to fill it with zeros, page by page: a fifth of the time of a step. Other libraries of C know
    nothing of it, and are left alone.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(TRIM_THRESHOLD, -1)  # never
    library.mallopt(MMAP_MAX, 0)
    try:
        yield
    finally:
        for parameter, value in USUAL.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no library of that kind
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
