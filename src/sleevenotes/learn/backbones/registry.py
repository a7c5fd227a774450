"""The backbones that are known: what each takes, where its weights come from, and how it did here.

`docs/backbones.md` shows this registry as a table, and `sleevenotes backbones` prints it with what is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from sleevenotes.errors import WeightsError, did_you_mean

Channels = tuple[float, float, float]

# mean and deviation, of channels in 0..1, by which a network wants its pixels normalised
NORMALISATIONS: dict[str, tuple[Channels, Channels]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "minus-one-one": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "zero-one": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "none": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),  # 0..255, as the pixels are
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}


@dataclass(frozen=True)
class Training:
    """One training of a backbone: a file of weights that somebody published.

    Parameters
    ----------
    name
        What a model that uses it records.
    file_name
        What the file is called.
    sha256_prefix
        The first eight or more digits of the file's SHA-256.
    url
        Where it is published; None where only the file itself goes round.
    """

    name: str
    file_name: str
    sha256_prefix: str
    url: str | None = None


@dataclass(frozen=True)
class Backbone:
    """A pretrained network: how it is built, and the trainings of it that are known, the preferred one first.

    Parameters
    ----------
    name
        As in `learn.imagenet`, of an ONNX file, or of a model on the hub.
    size_px
        Width and height of the covers that it was trained for.
    features
        D.
    licence
        Of the weights.
    trainings
        Files of weights; none for a model on the hub.
    last_layer
        How the names of those parameters begin that are left out.
    sizes_px
        The smallest and the largest covers that it takes; None where there is no largest.
    normalise
        A name of `NORMALISATIONS`.
    parameters
        How many numbers it learnt, without its last layer.
    layers
        Those that are worth reading besides the last map (`learn.readings`), the last one included.
    hub
        Id of the model on the hub; empty where it comes from elsewhere.
    revision
        Commit of the model on the hub.
    """

    name: str
    size_px: int
    features: int
    licence: str
    trainings: tuple[Training, ...]
    last_layer: str = "classifier."
    sizes_px: tuple[int, int | None] = (32, None)
    normalise: str = "imagenet"
    parameters: int = 0
    layers: tuple[str, ...] = ()
    hub: str = ""
    revision: str = ""

    @property
    def source(self) -> str:
        """Where its weights come from: an address, a hub id, or the name of a file that goes round."""
        if self.hub:
            return f"https://huggingface.co/{self.hub}"
        return next((training.url for training in self.trainings if training.url), "") or self.trainings[0].file_name

    @property
    def digest(self) -> str:
        """Which weights are meant: the revision on the hub, or how the SHA-256 of each training's file begins."""
        return self.revision[:12] or ", ".join(training.sha256_prefix for training in self.trainings)


@dataclass(frozen=True)
class Standing:
    """How a frozen backbone did under a logistic head (`benchmarks/backbones.py`).

    Parameters
    ----------
    accuracy, low, high
        On the test covers of five-genres, pooled over folds, with its 95 % interval.
    covers_per_s
        Features of so many covers in a second of one core's time, by the ONNX form.
    """

    accuracy: float
    low: float
    high: float
    covers_per_s: int


_ADDRESS = "https://download.pytorch.org/models/"
_TORCHVISION = "BSD-3-Clause (torchvision)"
_AND_WEBNN = "BSD-3-Clause (torchvision), Apache-2.0 (WebNN)"


def _published(name: str, prefix: str, version: int = 1) -> Training:
    """Return a training that torchvision publishes."""
    file_name = f"{name}-{prefix}.pth"
    return Training(f"torchvision IMAGENET1K_V{version}", file_name, prefix, _ADDRESS + file_name)


def _resnet(name: str, features: int, parameters: int, *trainings: Training) -> Backbone:
    """Return a residual network, of which the last three stages are worth reading."""
    stages = ("layer2", "layer3", "layer4")
    return Backbone(
        name, 224, features, _TORCHVISION, trainings, last_layer="fc.", parameters=parameters, layers=stages
    )


_OWN = (
    Backbone(
        "alexnet",
        224,
        4096,
        _TORCHVISION,
        (_published("alexnet-owt", "7be5be79"),),
        last_layer="classifier.6.",
        sizes_px=(63, None),  # of smaller ones its third pooling has nothing left
        parameters=57_003_840,
        layers=("features.12", "classifier.2", "classifier.5"),
    ),
    _resnet("resnet18", 512, 11_176_512, _published("resnet18", "f37072fd")),
    _resnet("resnet34", 512, 21_284_672, _published("resnet34", "b627a593")),
    _resnet("resnet152", 2048, 58_143_808, _published("resnet152", "394f9c45"), _published("resnet152", "f82ba261", 2)),
    Backbone(
        "squeezenet1_1",
        224,
        512,
        _AND_WEBNN,
        (
            _published("squeezenet1_1", "b8a52dc0"),
            Training("WebNN ImageNet", "squeezenet1_1.safetensors", "c64ee0f7"),
        ),
        parameters=722_496,
        layers=("features.4", "features.7", "features.12"),
    ),
    Backbone(
        "mobilenet_v2",
        224,
        1280,
        _AND_WEBNN,
        (
            _published("mobilenet_v2", "7ebf99e0", 2),
            _published("mobilenet_v2", "b0353104"),
            Training("WebNN ImageNet", "mobilenet_v2.safetensors", "504155f5"),
        ),
        parameters=2_223_872,
        layers=("features.6", "features.13", "features.18"),
    ),
    Backbone(
        "mobilenet_edgetpu",
        224,
        1280,
        "Apache-2.0 (MLCommons)",
        (Training("MLCommons ImageNet", "mobilenet_edgetpu.onnx", "11b92627"),),
        sizes_px=(224, 224),  # as its graph has it
        normalise="minus-one-one",
        parameters=2_790_992,
        layers=("t102", "t156", "t191_act"),
    ),
)

_APACHE, _MIT = "Apache-2.0", "MIT"


def _on_hub(
    name: str, hub: str, revision: str, *, licence: str, size: tuple[int, int, int], normalise: str
) -> Backbone:
    """Return a network of the hub; `size` is that of its covers, of its features, and of its parameters."""
    size_px, features, parameters = size
    return Backbone(
        name,
        size_px,
        features,
        licence,
        (),
        sizes_px=(size_px, size_px),  # others would want the places of its patches told anew
        normalise=normalise,
        parameters=parameters,
        hub=hub,
        revision=revision,
    )


_HUB = (
    _on_hub(
        "dinov2_small",
        "facebook/dinov2-small",
        "ed25f3a31f01632728cabb09d1542f84ab7b0056",
        licence=_APACHE,
        size=(224, 384, 22_056_576),
        normalise="imagenet",
    ),
    _on_hub(
        "dinov2_base",
        "facebook/dinov2-base",
        "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
        licence=_APACHE,
        size=(224, 768, 86_580_480),
        normalise="imagenet",
    ),
    _on_hub(
        "siglip_small",  # the smallest of its family: fewer and larger patches
        "google/siglip2-base-patch32-256",
        "94dffa8cb1179de3e03f091dbc3917e5d5a9ae84",
        licence=_APACHE,
        size=(256, 768, 94_552_320),
        normalise="minus-one-one",
    ),
    _on_hub(
        "siglip_base",
        "google/siglip-base-patch16-224",
        "7fd15f0689c79d79e38b1c2e2e2370a7bf2761ed",
        licence=_APACHE,
        size=(224, 768, 92_884_224),
        normalise="minus-one-one",
    ),
    _on_hub(
        "clip_small",  # the smallest of its family: fewer and larger patches
        "openai/clip-vit-base-patch32",
        "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
        licence=_MIT,
        size=(224, 768, 87_456_000),
        normalise="clip",
    ),
    _on_hub(
        "clip_base",
        "openai/clip-vit-base-patch16",
        "57c216476eefef5ab752ec549e440a49ae4ae5f3",
        licence=_MIT,
        size=(224, 768, 85_799_424),
        normalise="clip",
    ),
    _on_hub(
        "convnext_small",  # its authors' "tiny"
        "facebook/convnext-tiny-224",
        "main",
        licence=_APACHE,
        size=(224, 768, 27_820_128),
        normalise="imagenet",
    ),
    _on_hub(
        "convnext_base",
        "facebook/convnext-base-224",
        "main",
        licence=_APACHE,
        size=(224, 1024, 87_566_464),
        normalise="imagenet",
    ),
)

BACKBONES: dict[str, Backbone] = {backbone.name: backbone for backbone in (*_OWN, *_HUB)}

STANDINGS: dict[str, Standing] = {  # as benchmarks/backbones.py prints them
    "squeezenet1_1": Standing(0.380, 0.364, 0.395, 190),
    "mobilenet_v2": Standing(0.392, 0.377, 0.408, 116),
    "mobilenet_edgetpu": Standing(0.394, 0.378, 0.410, 66),
}


def backbone_named(name: str) -> Backbone:
    """Return a backbone by its name.

    Raises
    ------
    WeightsError
        Where there is none of that name.
    """
    if name not in BACKBONES:
        raise WeightsError(
            f"backbone '{name}'", "unknown", f"Known are {', '.join(BACKBONES)}", did_you_mean(name, list(BACKBONES))
        )
    return BACKBONES[name]


def layers_of(name: str) -> tuple[str, ...]:
    """Return the layers of a backbone that are worth reading, from the finest map to the last one; none where unknown.

    Examples
    --------
    >>> layers_of("mobilenet_v2")
    ('features.6', 'features.13', 'features.18')
    """
    return backbone_named(name).layers
