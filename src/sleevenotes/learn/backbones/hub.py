"""Networks of the Hugging Face hub as backbones: DINOv2, SigLIP, CLIP and ConvNeXt (extra `hub`).

A network is a folder as `save_pretrained` writes it: `config.json`, `model.safetensors` (or `pytorch_model.bin`, which
is read without running code from it), and `preprocessor_config.json`, which tells how pixels are normalised. It is
looked for in the folder given with `--weights`, below `SLEEVENOTES_WEIGHTS` by the backbone's name, and in the hub's
own cache under the revision that the registry names; only then is it fetched. Of networks that see and read, such as
CLIP, only the half that sees is built.

**Features** are what each family calls its pooled output: of DINOv2 and CLIP the class token behind the last layer
norm, of SigLIP the attention pooling of its tokens, of ConvNeXt the layer norm of the last map's mean. The last map,
for readings on a grid (`learn.readings`), is that of the patches, without any other token.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleevenotes.covers.schema import read_json
from sleevenotes.errors import WeightsError
from sleevenotes.learn.backbones.registry import NORMALISATIONS, Backbone, Channels
from sleevenotes.learn.onnx import first_line

if TYPE_CHECKING:
    from sleevenotes.learn.cover_network import CoverNetwork

CONFIG_NAME = "config.json"
PREPROCESSOR_NAME = "preprocessor_config.json"
WEIGHTS_NAMES = ("model.safetensors", "pytorch_model.bin")  # the first one found
INSTALL = "Install it with pip install 'sleevenotes[hub]'"
FOLDER_CURE = "name its folder with --weights FOLDER (or lay it where SLEEVENOTES_WEIGHTS says, as {name}/)"
SEEING = {"clip": "CLIPVisionModel", "siglip": "SiglipVisionModel"}
FAMILIES = ("dinov2", "convnext", "clip", "clip_vision_model", "siglip", "siglip_vision_model")


def cache_folder() -> Path:
    """Return the hub's own cache, as its library finds it."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")


def on_disk(backbone: Backbone, folders: Sequence[Path]) -> Path | None:
    """Return the folder of a network that is on this machine: in one of these folders, or in the hub's cache."""
    cached = cache_folder() / f"models--{backbone.hub.replace('/', '--')}"
    named = cached / "refs" / backbone.revision  # where a revision is a name, the commit that it stands for
    commit = named.read_text(encoding="utf-8").strip() if named.is_file() else backbone.revision
    for folder in (*(folder / backbone.name for folder in folders), cached / "snapshots" / commit):
        if (folder / CONFIG_NAME).is_file() and any((folder / name).is_file() for name in WEIGHTS_NAMES):
            return folder
    return None


def weights_file(folder: Path, backbone: Backbone) -> Path:
    """Return the file of weights in a network's folder.

    Raises
    ------
    WeightsError
        Where the folder holds no network.
    """
    for name in WEIGHTS_NAMES:
        if (folder / CONFIG_NAME).is_file() and (folder / name).is_file():
            return folder / name
    found = f"no {CONFIG_NAME} with {' or '.join(WEIGHTS_NAMES)}" if folder.is_dir() else "no such folder"
    cure = "Name the folder that save_pretrained or the hub made with --weights FOLDER"
    raise WeightsError(str(folder), found, f"the folder of {backbone.name}", cure)


def fetch(backbone: Backbone, say: Callable[[str], None]) -> Path:
    """Fetch a network into the hub's own cache, whose library goes on where it was broken off; return its folder.

    Raises
    ------
    WeightsError
        Where it can't be fetched, or the extra `hub` is not installed.
    """
    cure = FOLDER_CURE.format(name=backbone.name)
    missing = "its weights are not on this machine, and "
    try:
        from huggingface_hub import snapshot_download
    except ImportError as cause:
        found = missing + "the library that fetches them, huggingface_hub, is not installed"
        raise WeightsError(f"backbone {backbone.name}", found, cure=f"{INSTALL}, or {cure}") from cause
    say(f"fetching {backbone.name} from {backbone.source}, revision {backbone.revision}")
    try:
        for name in WEIGHTS_NAMES:
            wanted = [CONFIG_NAME, PREPROCESSOR_NAME, name]
            folder = Path(snapshot_download(backbone.hub, revision=backbone.revision, allow_patterns=wanted))
            if (folder / name).is_file():
                return folder
    except Exception as cause:  # the library raises what its own HTTP client raises, and classes of its own
        found = missing + f"{backbone.source} can't be fetched ({first_line(cause)})"
        raise WeightsError(f"backbone {backbone.name}", found, cure=f"Connect to the network, or {cure}") from cause
    raise WeightsError(backbone.source, "no weights there", " or ".join(WEIGHTS_NAMES), cure[0].upper() + cure[1:])


def load(folder: Path, backbone: Backbone) -> CoverNetwork:
    """Build a network of its folder, every parameter of it.

    Raises
    ------
    WeightsError
        Where transformers is not installed; where the folder can't be read, holds a network of another family, or not
        all of its parameters.
    """
    weights_file(folder, backbone)
    try:
        import transformers
    except ImportError as cause:
        found = "it needs transformers, which is not installed"
        raise WeightsError(f"backbone {backbone.name}", found, cure=INSTALL) from cause
    from sleevenotes.learn.backbones.hub_network import HubNetwork

    family = _read(folder / CONFIG_NAME).get("model_type", "")
    if family not in FAMILIES:
        raise WeightsError(str(folder), f"a network of the family '{family}'", f"One of {', '.join(FAMILIES)}")
    kind = getattr(transformers, SEEING.get(family, "AutoModel"))
    network, told = _quietly(lambda: kind.from_pretrained(folder, local_files_only=True, **_LOADING), folder)
    if told["missing_keys"] or told["mismatched_keys"]:
        found = (
            f"{len(told['missing_keys']) + len(told['mismatched_keys'])} of its parameters missing or of other shapes"
        )
        raise WeightsError(str(folder), found, f"all parameters of {backbone.name}")
    return HubNetwork(network, *normalising_of(folder, backbone))


# attention is written out, so that its ONNX form has no part that only some machines know
_LOADING: dict[str, Any] = {"output_loading_info": True, "attn_implementation": "eager", "dtype": "float32"}


def normalising_of(folder: Path, backbone: Backbone) -> tuple[Channels, Channels]:
    """Return mean and deviation as a network's folder tells them, or else the registry."""
    path = folder / PREPROCESSOR_NAME
    told = _read(path) if path.is_file() else {}
    mean, deviation = told.get("image_mean"), told.get("image_std")
    if not mean or not deviation:
        return NORMALISATIONS[backbone.normalise]
    return tuple(mean), tuple(deviation)


def _read(path: Path) -> dict[str, Any]:
    return read_json(path, dict[str, Any], WeightsError, "Fetch the network again")


def _quietly(build: Callable[[], Any], folder: Path) -> Any:
    """Return what is built, without the bars and the reports of the library; its errors are told in a sentence."""
    from transformers.utils import logging as reports

    logger = logging.getLogger("transformers")
    level, bars = logger.level, reports.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    reports.disable_progress_bar()
    try:
        return build()
    except Exception as cause:  # what a damaged file raises depends on the byte that is damaged
        raise WeightsError(str(folder), f"can't be read ({first_line(cause)})", "a network of the hub") from cause
    finally:
        logger.setLevel(level)
        if bars:
            reports.enable_progress_bar()
