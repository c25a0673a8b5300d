"""SDNet: anatomy and appearance, with a judge of the masks of unlabelled slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.errors import MethodError
from dgseg.losses.adversarial import deceivers_loss, judges_loss
from dgseg.losses.disentanglement import latent_regression
from dgseg.losses.precision import outside_autocast
from dgseg.methods.base import Episode
from dgseg.methods.baseline_config import SDNET_PRESETS, SDNetConfig
from dgseg.methods.disentangling import Analysis, Disentangling, Seen
from dgseg.methods.domains import batches_of
from dgseg.methods.one_network import averaged, learning_rate
from dgseg.methods.views import View
from dgseg.nets.discriminator import MaskDiscriminator

_BETAS = (0.5, 0.999)


class SDNet(Disentangling):
    """Disentangled representation learning from labelled and unlabelled slices.

    Chartsias, Joyce, Papanastasiou, Semple, Williams, Newby, Dharmakumar and
    Tsaftaris, Medical Image Analysis 2019. A slice is taken apart into binary
    anatomy channels, which the task is solved from, and one code of its
    appearance. A judge learns to tell the masks of unlabelled slices from a
    person's, and the network to deceive it. All domains are learnt from
    together, as if they were one.

    Of the authors' networks these are those that DGNet has, too: appearance is
    read from the slice alone, and enters the decoder by adaptive normalisation.
    """

    name: ClassVar[str] = "sdnet"
    title: ClassVar[str] = "SDNet"
    when: ClassVar[str] = (
        "For comparison with DGNet: what disentanglement does without meta-learning, from few "
        "labelled and many unlabelled scans."
    )
    Config: ClassVar[type[SDNetConfig]] = SDNetConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = SDNET_PRESETS
    config: SDNetConfig

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: SDNetConfig, total_steps: int
    ) -> None:
        super().__init__(net, fabric, config, total_steps)
        # Codes are found again in what was painted with others than the slice's own.
        self.__dict__["_analysis"] = Analysis(self.net, regress=False)
        self.judge = MaskDiscriminator(self.net.config.n_classes - 1, config.judge_width)
        self.judge.to(fabric.device)
        self._judges_optimiser = torch.optim.Adam(
            self.judge.parameters(),
            lr=config.judge_learning_rate,
            betas=_BETAS,
            fused=fabric.device.type in {"cpu", "cuda"},
        )

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step of the network on all slices, and then one of the judge.

        Raises
        ------
        MethodError
            If there is no slice, or the network has to tell more domains apart than it can.
        """
        if self.config.classification_weight:
            self._check_domains(episode)
        teacher = self._teacher if self.config.consistency_weight else None
        view = self._viewer.view(batches_of(episode, list(episode.domains)), teacher=teacher)
        if view is None:
            raise MethodError(
                "There is no slice to learn from.", remedy="Open or label some scans."
            )
        seen = self._see(view)
        probabilities = seen.logits.float().softmax(dim=1)
        made = probabilities[view.n_labelled :, 1:]
        total, terms = self._terms(seen, view, self._weights(episode))
        if self.config.latent_weight:
            terms["latent"] = self._regression(seen)
            total = total + self.config.latent_weight * terms["latent"]
        if self.config.adversarial_weight and len(made):
            terms["adversarial"] = deceivers_loss(self._judged(made))
            total = total + self.config.adversarial_weight * terms["adversarial"]
        self._descend_from(total, self._leaves(), episode)
        if self.config.adversarial_weight and len(made) and view.n_labelled:
            real = _drawn(view, probabilities[: view.n_labelled].detach())
            terms["judge"] = self._teach_judge(real, made.detach(), episode)
        return {name: term.detach() for name, term in ({"loss": total} | terms).items()}

    def training_state(self) -> dict[str, object]:
        """That of one network, and the state of the judge's optimiser."""
        return super().training_state() | {"judge": self._judges_optimiser.state_dict()}

    def load_training_state(self, state: dict[str, object]) -> None:
        """Undo `training_state`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the state is that of another method or network.
        """
        judges = state["judge"]
        if not isinstance(judges, dict):
            raise TypeError("the state of the judge's optimiser is no dictionary")
        super().load_training_state(state)
        self._judges_optimiser.load_state_dict(judges)

    def _regression(self, seen: Seen) -> Tensor:
        """How far codes are from those found in what was painted with them.

        The codes are drawn from the standard normal distribution, and anatomy takes
        no gradient: it could carry the code past the decoder.
        """
        style = torch.randn_like(seen.style)
        with self._fabric.autocast():
            painted = self.net.decode(seen.anatomy.detach(), style, seen.domain.detach())
            found = self.net.encode(painted).style_mean
        return latent_regression(found, style)

    def _judged(self, masks: Tensor) -> Tensor:
        """The judge's scores of masks; it is small, and not exact enough in half precision."""
        with outside_autocast(masks):
            scores: Tensor = self.judge(masks)
        return scores

    def _teach_judge(self, real: Tensor, made: Tensor, episode: Episode) -> Tensor:
        loss = judges_loss(self._judged(real), self._judged(made))
        weights = list(self.judge.parameters())
        gradients = torch.autograd.grad(loss, weights)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = averaged(self._fabric, gradient)
        share = learning_rate(episode.step, self.total_steps, self.config)
        share /= self.config.learning_rate
        for group in self._judges_optimiser.param_groups:
            group["lr"] = share * self.config.judge_learning_rate
        self._judges_optimiser.step()
        return loss


def _drawn(view: View, predicted: Tensor) -> Tensor:
    """Masks (L, structures, H, W) of the labelled slices as a person drew them.

    Where nobody vouches for a pixel it is as predicted, which tells the judge nothing.
    """
    assert view.labels is not None
    labels = view.labels
    if view.annotated is not None:
        labels = labels.where(view.annotated, 0)
    n_classes = predicted.shape[1]
    truth = nn.functional.one_hot(labels, n_classes).movedim(-1, 1).to(predicted.dtype)
    if view.annotated is not None:
        truth = truth.where(view.annotated[:, None], predicted)
    return truth[:, 1:]
