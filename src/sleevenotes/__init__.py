"""Judges albums by their covers, and says honestly how far that can be trusted."""

__version__ = "0.1.0"
