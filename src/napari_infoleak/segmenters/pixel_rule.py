"""A linear rule of single painted pixels and what surrounds them, for classes of the user's own.

The network has learned what membranes are; of a synapse or a vesicle it knows little, and what it
reads from the memory are cells that look alike as a whole. A logistic rule, fitted to the features
of painted pixels and their means around them, tells such classes apart by what sets just them
apart. It has a say of less than a third beside the fusion. For interior and membrane alone it would
harm: strokes do not say where a membrane ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional as F

from napari_infoleak.segmenters.fitted_head import AROUND

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAY = 0.3  # beside the scores of the fusion
_PENALTY = 1e-2
_MOST = 256  # pixels of a class and plane: those of a stroke are much alike
_ITERATIONS = 60


def painted_pixels(features: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """What is seen in some painted pixels, and around them.

    Parameters
    ----------
    features : Tensor, shape (1, F, Y, X)
    index : Tensor, shape (Y, X), int64
        Class ids, 0 unlabelled.

    Returns
    -------
    inputs : Tensor, shape (N, 3 F), float32
        Features, and their means over squares as `fitted_head.head_inputs` takes them.
    ids : Tensor, shape (N,), int64
        At most so many of a class, spread evenly over its paint.
    """
    painted = index.nonzero()  # once: a plane is large, and this is done after every stroke
    ids = index[tuple(painted.T)]
    places = torch.cat(
        [
            own[torch.linspace(0, len(own) - 1, min(len(own), _MOST)).long()]
            for k in ids.unique()
            for own in [painted[ids == k]]
        ]
    )
    margin = max(AROUND) // 2
    offsets = torch.arange(-margin, margin + 1)
    rows, columns = ((places[:, axis, None] + offsets) for axis in (0, 1))
    height, width = index.shape
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None
    ]
    rows, columns = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
    seen = features[0].cpu()[:, rows, columns].movedim(0, 1) * inside[:, None]
    means = []
    for side in (1, *AROUND):
        part = slice(margin - side // 2, margin + side // 2 + 1)
        count = inside[:, part, part].sum((1, 2))[:, None]
        means.append(seen[:, :, part, part].sum((2, 3)) / count)
    return torch.cat(means, 1).contiguous(), index[tuple(places.T)]


def fit_rule(inputs: Tensor, classes: Tensor, weights: Tensor, others: int) -> Tensor:
    """Fit the rule, each class counting the same.

    Parameters
    ----------
    inputs : Tensor, shape (N, 3 F)
        See `painted_pixels`.
    classes : Tensor, shape (N,), int64
        0 to K - 1, each at least once.
    weights : Tensor, shape (N,)
        Of each pixel's plane.
    others : int
        G inputs of a head that the rule takes no notice of.

    Returns
    -------
    Tensor, shape (K, 3 F + G + 1)
        A head for `fitted_head.corrected`.
    """
    known = inputs.double()
    centre, spread = known.mean(0), known.std(0, correction=0) + 1e-6
    known = torch.cat([(known - centre) / spread, torch.ones_like(known[:, :1])], 1)
    count = int(classes.max()) + 1
    own = weights.double()
    share = own / torch.zeros(count).double().index_add_(0, classes, own)[classes] / count
    hot = F.one_hot(classes, count).double()
    size = (count, known.shape[1])

    def loss(flat: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        rule = torch.from_numpy(flat).view(size)
        logs = (known @ rule.T).log_softmax(1)
        slope = (share[:, None] * (logs.exp() - hot)).T @ known
        slope[:, :-1] += 2 * _PENALTY * rule[:, :-1]
        value = -(share * (hot * logs).sum(1)).sum() + _PENALTY * rule[:, :-1].square().sum()
        return float(value), slope.flatten().numpy()

    start = torch.zeros(size).double().flatten().numpy()
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    rule = _SAY * torch.from_numpy(found.x).view(size)
    slopes = rule[:, :-1] / spread
    width = inputs.shape[1] // (1 + len(AROUND))
    return torch.cat(
        [
            slopes[:, :width],
            torch.zeros(count, others).double(),
            slopes[:, width:],
            rule[:, -1:] - (slopes @ centre)[:, None],
        ],
        1,
    ).float()
