"""A model on disk: `bundle.json`, which any program can read, and its weights.

A bundle is a folder with two files. ``bundle.json`` says what the model is,
how a scan is prepared for it, what it segments, where it came from and how it
did; it is read without torch. ``weights.safetensors`` holds nothing but
tensors, so opening a bundle from anyone runs no code of theirs.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import dgseg
from dgseg.bundles.look_bank import LookBank
from dgseg.bundles.style_bank import StyleBank
from dgseg.errors import BundleError
from dgseg.files import sha256_of, write_json
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import LabelSchema

if TYPE_CHECKING:
    from torch import Tensor, nn

SCHEMA_VERSION = 4
"""Version of ``bundle.json`` that this version of dgseg writes; it reads all before."""

_SINCE = {"style_bank": 2, "look_bank": 3}
"""First version of ``bundle.json`` with a field, where that is not 1."""

INFO_NAME = "bundle.json"
WEIGHTS_NAME = "weights.safetensors"

_PACKAGED = Path(__file__).parent / "models"

_COPY_AGAIN = "Copy the whole model folder again from where it came from."


def _new_id() -> str:
    return secrets.token_hex(6)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class BundleInfo(BaseModel):
    """All that is known of a model, without its weights.

    Attributes
    ----------
    schema_version : int
        Version of this description, from 1.
    bundle_id : str
        Twelve random hexadecimal digits; every model that is written has its own.
    name : str
        What a person calls it.
    method : str
        The method that trained it, by its registered name.
    network : dict
        What `dgseg.nets.build.build` takes.
    preprocessing : Preprocessing
        From a scan to the model's grid; it may seek poses since version 4.
    labels : LabelSchema
        What it segments.
    domains : tuple of str
        Names of the domains it was trained on, never names of patients.
    parent_id : str or None
        The bundle that it was fine-tuned from.
    created : str
        ISO 8601, UTC.
    style_bank : StyleBank or None
        How each domain looks, of a model that tells style from anatomy; since
        version 2.
    look_bank : LookBank or None
        What slices look like to it, by which it tells scans that are unlike anything it
        has learnt from; since version 3.
    training, metrics : dict
        Configuration, seeds and command; scores by name. JSON values only.
    licence, card : str
        Licence of the weights; a description in Markdown.
    weights_sha256 : str
        Of the weights file, 64 hexadecimal digits; filled by `write_bundle`.
    dgseg_version : str
        The version that wrote it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)] = SCHEMA_VERSION
    bundle_id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")] = Field(default_factory=_new_id)
    name: Annotated[str, Field(min_length=1, max_length=128)]
    method: Annotated[str, Field(min_length=1, max_length=64)]
    network: dict[str, int | float | str | bool]
    preprocessing: Preprocessing
    labels: LabelSchema
    domains: tuple[str, ...] = ()
    parent_id: Annotated[str | None, Field(pattern=r"^[0-9a-f]{12}$")] = None
    created: str = Field(default_factory=_now)
    style_bank: StyleBank | None = None
    look_bank: LookBank | None = None
    training: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    licence: str = ""
    card: str = ""
    weights_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    dgseg_version: str = dgseg.__version__

    def seeking_pose(self, seek: bool = True) -> BundleInfo:
        """The same, with scans in the pose that it is surest of; not `seek`: as they lie."""
        preprocessing = self.preprocessing.model_copy(update={"seek_pose": seek})
        return self.model_copy(update={"preprocessing": preprocessing})


def read_info(folder: str | Path) -> BundleInfo:
    """Read a bundle's description; imports no torch and does not open the weights.

    Raises
    ------
    BundleError
        If the folder is missing, is no bundle, was written by a newer version,
        is damaged, or lacks its weights.
    """
    folder = Path(folder)
    content = _read_json(folder)
    version = _known_version(content, folder)
    wanted = {name for name in BundleInfo.model_fields if _SINCE.get(name, 1) <= version}
    missing = sorted(wanted - set(content))
    if missing:
        raise _damaged(f"it lacks {', '.join(missing)}", folder)
    try:
        info = BundleInfo.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _damaged(f"{where or 'content'}: {first['msg']}", folder) from error
    if not (folder / WEIGHTS_NAME).is_file():
        raise BundleError(
            f"The model has a description but no weights ({WEIGHTS_NAME} is missing).",
            remedy=_COPY_AGAIN,
            path=folder,
        )
    return info


def read_weights(folder: str | Path, info: BundleInfo) -> dict[str, Tensor]:
    """Read a bundle's weights to the CPU, floating point ones as float32.

    Raises
    ------
    BundleError
        If they are not, byte for byte, those that `info` was written with.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder) / WEIGHTS_NAME
    try:
        if sha256_of(path) != info.weights_sha256:
            raise BundleError(
                "The model's weights are not those it was saved with: the file is "
                "truncated or altered.",
                remedy=_COPY_AGAIN,
                path=path,
            )
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(
            "The model's weights cannot be read.", remedy=_COPY_AGAIN, path=path
        ) from error
    return {
        name: value.to(torch.float32) if value.is_floating_point() else value
        for name, value in state.items()
    }


def read_into(net: nn.Module, folder: str | Path, info: BundleInfo) -> None:
    """Fill a network with a bundle's weights.

    Raises
    ------
    BundleError
        As `read_weights`, and if the weights are those of another network.
    """
    try:
        net.load_state_dict(read_weights(folder, info))
    except RuntimeError as error:
        raise BundleError(
            "The model's weights do not fit the network that its description names.",
            remedy="The folder mixes two models. " + _COPY_AGAIN,
            path=folder,
        ) from error


def write_bundle(
    folder: str | Path,
    info: BundleInfo,
    state_dict: Mapping[str, Tensor],
    *,
    half: bool = False,
) -> BundleInfo:
    """Write a bundle: wholly there under `folder`, or not at all.

    Parameters
    ----------
    folder : path-like
        The bundle to create. An older bundle of that name is replaced; a folder
        with anything else in it is left alone.
    info : BundleInfo
        Its ``weights_sha256`` and ``schema_version`` are filled in.
    state_dict : mapping of str to Tensor
        Of the network that `info.network` describes.
    half : bool
        Store float16: half the size; read back as float32.

    Returns
    -------
    BundleInfo
        As written.

    Raises
    ------
    BundleError
        If weights are not finite (in float16, for `half`), the folder holds
        other files, or the disk refuses.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / INFO_NAME).is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise BundleError(
                "The place for the model holds something else.",
                remedy="Choose a new or empty folder.",
                path=folder,
            )
        folder.rmdir()
    tensors = _storable(state_dict, half)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder) from error
    try:
        info = _fill(staging, info, tensors)
        _swap_in(staging, folder)
    except OSError as error:
        raise _unwritable(folder) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return info


def default_bundle() -> Path:
    """The model that comes with dgseg: grey and white matter of the spinal cord.

    Raises
    ------
    BundleError
        If this installation has none.
    """
    folder = _PACKAGED / "spinal-gm"
    if not (folder / INFO_NAME).is_file():
        raise BundleError(
            "This installation of dgseg came without its model.",
            remedy="Install dgseg again, or train a model with `dgseg train`.",
            path=folder,
        )
    return folder


def packaged_bundles() -> tuple[Path, ...]:
    """All models that come with dgseg, that of `default_bundle` first; perhaps none."""
    found = sorted(path.parent for path in _PACKAGED.glob(f"*/{INFO_NAME}"))
    return tuple(sorted(found, key=lambda folder: folder.name != "spinal-gm"))


def _read_json(folder: Path) -> dict[str, Any]:
    path = folder / INFO_NAME
    if not folder.is_dir():
        problem = "is a file, not a model folder" if folder.exists() else "does not exist"
        raise BundleError(
            f"The model {problem}.",
            remedy=f"Choose the folder that holds {INFO_NAME}.",
            path=folder,
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(
            f"This folder is no model: it holds no {INFO_NAME}.",
            remedy=f"Choose the folder that holds {INFO_NAME}.",
            path=folder,
        ) from error
    except OSError as error:
        raise BundleError(
            "The model's description cannot be read.",
            remedy="Check that you may read the folder.",
            path=path,
        ) from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise _damaged("it is not JSON", folder) from error
    if not isinstance(content, dict) or "schema_version" not in content:
        raise BundleError(
            f"This {INFO_NAME} was not written by dgseg.",
            remedy="Choose a model folder that dgseg wrote.",
            path=folder,
        )
    return content


def _known_version(content: dict[str, Any], folder: Path) -> int:
    """The description's version; the newest for what is no number, which is refused later."""
    version = content["schema_version"]
    if not isinstance(version, int):
        return SCHEMA_VERSION
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"The model was written by a newer dgseg (format {version}; this one "
            f"reads up to {SCHEMA_VERSION}).",
            remedy="Update dgseg.",
            path=folder,
        )
    return version


def _damaged(detail: str, folder: Path) -> BundleError:
    return BundleError(
        f"The model's description is damaged: {detail}.", remedy=_COPY_AGAIN, path=folder
    )


def _unwritable(folder: Path) -> BundleError:
    return BundleError(
        "The model could not be written.",
        remedy="Check the free space and your right to write there.",
        path=folder,
    )


def _storable(state_dict: Mapping[str, Tensor], half: bool) -> dict[str, Tensor]:
    """Contiguous CPU copies without shared memory, as safetensors wants them."""
    import torch

    tensors = {}
    for name, value in state_dict.items():
        floating = value.is_floating_point()
        dtype = torch.float16 if floating and half else value.dtype
        copy = value.detach().to("cpu", dtype, copy=True).contiguous()
        if floating and not bool(torch.isfinite(copy).all()):
            raise BundleError(
                f"The weights of {name} are not finite numbers, so there is no model to save.",
                remedy="Train again, with a lower learning rate.",
            )
        tensors[name] = copy
    return tensors


def _fill(staging: Path, info: BundleInfo, tensors: dict[str, Tensor]) -> BundleInfo:
    from safetensors.torch import save_file

    staging.chmod(0o755)  # mkdtemp makes it private
    weights = staging / WEIGHTS_NAME
    save_file(tensors, weights, metadata={"bundle_id": info.bundle_id})
    weights.chmod(0o644)
    with open(weights, "rb") as file:
        os.fsync(file.fileno())
    filled = {"weights_sha256": sha256_of(weights), "schema_version": SCHEMA_VERSION}
    info = info.model_copy(update=filled)
    write_json(staging / INFO_NAME, info.model_dump(mode="json"))
    return info


def _swap_in(staging: Path, folder: Path) -> None:
    # A folder with content cannot be replaced in one step: the old bundle steps
    # aside, and comes back should the new one fail to take its place.
    if not folder.exists():
        staging.rename(folder)
        return
    aside = folder.with_name(f".{folder.name}.{_new_id()}.old")
    folder.rename(aside)
    try:
        staging.rename(folder)
    except OSError:
        with contextlib.suppress(OSError):
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
