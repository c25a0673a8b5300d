"""napari-dgseg: see, correct and adapt a segmenter at a new hospital."""

from dgseg import __version__

__all__ = ["__version__"]
