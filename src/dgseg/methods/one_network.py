"""What methods with one network and one optimiser share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.augment.intensity import IntensityAugment
from dgseg.augment.spatial import SpatialAugment
from dgseg.errors import MethodError
from dgseg.losses.supervised import dice_ce
from dgseg.methods.adapting_config import AdaptingConfig, TeacherConfig
from dgseg.methods.anchoring import frozen_copy, held_loss, merge_absent, train_only
from dgseg.methods.base import Episode, Labelled, Method
from dgseg.methods.config import OptimiserConfig
from dgseg.methods.domains import batches_of
from dgseg.methods.ema import RunningMean, pull
from dgseg.methods.views import View, Viewer
from dgseg.nets.evaluating import evaluating


class OneNetwork(Method):
    """A network, AdamW with its schedule, augmentation, and a running mean.

    With an `AdaptingConfig` also an anchor to the weights at the start, and a choice
    of the weights that are trained.

    Parameters
    ----------
    net : nn.Module
        From images (N, 1, H, W) to logits (N, C, H, W). It is moved to
        Fabric's device and trained in place.
    fabric : Fabric
        Device, precision and, under ``torchrun``, other processes.
    config : OptimiserConfig
    total_steps : int
        Of the whole training, for the schedules.
    ema_decay : float
        Of the running mean of the weights; 0 for none.

    Attributes
    ----------
    wary : bool
        Whether it trusts what the network was at the start more than the labels, see
        `TeacherConfig.few_slices`; known once it is prepared.
    """

    _wrapped: nn.Module

    def __init__(
        self,
        net: nn.Module,
        fabric: Fabric,
        config: OptimiserConfig,
        total_steps: int,
        ema_decay: float,
    ) -> None:
        super().__init__()
        self.config = config
        self.total_steps = total_steps
        self._fabric = fabric
        net = net.to(fabric.device)
        if fabric.device.type == "cpu":
            # Convolutions in this layout are up to four times faster there.
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net = net
        adapting = config if isinstance(config, AdaptingConfig) else None
        if adapting is not None:
            train_only(net, adapting.trained)
        # Copied before Fabric wraps the network: a copy of a wrapped one would
        # share its hooks, and its weights' names would differ from a bundle's.
        self.mean = RunningMean(net, ema_decay) if ema_decay else None
        self._anchor = 0.0 if adapting is None else adapting.anchor
        asked = isinstance(config, TeacherConfig)
        self.start = frozen_copy(net) if self._anchor or asked else None
        self._absent: tuple[int, ...] = ()
        self.wary = False
        optimiser = torch.optim.AdamW(
            _groups(net, config.weight_decay),
            lr=config.learning_rate,
            fused=fabric.device.type in {"cpu", "cuda"},
        )
        wrapped, self._optimiser = fabric.setup(net, optimiser)
        # Past nn.Module's registration, for its weights are those of `net`.
        self.__dict__["_wrapped"] = wrapped
        self._spatial = SpatialAugment(config.augment)
        self._intensity = IntensityAugment(config.augment)
        self._viewer = Viewer(self._spatial, self._intensity)

    def prepare(self, labelled: Labelled) -> None:
        """Hold classes that no label shows to what the network says of them now.

        Slices without a class teach that it is nowhere: a hundred steps on three of them
        have been seen to take it out of a network. Who has a teacher does not trust a few
        labels more than a network that is good on them, see `TeacherConfig`.
        """
        config = self.config
        if isinstance(config, TeacherConfig) and labelled.dice is not None:
            few = 0 < labelled.n_slices <= config.few_slices
            self.wary = few and labelled.dice >= config.good_dice
        self._absent = labelled.absent
        if self._absent and self.start is None:
            # The running mean is what the network was, and Fabric has not wrapped it.
            self.start = frozen_copy(self.net if self.mean is None else self.mean.net)

    def _teaching(self, episode: Episode) -> nn.Module:
        """Who teaches with a `TeacherConfig`: the running mean, or what it began with.

        The latter where nobody corrected anything: a student that hears nothing but its
        own running mean drifts away with it. So it does with very few slices, towards
        what is true of these alone, which matters where the network was good before.
        """
        running = None if self.mean is None or self.wary else self.mean.net
        teacher = running if episode.has_labels and running is not None else self.start
        assert teacher is not None
        return teacher

    def _trust(self) -> float:
        """Factor of the supervised loss with a `TeacherConfig`."""
        assert isinstance(self.config, TeacherConfig)
        return self.config.few_weight if self.wary else 1.0

    def deployable(self) -> nn.Module:
        """The running mean of the network where there is one, else the network."""
        return self.net if self.mean is None else self.mean.net

    def predict(self, images: Tensor) -> Tensor:
        """Class probabilities (N, C, H, W), float32, of the deployable network."""
        net = self.deployable()
        with evaluating(net):
            return self.probabilities(net, images)

    def training_state(self) -> dict[str, object]:
        """The optimiser's state, and the number of updates of the running mean."""
        state: dict[str, object] = {"optimiser": self._optimiser.state_dict()}
        if self.mean is not None:
            state["n_updates"] = self.mean.n_updates
        return state

    def load_training_state(self, state: dict[str, object]) -> None:
        """Undo `training_state`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the state is that of another method or network.
        """
        optimiser, n_updates = state["optimiser"], state.get("n_updates")
        if not isinstance(optimiser, dict):
            raise TypeError("the optimiser's state is no dictionary")
        if self.mean is not None:
            if not isinstance(n_updates, int):
                raise TypeError("the running mean's number of updates is missing")
            self.mean.n_updates = n_updates
        self._optimiser.load_state_dict(optimiser)

    def _student(self, images: Tensor) -> Tensor:
        """The network's logits, in Fabric's precision."""
        logits: Tensor = self._wrapped(images)
        return logits

    def probabilities(self, net: nn.Module, images: Tensor) -> Tensor:
        """Probabilities of a network that Fabric has not wrapped, in its precision."""
        return class_probabilities(net, images, self._fabric)

    def _supervised_step(self, episode: Episode) -> dict[str, Tensor]:
        """One step on all labelled slices of an episode, augmented.

        Raises
        ------
        MethodError
            If there are none.
        """
        batches = batches_of(episode, list(episode.domains))
        view = self._viewer.view(batches, unlabelled=bool(self._absent))
        if view is None or view.labels is None:
            raise MethodError(
                "There is no labelled slice to learn from.",
                remedy="Correct or label some slices, or choose a method that learns without.",
            )
        logits = self._student(view.images)
        # A part, even if it is all of it, costs an image of zeros in the backward pass.
        labelled = logits[: view.n_labelled] if self._absent else logits
        terms = {"supervised": self._task(labelled, view)} | self._held(logits, view)
        loss = torch.stack(list(terms.values())).sum()
        self._step(loss, episode)
        return {"loss": loss.detach()} | {name: term.detach() for name, term in terms.items()}

    def _task(self, logits: Tensor, view: View) -> Tensor:
        """The supervised loss of the labelled slices of a view."""
        labels = view.labels
        assert labels is not None
        if self._absent:
            logits, labels = merge_absent(logits, labels, self._absent)
        return self._labelled_loss(logits, labels, view.annotated)

    def _labelled_loss(
        self, logits: Tensor, labels: Tensor, annotated: Tensor | None
    ) -> Tensor:
        """The loss by which logits are told what the labels are."""
        return dice_ce(
            logits,
            labels,
            annotated,
            dice_weight=self.config.dice_weight,
            ce_weight=self.config.ce_weight,
        )

    def _held(self, logits: Tensor, view: View) -> dict[str, Tensor]:
        """The loss by which absent classes are held, if there are any.

        A structure that a person drew is not asked about: their word is the last.
        """
        if not self._absent:
            return {}
        assert self.start is not None
        with torch.no_grad():
            before = self.probabilities(self.start, view.images)
        valid = torch.ones_like(before[:, 0], dtype=torch.bool)
        if view.valid is not None:
            valid &= view.valid
        if view.labels is not None:
            drawn = view.labels > 0
            if view.annotated is not None:
                drawn &= view.annotated
            valid[: view.n_labelled] &= ~drawn
        return {"absent": held_loss(logits, before, self._absent, valid)}

    def _step(self, loss: Tensor, episode: Episode) -> None:
        """One step of the optimiser down the gradient of a loss."""
        self._optimiser.zero_grad()
        self._fabric.backward(loss)
        self._step_optimiser(episode)

    def _descend(
        self,
        gradients: Mapping[str, Tensor],
        leaves: Mapping[str, Tensor],
        episode: Episode,
        clip_value: float = 0.0,
    ) -> None:
        """One step of the optimiser down given gradients.

        Parameters
        ----------
        gradients : mapping of str to Tensor
            By the names in `leaves`; parameters without one stay as they are.
        leaves : mapping of str to Tensor
            The network's parameters.
        episode : Episode
        clip_value : float
            Largest entry of a gradient; 0 for no limit.
        """
        for name, parameter in leaves.items():
            gradient = gradients.get(name)
            parameter.grad = None if gradient is None else averaged(self._fabric, gradient)
        found = [p.grad for p in leaves.values() if p.grad is not None]
        if clip_value and found:
            torch._foreach_clamp_min_(found, -clip_value)
            torch._foreach_clamp_max_(found, clip_value)
        self._step_optimiser(episode)

    def _descend_from(
        self, loss: Tensor, leaves: Mapping[str, Tensor], episode: Episode
    ) -> None:
        """One step of the optimiser down the gradient of a loss at those parameters.

        As `_step`, for a loss that was not made by calling the network as a whole.
        """
        found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
        gradients = {
            name: gradient
            for name, gradient in zip(leaves, found, strict=True)
            if gradient is not None
        }
        self._descend(gradients, leaves, episode)

    def _step_optimiser(self, episode: Episode) -> None:
        """One step of the optimiser down the gradients that the parameters hold."""
        rate = learning_rate(episode.step, self.total_steps, self.config)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        if self.config.clip_norm:
            # A check for finite gradients would wait for the device in every
            # step; the loop looks at the losses, which tell the same.
            self._fabric.clip_gradients(
                self._wrapped,
                self._optimiser,
                max_norm=self.config.clip_norm,
                error_if_nonfinite=False,
            )
        self._optimiser.step()
        if self._anchor and self.start is not None:
            pull(self.net, self.start, min(rate * self._anchor, 1.0))
        if self.mean is not None:
            self.mean.update(self.net)


def class_probabilities(net: nn.Module, images: Tensor, fabric: Fabric) -> Tensor:
    """Class probabilities (N, C, H, W), float32, of images (N, 1, H, W), in Fabric's precision."""
    with fabric.autocast():
        logits: Tensor = net(images)
    return logits.float().softmax(dim=1)


def averaged(fabric: Fabric, gradient: Tensor) -> Tensor:
    """The mean of a gradient over all processes.

    Fabric averages in a backward pass; this is for gradients that came without one.
    """
    if fabric.world_size == 1:
        return gradient
    return cast("Tensor", fabric.all_reduce(gradient, reduce_op="mean"))


def learning_rate(step: int, total_steps: int, config: OptimiserConfig) -> float:
    """Rising in a straight line, then falling along half a cosine.

    Parameters
    ----------
    step : int
        From 0.
    total_steps : int
    config : OptimiserConfig
    """
    rise = round(config.warm_up * total_steps)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    progress = min((step - rise) / max(total_steps - 1 - rise, 1), 1.0)
    share = config.final_rate + (1 - config.final_rate) * (1 + math.cos(math.pi * progress)) / 2
    return config.learning_rate * share


def _groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
