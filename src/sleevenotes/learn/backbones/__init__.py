"""Backbones: pretrained networks by name.

What there is stands in `registry`; where weights come from in `weights`, how they are fetched in `resuming`; `hub` has
networks of the Hugging Face hub; `foreign` and `wrapping` make backbones of any ONNX file; and `extracting` asks a
backbone for features, or writes its ONNX form.
"""

from sleevenotes.learn.backbones.extracting import BackboneExtractor, Look, extractor
from sleevenotes.learn.backbones.foreign import manner_of
from sleevenotes.learn.backbones.registry import BACKBONES, Backbone, Training, backbone_named, layers_of
from sleevenotes.learn.backbones.weights import WEIGHTS_VARIABLE, Weights, at_hand, cache_folder, find, load
from sleevenotes.learn.backbones.wrapping import wrapped

__all__ = [
    "BACKBONES",
    "Backbone",
    "Training",
    "backbone_named",
    "layers_of",
    "WEIGHTS_VARIABLE",
    "Weights",
    "at_hand",
    "cache_folder",
    "find",
    "load",
    "BackboneExtractor",
    "Look",
    "extractor",
    "manner_of",
    "wrapped",
]
