"""What a person can choose about an adaptation."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

WITHOUT_CORRECTIONS = "pose-search"
"""The method for a site where nothing is corrected. Training without corrections gained no
more at centres of hearts, and did harm at centres of cords, where nobody could have told."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AdaptConfig:
    """How a bundle is adapted to one site.

    The same fields make the form in the dock, the options of the command
    line and the job file.

    Attributes
    ----------
    method : str
        Name of a registered method (entry-point group ``dgseg.methods``), or of one of
        its presets.
    rivals : tuple of str
        Further methods that are tried with the same corrections. Offered is the candidate
        of the rival for which the corrections that judge speak clearly more, if the gate
        accepts it; else that of `method`. Nothing is tried where nothing can judge, nor
        beside a method that learns nothing. Of cords `tent` finds those that the default
        method does not, and of hearts it was not taken where it did harm.
    minutes : float
        Time for the optimiser's steps, those of the trainings that judge included.
        Preparing, segmenting and comparing come on top: a minute or less for a handful
        of scans.
    steps : int or None
        Exact number of steps of each training, whatever time they take; None to do as
        many as fit into `minutes`.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    precision : {'auto', 'fp32', 'bf16'}
        ``"auto"`` takes bfloat16 where it is fast.
    holdout_every : int
        Of eight corrected slices or more, one in so many is kept from the training to
        judge the candidate by; fewer are all learnt from, and each is judged by a further
        training without it. 0 to have no judgement. A method that trains nothing is judged
        by all of them.
    learning_rate : float or None
        Of the optimiser, well below what a training from scratch takes; None for the
        method's own.
    batch_labelled, batch_unlabelled : int
        Slices in each step.
    patch_px : int
        Side of the training patches on the model's grid, pixels; less along an axis along
        which no slice of the site is as long.
    segment_all : bool
        Let the candidate propose for all scans of the site, not only for the
        corrected ones and the few uncorrected ones that the judgement needs.
    seed : int
        Of all random numbers.
    threads : int or None
        CPU threads; None for all cores but one, so that the viewer stays quick.
    options : dict
        Further settings of the method, by name. Rivals have their own, and their own
        learning rate.
    """

    method: str = "two-teachers"
    rivals: tuple[str, ...] = ("tent",)
    minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)] = 2.0
    steps: Annotated[int, Field(ge=1)] | None = None
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    holdout_every: Annotated[int, Field(ge=0)] = 4
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    batch_labelled: Annotated[int, Field(ge=1, le=256)] = 4
    batch_unlabelled: Annotated[int, Field(ge=1, le=256)] = 4
    patch_px: Annotated[int, Field(ge=16, le=1024)] = 128
    segment_all: bool = False
    seed: Annotated[int, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=1)] | None = None
    options: dict[str, bool | int | float | str] = field(default_factory=dict)

    @property
    def method_options(self) -> dict[str, bool | int | float | str]:
        """The settings of the method that are not its own: `options`, and a learning rate."""
        if self.learning_rate is None:
            return dict(self.options)
        return {"learning_rate": self.learning_rate, **self.options}
