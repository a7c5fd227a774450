"""Judges albums by their covers, and says honestly how far that can be trusted."""

import os

__version__ = "0.1.0"

# What is done here is told to nobody. Some libraries tell their makers, unless they hear of it before their import:
# onnxruntime since 1.29 which graph runs how long, huggingface_hub who fetches what.
for _silencing in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_silencing, "1")
