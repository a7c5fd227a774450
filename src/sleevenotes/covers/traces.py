"""Traces: what scaling, compression, frames and format leave in a cover's pixels, told as apart from its art as can be.

A trace is a number of one cover at its native size, worked out from the decoded pixels alone. Most are ratios of what
would be alike if nothing had been done to the cover: differences across the borders of JPEG's 8 × 8 blocks against
those inside, coefficients on the grid of blocks against those on a grid moved by 4 px, the end of a spectrum against
the line through its middle, the chroma's detail against the luma's. Whatever the art is, it stands on both sides of
such a ratio. Traces for which this can't be had are named in `SWAYED`: art alone moves them, so that by themselves they
convict no one. The groups, and what they are traces of:

=========== ==========================================================================================================
group       traces
=========== ==========================================================================================================
compression blocks of 8 × 8 px in place, shifted or of another size; what quantising took away; chroma thinned out
scaling     where the spectrum ends and how it bends there; the rhythm that interpolating leaves
noise       of even areas
border      a frame of one width, a step beside the rim, even sides
letterbox   even bars on two opposite sides only
levels      gaps in the histogram, clipped shades
grey        how much colour there is
=========== ==========================================================================================================

Luma and chroma are those of JPEG (ITU-R BT.601, full range), 0 to 255 and -128 to 127. Of a cover larger than 512 px
the middle is looked at, apart from its borders; one smaller than 32 px is mirrored until it has as many.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.files import replacing
from sleevenotes.covers.pixels import iter_covers

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]

VERSION = "1"
"""Of the numbers: another one makes every kept file obsolete."""

GROUPS: dict[str, tuple[str, ...]] = {
    "compression": (
        "block borders across",
        "block borders down",
        "borders of shifted blocks",
        "block rhythm",
        "low frequencies quantised",
        "middle frequencies quantised",
        "high frequencies quantised",
        "high frequencies emptied",
        "quantisation step",
        "quantisation clearness",
        "chroma bandwidth",
    ),
    "scaling": (
        "energy above half Nyquist",
        "energy above 3/4 Nyquist",
        "spectral slope",
        "bend at 3/4 Nyquist",
        "bend at Nyquist",
        "corners of the spectrum",
        "spectral end",
        "interpolation rhythm",
        "interpolation frequency",
    ),
    "noise": ("noise", "noise of even areas", "grain of even areas"),
    "border": (
        "frame width",
        "frame lightness",
        "rim step",
        "rim step depth",
        "even top",
        "even bottom",
        "even left",
        "even right",
        "rim lightness",
        "rim colour",
    ),
    "letterbox": ("bars above and below", "bars left and right"),
    "levels": ("grey levels", "gaps in the histogram", "clipped black", "clipped white"),
    "grey": ("colour", "monochrome"),
}
NAMES: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
SWAYED: frozenset[str] = frozenset(
    {
        "energy above half Nyquist",
        "energy above 3/4 Nyquist",
        "spectral slope",
        "spectral end",
        "noise",
        "noise of even areas",
        "even top",
        "even bottom",
        "even left",
        "even right",
        "rim lightness",
        "rim colour",
        "grey levels",
        "clipped black",
        "clipped white",
        "colour",
        "monochrome",
    }
)
"""Traces that contrast, busyness or palette of the art moves by themselves."""

BLOCK = 8
MIN_PX = 32
MAX_PX = 512  # a whole number of blocks
YCC = np.array([[0.299, -0.168736, 0.5], [0.587, -0.331264, -0.418688], [0.114, 0.5, -0.081312]], np.float32)
CLIP = 24.0  # of 255: differences above are edges of the art, and count no more than this
ROUNDING = 1 / 12  # variance that rounding to whole levels makes; keeps every ratio finite
TILE = 64
BANDS = 20  # of the radial spectrum up to Nyquist, and one beyond
RIM = 12  # px beside the rim in which a step is looked for
EVEN_STD = 8.0  # of 255, within a row of an even side; JPEG makes as much beside an edge
EVEN_SHIFT = 12.0  # of 255, between rows of it
STEPS = np.arange(2, 41, dtype=np.float32)  # of quantisation that are tried
FINE = 4  # coefficients are counted in quarters
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def traces(pixels: NDArray[np.uint8]) -> Floats:
    """Return a cover's traces, (F,), finite, in the order of `NAMES`.

    Parameters
    ----------
    pixels
        (H, W, 3), at native size.

    Notes
    -----
    What each is, and where it is from, is told where it is worked out: `blocks`, `quantisation`, `chroma_bandwidth`,
    `spectrum`, `rhythms`, `noise`, `borders`, `levels`, `grey`.

    Examples
    --------
    >>> told = dict(zip(NAMES, traces(np.full((40, 40, 3), 255, np.uint8)), strict=True))
    >>> float(told["frame lightness"]), float(told["monochrome"]), float(told["clipped white"])
    (1.0, 1.0, 1.0)
    """
    whole = _at_least(pixels, MIN_PX)
    middle = _middle(whole)
    ycc = middle.reshape(-1, 3).astype(np.float32) @ YCC
    luma, blue, red = (np.ascontiguousarray(ycc[:, k]).reshape(middle.shape[:2]) for k in range(3))
    told: dict[str, float] = {}
    for part in (
        blocks(luma),
        quantisation(luma),
        chroma_bandwidth(luma, blue, red),
        spectrum(luma),
        rhythms(luma),
        noise(luma),
        borders(whole),
        levels(middle, luma),
        grey(blue, red),
    ):
        told.update(part)
    return np.array([told[name] for name in NAMES], np.float32)


def dataset_traces(dataset: Dataset, *, progress: Progress | None = None) -> Floats:
    """Return the traces, (n, F), of a dataset's covers, in the order of its table.

    They are kept in the dataset's cache, found again by the SHA-256 of each cover's file, and made anew where the file
    can't be read or is of another version.

    Parameters
    ----------
    progress
        Called with (covers done, covers to do) after each cover that is decoded.

    Raises
    ------
    CoverError
        Where a cover can't be decoded.
    """
    digests, paths = dataset.digests, dataset.paths
    dataset.report_replaced()
    path = dataset.cache / f"traces-{VERSION}.npz"
    known = _read(path)
    missing = [index for index, digest in enumerate(digests) if digest not in known]
    for index, pixels in iter_covers(paths[index] for index in missing):
        if isinstance(pixels, Exception):
            raise pixels
        known[digests[missing[index]]] = traces(pixels)
        if progress:
            progress(index + 1, len(missing))
    if missing:
        _write(path, known)
    return np.stack([known[digest] for digest in digests]) if digests else np.zeros((0, len(NAMES)), np.float32)


# --- compression ------------------------------------------------------------------------------------------------------


def blocks(luma: Floats) -> dict[str, float]:
    """Return how far the borders of 8 × 8 blocks show, as log ratios: 0 where they don't.

    With the cross difference c(y, x) = |g(y, x) + g(y+1, x+1) - g(y, x+1) - g(y+1, x)|, which straight edges of the art
    leave at 0, clipped at 24, and c̄(k) its mean over the columns x = k modulo 8: across log c̄(7) / median of all c̄(k),
    down likewise; shifted is the largest such ratio of any other k, and the smaller one of both directions, since a
    grid has borders in both.

    Notes
    -----
    Y.-L. Chen and C.-T. Hsu, Detecting recompression of JPEG images via periodicity analysis of compression artifacts
    for tampering detection, IEEE Trans. Information Forensics and Security 6(2), 2011, section III.
    """
    step = luma[1:, :] - luma[:-1, :]
    cross = np.minimum(np.abs(step[:, 1:] - step[:, :-1]), CLIP)
    across, down = (_phases(cross.mean(axis=axis)) for axis in (0, 1))
    shifted = min(float(phases[:-1].max()) for phases in (across, down))
    return {
        "block borders across": float(across[-1]),
        "block borders down": float(down[-1]),
        "borders of shifted blocks": shifted,
    }


def quantisation(luma: Floats) -> dict[str, float]:
    """Return what quantising the blocks' cosine transforms took away.

    Coefficients on the grid of blocks are compared with those on the same grid moved by 4 px each way, on which the
    art has the same frequencies and quantising left nothing ("calibration"). For low (u + v of 1 to 3), middle (4 to 7)
    and high frequencies (8 to 14): log of the mean magnitude on the grid over that off the grid, plus rounding; and the
    share of high ones under 1/2 on the grid less that off the grid.

    The step of a frequency is the largest q of 2 to 40 at whose multiples its coefficients c lie, those above q / 2:
    mean of cos(2πc / q) above 1/2 and above 0.7 times the best; 1 where there is none. Its clearness is that mean. Both
    are averaged over the five lowest frequencies.

    Notes
    -----
    Calibration: J. Fridrich, M. Goljan and D. Hogea, Steganalysis of JPEG images: breaking the F5 algorithm,
    Information Hiding 2002. Steps from pixels: Z. Fan and R. L. de Queiroz, Identification of bitmap compression
    history, IEEE Trans. Image Processing 12(2), 2003.
    """
    on, off = _coefficients(luma), _coefficients(luma[BLOCK // 2 : -BLOCK // 2, BLOCK // 2 : -BLOCK // 2])
    size_on, size_off = np.abs(on), np.abs(off)
    order = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).ravel()
    told: dict[str, float] = {}
    for name, low, high in (("low", 1, 3), ("middle", 4, 7), ("high", 8, 14)):
        band = (order >= low) & (order <= high)
        sizes = [float(size[:, band].mean()) + ROUNDING for size in (size_on, size_off)]
        told[f"{name} frequencies quantised"] = float(np.log(sizes[0] / sizes[1]))
    high_band = order >= BLOCK
    told["high frequencies emptied"] = float(
        (size_on[:, high_band] < 0.5).mean() - (size_off[:, high_band] < 0.5).mean()
    )
    steps, clearness = np.mean([_step(on[:, k]) for k in (1, 2, BLOCK, BLOCK + 1, 2 * BLOCK)], axis=0)
    return told | {"quantisation step": float(steps), "quantisation clearness": float(clearness)}


def chroma_bandwidth(luma: Floats, blue: Floats, red: Floats) -> dict[str, float]:
    """Return how much finest detail the chroma has against the luma, as a log ratio; about -2 where it was thinned out.

    With E1 the energy of the Haar wavelet's details at 2 × 2 px and E2 that at 4 × 4 px:
    log (E1 / E2 of both chroma planes) - log (E1 / E2 of the luma), rounding added to each. 0 where a cover has no
    detail in its chroma.
    """
    fine, coarse = (sum(pair) for pair in zip(_haar(blue), _haar(red), strict=True))
    luma_fine, luma_coarse = _haar(luma)
    if coarse < 2 * ROUNDING:
        return {"chroma bandwidth": 0.0}
    ratios = [(a + ROUNDING) / (b + ROUNDING) for a, b in ((fine, coarse), (luma_fine, luma_coarse))]
    return {"chroma bandwidth": float(np.log(ratios[0] / ratios[1]))}


def _phases(profile: Floats) -> Floats:
    """Return log of the mean of a profile's entries at each place modulo 8, (8,), over their median."""
    whole = profile[: len(profile) // BLOCK * BLOCK].reshape(-1, BLOCK)
    means = whole.mean(axis=0) + ROUNDING
    phases: Floats = np.log(means / np.median(means))
    return phases


def _coefficients(luma: Floats) -> Floats:
    """Return the cosine transform (type II, orthonormal) of every whole 8 × 8 block, (blocks, 64), 8 u + v."""
    rows, columns = (side // BLOCK for side in luma.shape)
    cut = luma[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    coefficients: Floats = cut.transpose(0, 2, 1, 3).reshape(-1, BLOCK * BLOCK) @ _cosines()
    return coefficients


@cache
def _cosines() -> Floats:
    k = np.arange(BLOCK)
    one = np.cos(np.pi * np.outer(k, k + 0.5) / BLOCK) * np.sqrt(2 / BLOCK)
    one[0] /= np.sqrt(2)
    return np.ascontiguousarray(np.kron(one, one).T.astype(np.float32))


def _step(coefficients: Floats) -> tuple[float, float]:
    """Return the step of quantisation that coefficients of one frequency, (n,), show, 1 for none, and how clearly."""
    waves, counted = _waves()
    near = np.minimum(np.abs(coefficients) * FINE + 0.5, len(waves) - 1).astype(np.intp)
    counts = np.bincount(near, minlength=len(waves)).astype(np.float32)
    counts[-1] = 0  # all that are larger
    number = counts @ counted
    fit = np.where(number >= MIN_PX, counts @ waves / np.maximum(number, 1), 0)
    fitting = np.flatnonzero((fit > 0.5) & (fit > 0.7 * fit.max()))
    if not len(fitting):
        return 1.0, float(fit.max())
    return float(STEPS[fitting[-1]]), float(fit[fitting[-1]])


@cache
def _waves() -> tuple[Floats, Floats]:
    """Return cos(2πc / q) and whether c is above q / 2, (C, Q) each, for c in quarters and each step q."""
    c = np.arange(FINE * 4 * STEPS[-1] + 1, dtype=np.float32)[:, None] / FINE
    counted = (c > STEPS / 2).astype(np.float32)
    return (np.cos(2 * np.pi * c / STEPS) * counted).astype(np.float32), counted


def _haar(plane: Floats) -> tuple[float, float]:
    """Return the mean energy of the Haar wavelet's details at 2 × 2 px and at 4 × 4 px."""
    energies = []
    for _ in range(2):
        rows, columns = (side // 2 * 2 for side in plane.shape)
        a, b = plane[0:rows:2, 0:columns:2], plane[0:rows:2, 1:columns:2]
        c, d = plane[1:rows:2, 0:columns:2], plane[1:rows:2, 1:columns:2]
        mean: Floats = (a + b + c + d) * np.float32(0.25)
        # Parseval: what the four pixels have beyond their mean is what the details hold
        energies.append(float((a * a + b * b + c * c + d * d).mean() / 4 - (mean * mean).mean()))
        plane = mean
    return max(energies[0], 0.0), max(energies[1], 0.0)


# --- scaling ----------------------------------------------------------------------------------------------------------


def spectrum(luma: Floats) -> dict[str, float]:
    """Return how the luma's radial power spectrum falls off, and how it ends.

    P(f) is the mean over tiles of 64 × 64 px (Hann window) of the log power at the frequency f, in shares of Nyquist,
    in 20 bands and one beyond; means of logs, so that no single edge rules. Energy above 1/2 and 3/4: log of the share
    of Σ exp P(f) f. Slope: of the line through P against log f from 0.15 to 0.6. Bends: P at 0.7 to 0.8 and at 0.9 to 1
    less what the line says there. Corners: P beyond Nyquist less P at 0.9 to 1. End: the f below which 19/20 of
    Σ exp P(f) f³ lie, the spectrum brought to about one level.

    Notes
    -----
    Pictures of the world have a straight line there: D. J. Field, Relations between the statistics of natural images
    and the response properties of cortical cells, J. Optical Society of America A 4(12), 1987. What enlarges, shrinks
    or compresses a picture bends its end.
    """
    power = _radial(luma)
    inside, beyond = power[:BANDS], power[BANDS]
    f = (np.arange(BANDS) + 0.5) / BANDS
    energy = np.exp(inside) * f
    fitted = (f > 0.15) & (f < 0.6)
    slope, start = np.polyfit(np.log(f[fitted]), inside[fitted], 1)
    bend = inside - (start + slope * np.log(f))
    level = np.cumsum(energy * f**2)
    return {
        "energy above half Nyquist": float(np.log(energy[f > 0.5].sum() / energy.sum())),
        "energy above 3/4 Nyquist": float(np.log(energy[f > 0.75].sum() / energy.sum())),
        "spectral slope": float(slope),
        "bend at 3/4 Nyquist": float(bend[(f > 0.7) & (f < 0.8)].mean()),
        "bend at Nyquist": float(bend[f > 0.9].mean()),
        "corners of the spectrum": float(beyond - inside[f > 0.9].mean()),
        "spectral end": float(np.interp(0.95 * level[-1], level, f)),
    }


def rhythms(luma: Floats) -> dict[str, float]:
    """Return how strongly pixels repeat their smoothness at a fixed distance: that of blocks, and any other.

    Of |g(x-1) - 2 g(x) + g(x+1)|, clipped and averaged along the other direction, the spectrum; both directions added,
    each over its median. Block rhythm: log of the mean at 1/8, 1/4 and 3/8 of a px. Interpolation rhythm: log of the
    largest from 0.06 to 0.5 that is no multiple of 1/8, and the frequency it is at, in cycles a px; a cover that was
    enlarged by s has it at 1 / s or what that folds to.

    Notes
    -----
    A. C. Gallagher, Detection of linear and cubic interpolation in JPEG compressed images, Canadian Conference on
    Computer and Robot Vision, 2005.
    """
    total = np.zeros(MAX_PX // 2 + 1)
    for plane in (luma, luma.T):
        bent = np.abs(plane[:, :-2] - 2 * plane[:, 1:-1] + plane[:, 2:])
        profile = np.log(np.minimum(bent, CLIP).mean(axis=0) + ROUNDING)
        profile -= np.convolve(np.pad(profile, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
        strength = np.abs(np.fft.rfft(profile * np.hanning(len(profile)), MAX_PX))
        total += strength / (np.median(strength) + 1e-3) + 1e-3
    f = np.arange(len(total)) / MAX_PX
    from_block = np.abs(f * BLOCK - np.rint(f * BLOCK)) / BLOCK
    other = np.where((f > 0.06) & (from_block > 0.012), total, 0)
    at_blocks = total[[MAX_PX // 8, MAX_PX // 4, 3 * MAX_PX // 8]].mean()
    return {
        "block rhythm": float(np.log(at_blocks)),
        "interpolation rhythm": float(np.log(other.max())),
        "interpolation frequency": float(f[other.argmax()]),
    }


def _radial(luma: Floats) -> NDArray[np.float64]:
    """Return the mean log power in each radial band, (21,), the last one beyond Nyquist."""
    if min(luma.shape) < TILE:
        luma = np.pad(luma, [(0, max(0, TILE - side)) for side in luma.shape], mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(luma, (TILE, TILE))[::TILE, ::TILE].reshape(-1, TILE, TILE)
    window, bands = _bands()
    tiles = (windows - windows.mean(axis=(1, 2), keepdims=True)) * window
    spectra = np.fft.rfft2(tiles)
    power = (spectra.real**2 + spectra.imag**2).reshape(len(tiles), -1) @ bands  # (tiles, 21)
    floor = ROUNDING * float((window**2).sum())
    radial: NDArray[np.float64] = np.log(power + floor).mean(axis=0, dtype=np.float64)
    return radial


@cache
def _bands() -> tuple[Floats, Floats]:
    """Return the window, (64, 64), and what averages a half spectrum, (64 · 33,), into bands, (21,)."""
    window = np.outer(np.hanning(TILE), np.hanning(TILE)).astype(np.float32)
    down, across = np.fft.fftfreq(TILE) * 2, np.fft.rfftfreq(TILE) * 2
    radius = np.hypot(down[:, None], across[None, :]).ravel()
    band = np.minimum((radius * BANDS).astype(int), BANDS)
    member = (band[:, None] == np.arange(BANDS + 1)).astype(np.float32)
    member[0] = 0  # the mean
    return window, member / np.maximum(member.sum(axis=0), 1)


# --- noise ------------------------------------------------------------------------------------------------------------


def noise(luma: Floats) -> dict[str, float]:
    """Return the noise, in log levels, and its grain.

    Noise: log(σ + 0.1), σ = √(π/2) / 6 · mean |N|, with N the luma under [[1, -2, 1], [-2, 4, -2], [1, -2, 1]], which
    even shades and straight slopes leave at 0. Of even areas: the same with the mean of that block of 8 × 8 px which a
    tenth of all blocks is below. Grain: in the third of blocks with the least, log of the mean squared difference at
    2 px over that at 1 px: 0 for noise of single pixels, more where it was smoothed or enlarged.

    Notes
    -----
    J. Immerkær, Fast noise variance estimation, Computer Vision and Image Understanding 64(2), 1996.
    """
    across = luma[:, :-2] - 2 * luma[:, 1:-1] + luma[:, 2:]
    masked = np.abs(across[:-2] - 2 * across[1:-1] + across[2:])
    scale = np.sqrt(np.pi / 2) / 6
    local = scale * _block_means(masked)
    quiet = np.quantile(local, [0.1, 1 / 3])
    even = local <= quiet[1]
    one, two = ((luma[:, gap:] - luma[:, :-gap]) ** 2 for gap in (1, 2))
    near, far = (float(_block_means(d[: masked.shape[0], : masked.shape[1]])[even].mean()) for d in (one, two))
    return {
        "noise": float(np.log(scale * masked.mean() + 0.1)),
        "noise of even areas": float(np.log(quiet[0] + 0.1)),
        "grain of even areas": float(np.log((far + ROUNDING) / (near + ROUNDING))),
    }


def _block_means(plane: Floats) -> Floats:
    rows, columns = (side // BLOCK for side in plane.shape)
    cut = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    means: Floats = cut.mean(axis=(1, 3))
    return means


# --- border and letterbox ---------------------------------------------------------------------------------------------


def borders(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Return frames, steps beside the rim, even sides and letterboxing.

    A side is even as far in, as a share of the cover, at most 1/2, as its rows deviate by less than 8 levels in
    themselves and by less than 12 from the outermost row. Frame: the even width that all four sides have to within
    1 px, and 0 where they don't, and its lightness, 0 to 1, -1 without. Bars: the even width that two opposite sides
    have to within 2 % of the cover, less the wider of the other two; 0 if negative.

    The rim's step: of the mean difference d(k) between the k-th row and the next, k of 1 to 12, log d(k) over the
    median of d beside it (k - 3 to k + 3), the smallest over four sides, the largest over k; and that k as its depth,
    in px. The art has no line that runs round the cover at one distance, a frame has, even or not. Lightness and colour
    of the rim: of its outermost pixels, 0 to 1.
    """
    sides = (pixels, pixels[::-1], pixels.transpose(1, 0, 2), pixels.transpose(1, 0, 2)[::-1])
    px = [_even(side) for side in sides]
    top, bottom, left, right = (count / len(side) for count, side in zip(px, sides, strict=True))
    framed = max(px) - min(px) <= 1 or min(px) == len(pixels) // 2
    rim = np.concatenate([side[0] for side in sides]).astype(np.float32) @ YCC
    lightness, colour = float(rim[:, 0].mean()) / 255, float(np.hypot(rim[:, 1], rim[:, 2]).mean()) / 128
    is_frame = framed and min(px) > 0
    step, depth = _rim_step(sides)
    return {
        "frame width": min(px) / min(pixels.shape[:2]) if is_frame else 0.0,
        "frame lightness": lightness if is_frame else -1.0,
        "rim step": step,
        "rim step depth": depth,
        "even top": top,
        "even bottom": bottom,
        "even left": left,
        "even right": right,
        "rim lightness": lightness,
        "rim colour": colour,
        "bars above and below": _bars(top, bottom, max(left, right)),
        "bars left and right": _bars(left, right, max(top, bottom)),
    }


def _even(side: NDArray[np.uint8]) -> int:
    """Return how many rows from the first on are even and of its colour, at most half of them."""
    half = len(side) // 2
    for stop in (min(4, half), half):  # hardly a cover has more than a few
        rows = np.ascontiguousarray(side[:stop]).astype(np.float32)
        means = rows.mean(axis=1)  # (stop, 3)
        spread = np.sqrt(np.maximum(np.einsum("rsc,rsc->rc", rows, rows) / rows.shape[1] - means**2, 0))
        uneven = ((spread > EVEN_STD) | (np.abs(means - means[0]) > EVEN_SHIFT)).any(axis=1)
        if uneven.any():
            return int(uneven.argmax())
    return half


def _bars(one: float, other: float, beside: float) -> float:
    return max(0.0, min(one, other) - beside) if abs(one - other) <= 0.02 else 0.0


def _rim_step(sides: tuple[NDArray[np.uint8], ...]) -> tuple[float, float]:
    """Return the largest step that all sides have at one distance, as a log ratio, and that distance in px."""
    least = np.full(RIM, np.inf)
    for side in sides:
        rows = np.ascontiguousarray(side[: RIM + 4]).astype(np.float32) @ YCC[:, 0]
        change = np.abs(rows[1:] - rows[:-1]).mean(axis=1) + 1  # (15,); a level, lest calm beside calm be a step
        around = np.lib.stride_tricks.sliding_window_view(np.pad(change, (3, 0), mode="symmetric"), 7)  # (12, 7)
        least = np.minimum(least, np.log(change[:RIM] / np.sort(around, axis=1)[:, 3]))
    return float(least.max()), float(least.argmax() + 1)


# --- levels and colour ------------------------------------------------------------------------------------------------


def levels(pixels: NDArray[np.uint8], luma: Floats) -> dict[str, float]:
    """Return how the 256 levels are used.

    Grey levels: share of those that occur in the luma. Gaps: log of the mean squared second difference of the green
    channel's histogram over its mean square, levels 5 to 250: a stretched contrast or a palette leaves gaps and peaks.
    Clipped: share of pixels with a luma under 1/2, and above 254.5.

    Notes
    -----
    Gaps: M. C. Stamm and K. J. R. Liu, Forensic detection of image manipulation using statistical intrinsic
    fingerprints, IEEE Trans. Information Forensics and Security 5(3), 2010.
    """
    counts = np.bincount(np.clip(luma + 0.5, 0, 255).astype(np.uint8).ravel(), minlength=256) / luma.size
    green = np.sqrt(np.bincount(pixels[..., 1].ravel(), minlength=256)[5:251] / luma.size)
    rough = float(((green[:-2] - 2 * green[1:-1] + green[2:]) ** 2).mean())
    return {
        "grey levels": float((counts > 0).mean()),
        "gaps in the histogram": float(np.log((rough + 1e-6) / (float((green**2).mean()) + 1e-6))),
        "clipped black": float(counts[0]),
        "clipped white": float(counts[255]),
    }


def grey(blue: Floats, red: Floats) -> dict[str, float]:
    """Return the mean distance from grey, 0 to 1 of 128, and 1 where 99 of 100 pixels are within 4 levels of it."""
    distance = np.hypot(blue, red)
    return {"colour": float(distance.mean()) / 128, "monochrome": float((distance > 4).mean() <= 0.01)}


# --- pixels and the kept file -----------------------------------------------------------------------------------------


def _at_least(pixels: NDArray[np.uint8], least: int) -> NDArray[np.uint8]:
    """Return the pixels, mirrored below and to the right until both sides have as many as needed."""
    if min(pixels.shape[:2]) >= least:
        return pixels
    missing = [(0, max(0, least - side)) for side in pixels.shape[:2]]
    return np.pad(pixels, [*missing, (0, 0)], mode="symmetric")


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return at most 512 × 512 px from the middle, cut along the borders of blocks."""
    cuts = []
    for side in pixels.shape[:2]:
        start = max(0, side - MAX_PX) // 2 // BLOCK * BLOCK
        cuts.append(slice(start, min(side, start + MAX_PX)))
    return pixels[cuts[0], cuts[1]]


def _read(path: Path) -> dict[str, Floats]:
    if not path.exists():
        return {}
    try:
        # numpy leaves a damaged file open that it has opened itself
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            rows = kept["traces"]
            return dict(zip(kept["digests"].tolist(), rows, strict=True)) if rows.shape[1:] == (len(NAMES),) else {}
    except DAMAGED:  # a cache that can't be read is made again
        return {}


def _write(path: Path, known: Mapping[str, Floats]) -> None:
    if not os.access(path.parent if path.parent.exists() else path.parent.parent, os.W_OK):
        return  # a dataset on a read-only disk can be audited all the same
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, digests=np.array(list(known)), traces=np.stack(list(known.values())))
