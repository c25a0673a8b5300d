"""dgseg: medical segmentation that is mended at the hospital where it fails.

The engine behind napari-dgseg. It needs neither Qt nor napari: everything is
there as a library, on the command line (``dgseg --help``) and as job folders
(``python -m dgseg.jobs DIR``). Importing it, its scans, its site workspaces
and the descriptions of its bundles imports no torch.
"""

__version__ = "0.1.0"
