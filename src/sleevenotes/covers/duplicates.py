"""Near-duplicates: the same cover in another size, compression, crop, border or shade, or with a sticker on it.

Two steps, so that ten thousand covers take seconds and two covers of one design are still told apart:

1. *A perceptual hash finds candidates.* Of the luma, 255 low frequencies of a cosine transform, one bit each (is the
   coefficient positive?), for the whole cover, for three centre crops of it and without its border. Two covers are
   candidates where few bits differ between the whole cover (or what its border frames) of one and any of these windows
   of the other; so a crop and a border find what they were made from.
2. *A pixel comparison decides.* One thumbnail is laid over the other as exactly as scale and shift allow, with a gain
   and an offset for each colour, and compared block by block. An eighth of the blocks may disagree (a sticker), but
   where there is structure, structure must agree: covers that are merely both black, or share a frame, do not.

Sources: the cosine hash is that of B. Coskun and B. Sankur, "Robust video hash extraction", Proc. IEEE SIU 2004, in the
form measured by C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010 ("pHash"), with
four times its bits and zero for their threshold; the alignment is that of B. Lucas and T. Kanade, "An iterative image
registration technique", IJCAI 1981, with robust weights; how far a block's structure agrees is the contrast–structure
term of SSIM, Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Trans.
Image Processing 13(4), 2004, equations 9 and 10.

A *thumbnail* is a cover squeezed to a square, (S, S, 3) uint8; the thresholds were chosen by eye on real covers at
S = 64. A *window* is (left, top, right, bottom) in shares of a cover's sides, (0, 0, 1, 1) for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Thumbnails = NDArray[np.uint8]  # (n, S, S, 3)
Floats = NDArray[np.float32]
Windows = NDArray[np.float64]  # (n, 4)
Words = NDArray[np.uint64]
Progress = Callable[[int, int], None]  # (done, total)

SIZE_PX = 64
FREQUENCIES = 16  # by 16, less the mean: 255 bits
WORDS = FREQUENCIES**2 // 64
CROPS = (0.025, 0.05, 0.075)  # off each side
MAX_BORDER = 0.3  # of a side
MAX_DISTANCE = 80  # bits of 255; two covers drawn at random differ in 127 ± 8
SURE_DISTANCE = 50
MIN_SIMILARITY = (0.62, 0.85)  # up to SURE_DISTANCE, and at MAX_DISTANCE
MIN_OVERLAP = 0.65  # of either cover's area: 8 % off each side leave 0.71
MAX_COLOR = 30.0  # of 255, mean over blocks, after gain and offset
MAX_SHIFT = 70.0  # of 255, of a colour's mean, before them
BLOCKS = 8  # by 8, over the thumbnail
STICKER = 1 / 8  # of the blocks
FLAT = 2.0  # of 255: a block whose luma deviates less has no structure
BUSY = 25.0  # of 255: a block counts no more than with this
LITTLE_STRUCTURE = 150.0  # six busy blocks: a line of type or a sticker that many covers bear
NOISE = 9.0  # variance that JPEG makes by itself
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
BATCH = 256  # pairs compared at once: 10 MB an array


class Pair(NamedTuple):
    """Two covers that are the same picture.

    Attributes
    ----------
    a, b
        Their indices, a < b.
    distance
        How many of 255 bits of the perceptual hash differ, 0 to 80.
    similarity
        How far their structure agrees after alignment, sticker left out: 0.62 to 1; 1 for equal thumbnails.
    """

    a: int
    b: int
    distance: int
    similarity: float


def find(thumbnails: Thumbnails, *, progress: Progress | None = None) -> list[Pair]:
    """Find the pairs of near-duplicates among n covers.

    Every cluster of near-duplicates is told by pairs enough to join it. Where it is large not every pair within it is
    compared: a pair that other pairs have joined already is left out.

    Parameters
    ----------
    thumbnails
        (n, S, S, 3) uint8, S a multiple of 8 and at least 32. A memory map will do.
    progress
        Called with the number of comparisons done and their total, at times.

    Returns
    -------
    list of Pair
        By a, then b.

    Raises
    ------
    ValueError
        Where the thumbnails are no such array.

    Notes
    -----
    Time grows with n² for the hashes (6 s for 10,000 covers on one core) and with the number of candidates for the rest
    (3 ms each). Covers without any structure, such as plain black ones, are near-duplicates only where all pixels of
    their thumbnails are equal, since nothing else could tell them apart. What differs in small type alone, such as two
    records of one label, or two of a series with another number, is taken for the same cover with a sticker.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> covers = rng.integers(0, 256, (3, 16, 16, 3)).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
    >>> covers[2] = covers[0] // 2 + 60
    >>> [(pair.a, pair.b) for pair in find(covers)]
    [(0, 2)]
    """
    _check(thumbnails)
    firsts, equal = _equal(thumbnails)
    pairs = [Pair(a, b, 0, 1.0) for a, b in equal]
    left, right, distances, windows = _candidates(thumbnails, firsts)
    roots = Components(len(thumbnails))
    for start in range(0, len(left), BATCH):
        part = np.arange(start, min(start + BATCH, len(left)))
        part = part[[roots.find(int(left[i])) != roots.find(int(right[i])) for i in part]]
        if len(part):
            similar = _compare(thumbnails[left[part]], thumbnails[right[part]], windows[part], distances[part])
            for i, similarity in zip(part, similar, strict=True):
                if similarity > 0:
                    a, b = sorted((int(left[i]), int(right[i])))
                    roots.join(a, b)
                    pairs.append(Pair(a, b, int(distances[i]), round(float(similarity), 4)))
        if progress:
            progress(min(start + BATCH, len(left)), len(left))
    return sorted(pairs)


class Components:
    """Connected components of n things, joined two at a time (union–find with path halving).

    Examples
    --------
    >>> parts = Components(4)
    >>> parts.join(0, 2)
    >>> parts.members()
    [[0, 2], [1], [3]]
    """

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, i: int) -> int:
        """Return the component's first member."""
        parent = self._parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        """Make one component of those of i and j."""
        a, b = self.find(i), self.find(j)
        self._parent[max(a, b)] = min(a, b)

    def members(self) -> list[list[int]]:
        """Return every component's members, both in order."""
        found: dict[int, list[int]] = {}
        for i in range(len(self._parent)):
            found.setdefault(self.find(i), []).append(i)
        return list(found.values())


def clusters(n: int, pairs: Iterable[Pair]) -> list[list[int]]:
    """Return the covers that pairs join, two or more each: connected components in order.

    Examples
    --------
    >>> clusters(5, [Pair(0, 3, 9, 0.9), Pair(3, 4, 2, 0.9)])
    [[0, 3, 4]]
    """
    parts = Components(n)
    for pair in pairs:
        parts.join(pair.a, pair.b)
    return [members for members in parts.members() if len(members) > 1]


def hashes(luma: Floats, windows: Windows) -> Words:
    """Return the perceptual hash of one window of each cover.

    The bits are the signs of the 16 × 16 lowest frequencies, less the mean, of the two-dimensional cosine transform
    (type II) of the luma in the window, averaged to 32 × 32 px. Brighter or of more contrast, a cover has the same.

    Parameters
    ----------
    luma
        (n, S, S).
    windows
        (n, 4), or (1, 4) for all.

    Returns
    -------
    (4, n) uint64
        A word a row, so that what is compared lies together in memory.
    """
    bits = spectra(luma, windows) > 0
    bits[:, 0] = False  # the mean, which is always positive
    return np.ascontiguousarray(np.packbits(bits, axis=1).view(np.uint64).T)


def spectra(luma: Floats, windows: Windows) -> Floats:
    """Return the 16 × 16 lowest frequencies, (n, 256), of one window of each cover; `hashes` keeps their signs.

    Parameters
    ----------
    luma, windows
        As for `hashes`.
    """
    size = luma.shape[1]
    cosines = _cosines(32, FREQUENCIES)
    across = cosines @ _averaging(windows[:, 0], windows[:, 2], size, 32)  # (n, 16, S)
    down = cosines @ _averaging(windows[:, 1], windows[:, 3], size, 32)
    spectrum: Floats = down @ luma @ across.swapaxes(1, 2)  # (n, 16, 16)
    return spectrum.reshape(len(luma), FREQUENCIES**2)


def _check(thumbnails: Thumbnails) -> None:
    shape = thumbnails.shape
    if thumbnails.dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise ValueError(f"thumbnails: {thumbnails.dtype} {shape}. Expected uint8 (n, S, S, 3).")
    if shape[1] < 32 or shape[1] % BLOCKS:
        raise ValueError(f"thumbnails: {shape[1]} px. Expected a multiple of {BLOCKS}, at least 32.")


def _equal(thumbnails: Thumbnails) -> tuple[NDArray[np.intp], list[tuple[int, int]]]:
    """Return the first of each set of equal thumbnails, and pairs of it with the others."""
    seen: dict[bytes, int] = {}
    pairs = []
    for i, thumbnail in enumerate(thumbnails):
        first = seen.setdefault(thumbnail.tobytes(), i)
        if first != i:
            pairs.append((first, i))
    return np.fromiter(seen.values(), np.intp, len(seen)), pairs


# Step 1: candidates -----------------------------------------------------------------------------------------------


def _candidates(
    thumbnails: Thumbnails, chosen: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64], Windows]:
    """Return left and right covers, (m,) each, their distance, and the window of left that shows what right shows.

    Nearest first; each pair once, with its nearest windows.
    """
    covers, words, windows, reference = _hashed(thumbnails, chosen)
    targets = np.flatnonzero(reference)
    found: dict[tuple[int, int], tuple[int, int, int]] = {}
    for rows, columns, distances in _near(words, words[:, targets]):
        for i, j, distance in zip(rows.tolist(), targets[columns].tolist(), distances.tolist(), strict=True):
            a, b = int(covers[i]), int(covers[j])
            if a == b:
                continue
            key = (min(a, b), max(a, b))
            if key not in found or (distance, i, j) < found[key]:
                found[key] = (distance, i, j)
    nearest = np.array(sorted(found.values()), np.int64).reshape(-1, 3)
    i, j = nearest[:, 1], nearest[:, 2]
    return covers[i], covers[j], nearest[:, 0], _relative(windows[i], windows[j])


def _hashed(
    thumbnails: Thumbnails, chosen: NDArray[np.intp]
) -> tuple[NDArray[np.intp], Words, Windows, NDArray[np.bool_]]:
    """Return for each hashed window its cover, hash, window, and whether it is the whole of what there is to see."""
    takes = []
    for start in range(0, len(chosen), 1024):
        part = chosen[start : start + 1024]
        some = thumbnails[part]
        luma = some @ LUMA
        shown = framed(some)
        bordered = (shown != (0, 0, 1, 1)).any(axis=1)
        for crop in (0.0, *CROPS):
            window = np.array([[crop, crop, 1 - crop, 1 - crop]])
            repeated = window.repeat(len(part), axis=0)
            takes.append((part, hashes(luma, window), repeated, np.full(len(part), crop == 0)))
        window = shown[bordered]
        takes.append((part[bordered], hashes(luma[bordered], window), window, np.full(len(window), True)))
    if not takes:
        return np.zeros(0, np.intp), np.zeros((WORDS, 0), np.uint64), np.zeros((0, 4)), np.zeros(0, bool)
    covers, words, windows, whole = zip(*takes, strict=True)
    return np.concatenate(covers), np.concatenate(words, axis=1), np.concatenate(windows), np.concatenate(whole)


def _near(
    words: Words, targets: Words, block: int = 128
) -> Iterable[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]]:
    """Yield rows, columns and distances of the hashes that differ in at most MAX_DISTANCE bits."""
    for start in range(0, words.shape[1], block):
        part = words[:, start : start + block, None]
        distance = np.bitwise_count(part[0] ^ targets[0])  # at most 255 bits in all: uint8 holds them
        for word, target in zip(part[1:], targets[1:], strict=True):
            distance += np.bitwise_count(word ^ target)
        rows, columns = np.nonzero(distance <= MAX_DISTANCE)
        yield rows + start, columns, distance[rows, columns]


def framed(thumbnails: Thumbnails) -> Windows:
    """Return the window within each cover's border, (n, 4): what is left without even rows and columns at its sides."""
    size = thumbnails.shape[1]
    most = int(MAX_BORDER * size)
    edges = []
    for turned in (thumbnails.swapaxes(1, 2), thumbnails):  # columns, then rows
        for lines in (turned[:, :most], turned[:, ::-1][:, :most]):  # (n, most, S, 3)
            color = np.median(lines[:, 0], axis=1)[:, None, None, :].astype(np.float32)
            edge = np.zeros(len(lines), np.intp)
            begun = np.flatnonzero(_even(lines[:, :1], color)[:, 0])  # the others have no border at this side
            even = _even(lines[begun], color[begun])
            edge[begun] = np.where(even.all(axis=1), 0, np.argmin(even, axis=1))  # all even: no picture to frame
            edges.append(edge)
    left, right, top, bottom = (edge / size for edge in edges)
    return np.stack([left, top, 1 - right, 1 - bottom], axis=1)


def _even(lines: Thumbnails, color: Floats) -> NDArray[np.bool_]:
    """Return which of some rows or columns, (n, m, S, 3), are of one colour, (n, m)."""
    even: NDArray[np.bool_] = (np.abs(lines - color).max(axis=3) < 24).mean(axis=2) > 0.97
    return even


def _relative(a: Windows, b: Windows) -> Windows:
    """Return the window of the first cover that shows what all of the second shows, where `a` and `b` show the same."""
    scale = (a[:, 2:] - a[:, :2]) / (b[:, 2:] - b[:, :2])
    start = a[:, :2] - scale * b[:, :2]
    return np.concatenate([start, start + scale], axis=1)


def _cosines(n: int, k: int) -> Floats:
    """Return the first k rows of the cosine transform of type II, (k, n)."""
    cosines: Floats = np.cos(np.pi * np.arange(k)[:, None] * (np.arange(n) + 0.5) / n).astype(np.float32)
    return cosines


def _averaging(low: Windows, high: Windows, size: int, m: int) -> Floats:
    """Return matrices (n, m, size) that average the pixels from `low` to `high` to m of equal width."""
    edges = (low[:, None] + (high - low)[:, None] * np.linspace(0, 1, m + 1)) * size
    before, after = edges[:, :-1, None], edges[:, 1:, None]
    pixels = np.arange(size)
    shares = np.clip(np.minimum(after, pixels + 1) - np.maximum(before, pixels), 0, None)
    averaging: Floats = (shares / (after - before)).astype(np.float32)
    return averaging


# Step 2: decision -------------------------------------------------------------------------------------------------


def _compare(
    left: Thumbnails, right: Thumbnails, windows: Windows, distances: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the similarity of each pair, (m,), 0 where it is not enough.

    `windows` of the left covers show roughly what all of the right ones show.
    """
    colors_left, colors_right = left.astype(np.float32), right.astype(np.float32)
    windows = _aligned(colors_left @ LUMA, colors_right @ LUMA, windows)
    similarity, enough = _agreement(colors_left, colors_right, windows)
    low, high = MIN_SIMILARITY
    doubt = np.clip((distances - SURE_DISTANCE) / (MAX_DISTANCE - SURE_DISTANCE), 0, 1)
    return np.where(enough & (similarity >= low + (high - low) * doubt), similarity, 0.0)


def _aligned(left: Floats, right: Floats, windows: Windows) -> Windows:
    """Return the windows of left that show best what right shows: Gauss–Newton on their four edges, coarse then fine.

    left, right: (m, S, S) luma.
    """
    size = left.shape[1]
    windows = windows.copy()
    for grid, blur, steps in ((size // 2, 3.0, 5), (size, 1.5, 4)):
        u = ((np.arange(grid) + 0.5) / grid).astype(np.float32)
        target = _sampled(right, np.tile([0.0, 0.0, 1.0, 1.0], (1, 1)), grid, blur)[0].reshape(len(right), -1)
        for _ in range(steps):
            shown, mask = _sampled(left, windows, grid, blur)  # (m, grid, grid)
            weights = mask.reshape(len(left), -1)
            gain, offset = _gain(shown.reshape(len(left), -1), target, weights, (0.5, 2.0))
            residual = target - gain[:, None] * shown.reshape(len(left), -1) - offset[:, None]
            weights = weights * _trust(residual, 1.5)
            slope_y, slope_x = np.gradient(shown, axis=(1, 2))
            slope_x *= (gain * grid / (windows[:, 2] - windows[:, 0]))[:, None, None].astype(np.float32)
            slope_y *= (gain * grid / (windows[:, 3] - windows[:, 1]))[:, None, None].astype(np.float32)
            edges = (slope_x * (1 - u), slope_y * (1 - u)[:, None], slope_x * u, slope_y * u[:, None])
            jacobian = np.stack([*edges, shown, np.ones_like(shown)], axis=1).reshape(len(left), 6, -1)
            weighted = jacobian * weights[:, None]
            normal = (weighted @ jacobian.swapaxes(1, 2)).astype(np.float64)
            normal += np.diag([1, 1, 1, 1, 1e-6, 1e-6]) * 20 * grid**2  # flat covers stay where they are
            moment = (weighted @ residual[:, :, None]).astype(np.float64)
            windows += np.clip(np.linalg.solve(normal, moment)[:, :4, 0], -0.03, 0.03)
    return windows


def _agreement(left: Floats, right: Floats, windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how far structure agrees, (m,), and whether overlap, colours and amount of structure allow a decision."""
    size = left.shape[1]
    shown = np.stack([_sampled(left[..., c], windows, size, 1.0)[0] for c in range(3)], axis=-1)
    mask = _sampled(left[..., 0], windows, size, 1.0)[1]
    fitted, shift = _recolored(shown, right, mask)
    seen = _blocks(mask).mean(axis=2) > 0.99  # (m, 64)
    a, b = _blocks(fitted @ LUMA), _blocks(right @ LUMA)
    a, b = a - a.mean(axis=2, keepdims=True), b - b.mean(axis=2, keepdims=True)
    variance_a, variance_b, covariance = (a * a).mean(axis=2), (b * b).mean(axis=2), (a * b).mean(axis=2)
    agreement = (2 * covariance + NOISE) / (variance_a + variance_b + NOISE)
    deviation = np.sqrt(np.maximum(variance_a, variance_b))
    weight = np.where(seen & (deviation >= FLAT), np.minimum(deviation, BUSY), 0)
    color = np.abs(_blocks(fitted).mean(axis=2) - _blocks(right).mean(axis=2)).max(axis=-1) * seen
    kept = seen & ~_sticker(weight * (1 - agreement) + color / 2, weight, seen)
    weight_kept = weight * kept
    similarity = (weight_kept * agreement).sum(axis=1) / np.maximum(weight_kept.sum(axis=1), 1e-6)
    structure = weight.sum(axis=1)
    area = np.prod(windows[:, 2:] - windows[:, :2], axis=1)
    overlap = mask.mean(axis=(1, 2)) * np.minimum(1, area)
    enough = (overlap >= MIN_OVERLAP) & (shift <= MAX_SHIFT) & (structure > 0)
    enough &= (color * kept).sum(axis=1) <= MAX_COLOR * np.maximum(kept.sum(axis=1), 1)
    enough &= (structure >= LITTLE_STRUCTURE) | (similarity >= 0.9)
    return similarity.astype(np.float64), enough


def _sticker(badness: Floats, weight: Floats, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the worst blocks, (m, 64): an eighth of those seen at most, and at most a third of all structure."""
    order = np.argsort(-badness, axis=1, kind="stable")
    lost = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    rank = np.arange(weight.shape[1])
    worst = (rank < STICKER * seen.sum(axis=1, keepdims=True)) & (lost <= weight.sum(axis=1, keepdims=True) / 3)
    sticker = np.zeros_like(seen)
    np.put_along_axis(sticker, order, worst, axis=1)
    return sticker


def _recolored(shown: Floats, right: Floats, mask: Floats) -> tuple[Floats, Floats]:
    """Return `shown` in the colours of `right` (a gain and an offset each), and how far their means lie apart, (m,)."""
    m = len(shown)
    a, b, weights = shown.reshape(m, -1, 3), right.reshape(m, -1, 3), mask.reshape(m, -1)
    area = np.maximum(weights.sum(axis=1), 1)[:, None]
    shift = np.abs(((a - b) * weights[:, :, None]).sum(axis=1) / area).max(axis=1)
    trusted = weights
    for _ in range(3):
        gains = [_gain(a[..., c], b[..., c], trusted, (0.6, 1.7)) for c in range(3)]
        fitted = np.stack([g[:, None] * a[..., c] + o[:, None] for c, (g, o) in enumerate(gains)], axis=-1)
        trusted = weights * _trust(np.abs(fitted - b).mean(axis=-1), 2.0)
    return fitted.reshape(shown.shape), shift


def _sampled(pictures: Floats, windows: Windows, grid: int, blur: float) -> tuple[Floats, Floats]:
    """Return the windows' pixels on a grid, and 1 where they lie within the picture, (m, grid, grid) each.

    Triangular kernels, `blur` px of the picture wide on either side; 1 is linear interpolation. One window serves all.
    """
    across, inside_x = _kernels(windows[:, 0], windows[:, 2], pictures.shape[1], grid, blur)
    down, inside_y = _kernels(windows[:, 1], windows[:, 3], pictures.shape[1], grid, blur)
    mask: Floats = (inside_y[:, :, None] & inside_x[:, None, :]).astype(np.float32)
    return (down @ pictures @ across.swapaxes(1, 2)).astype(np.float32, copy=False), mask


def _kernels(low: Windows, high: Windows, size: int, grid: int, blur: float) -> tuple[Floats, NDArray[np.bool_]]:
    centres = (low[:, None] + (high - low)[:, None] * (np.arange(grid) + 0.5) / grid) * size - 0.5
    inside = (centres >= -0.5) & (centres <= size - 0.5)
    distance = np.abs(np.clip(centres, 0, size - 1)[:, :, None].astype(np.float32) - np.arange(size, dtype=np.float32))
    kernels: Floats = np.maximum(np.float32(0), np.float32(1) - distance / np.float32(blur)).astype(np.float32)
    kernels /= kernels.sum(axis=2, keepdims=True)
    return kernels, inside


def _gain(x: Floats, y: Floats, weights: Floats, limits: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return gain and offset, (m,), that take x to y, (m, p), by weighted least squares; the gain is held to limits."""
    total = weights.sum(axis=1) + 1e-6
    mean_x, mean_y = (weights * x).sum(axis=1) / total, (weights * y).sum(axis=1) / total
    about = weights * (x - mean_x[:, None])
    covariance, variance = (about * (y - mean_y[:, None])).sum(axis=1), (about * (x - mean_x[:, None])).sum(axis=1)
    gain = np.clip(covariance / (variance + total), *limits)
    return gain, mean_y - gain * mean_x


def _trust(residual: Floats, scale: float) -> Floats:
    """Return Cauchy weights, (m, p): small where a residual is large for its picture, as under a sticker."""
    spread: Floats = np.float32(scale) * np.median(np.abs(residual), axis=1, keepdims=True) + np.float32(4)
    trust: Floats = np.float32(1) / (np.float32(1) + np.square(residual / spread))
    return trust


def _blocks(pictures: Floats) -> Floats:
    """Cut (m, S, S, ...) into (m, 64, pixels, ...)."""
    m, size = pictures.shape[:2]
    side = size // BLOCKS
    cut = pictures.reshape(m, BLOCKS, side, BLOCKS, side, *pictures.shape[3:]).swapaxes(2, 3)
    return cut.reshape(m, BLOCKS**2, side**2, *pictures.shape[3:])
