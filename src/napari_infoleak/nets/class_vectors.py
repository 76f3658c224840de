"""A learnable vector a class, and what is learned by comparing pixels with vectors.

After Nagata, Hotta 2023, doi 10.1109/ICCVW60793.2023.00383. Confirmed by the paper: supervised
contrastive replay gets a representative vector for each class, which is learned, and a margin in
the similarity, against forgetting from class imbalance. Reconstructed here: vectors are elements of
the contrast like samples, and the margin lowers the similarity of what belongs together. The head
for pixels, with several vectors a class, is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.core.errors import BadInput
from napari_infoleak.nets.clusters import k_means
from napari_infoleak.nets.heads import evidence

TAU = 0.1
_SILENCE = 2 / TAU  # similarities are from -1 to 1: none is large enough to make up for it


class VectorHead(nn.Module):
    """Scores by likeness to the nearest vector of each class.

    Parameters
    ----------
    dimensions : int
        Of an embedding.
    classes : int
    vectors : int
        A class; classes of many looks need several.
    """

    def __init__(self, dimensions: int, classes: int, vectors: int = 2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, vectors, dimensions))
        self.bias = nn.Parameter(torch.zeros(classes))

    @property
    def vectors(self) -> Tensor:
        """(K V D), of unit length."""
        return F.normalize(self.weight, dim=2)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(B D Y X), unit length -> (B K Y X)."""
        return self.likeness(embeddings) / TAU + self.bias[:, None, None]

    def likeness(self, embeddings: Tensor) -> Tensor:
        """To the nearest vector of each class, -1 to 1; (B D Y X), unit length -> (B K Y X)."""
        return torch.einsum("bdyx,kvd->bkvyx", embeddings, self.vectors).amax(2)

    @torch.no_grad()
    def imprint(self, place: int, embeddings: Tensor) -> None:
        """Let the vectors of a class be what its pixels look like now, and let it be heard.

        Parameters
        ----------
        place : int
            Of the class.
        embeddings : Tensor, shape (N, D)
            Of some of its pixels.
        """
        try:
            centres = k_means(embeddings.float().cpu(), self.weight.shape[1])
        except BadInput:  # fewer different pixels than vectors: their mean, told apart by chance
            centres = embeddings.float().cpu().mean(0) + 0.1 * torch.randn(self.weight.shape[1:])
        self.weight[place] = F.normalize(centres, dim=1).to(self.weight)
        self.bias[place] = 0

    @torch.no_grad()
    def imprint_beside(self, place: int, host: int, own: Tensor, others: Tensor) -> None:
        """As `imprint`, for a class whose pixels still look much like those of another.

        Its vectors lie from those of the host towards what tells the two apart.

        Parameters
        ----------
        place, host : int
        own, others : Tensor, shape (N, D)
            Embeddings of some pixels of the class, and of some of the host that are not its.
        """
        slope, _ = evidence(own, others)
        self.bias[place] = 0
        self.weight[place] = F.normalize(self.vectors[host] + TAU * slope.to(self.weight), dim=1)
        middle = F.normalize((own.mean(0) + others.mean(0))[None, :, None, None].to(self.weight))
        scores = self(middle)[0, :, 0, 0]
        self.bias[place] += scores[host] - scores[place]

    @torch.no_grad()
    def grow(self, count: int) -> None:
        """Append classes that are not heard before they are imprinted or have learned."""
        more = torch.randn(count, *self.weight.shape[1:]).to(self.weight)
        self.weight = nn.Parameter(torch.cat([self.weight, more]))
        self.bias = nn.Parameter(torch.cat([self.bias, self.bias.new_full((count,), -_SILENCE)]))


def with_margin(scores: Tensor, truth: Tensor, margin: float) -> Tensor:
    """Make the true class harder to reach, for training.

    Parameters
    ----------
    scores : Tensor, shape (B, K, *S)
        Likeness / `TAU`.
    truth : Tensor, shape (B, *S), int64
        -1 where nothing is annotated.
    margin : float
        Of the likeness.

    Returns
    -------
    Tensor, shape (B, K, *S)
    """
    hot = F.one_hot(truth.clamp(min=0), scores.shape[1]).movedim(-1, 1)
    return scores - margin / TAU * hot * (truth >= 0)[:, None]


def contrast(
    embeddings: Tensor, labels: Tensor, vectors: Tensor | None = None, margin: float = 0.0
) -> Tensor:
    """Supervised contrast among samples and class vectors; all are anchors.

    Of several vectors of a class a sample belongs to the nearest alone, and the vectors do not
    belong together: they are there for looks that differ.

    Without vectors and margin this is the loss of Khosla et al. 2020, arXiv 2004.11362, of which
    supervised contrastive replay (Mai et al. 2021, arXiv 2103.13885) is made.

    Parameters
    ----------
    embeddings : Tensor, shape (N, D)
        Of unit length.
    labels : Tensor, shape (N,), int64
    vectors : Tensor, shape (K, V, D), optional
        Of unit length.
    margin : float
        By how much the likeness of equals is lowered.

    Returns
    -------
    Tensor, scalar
        Mean over the elements that have an equal; 0 if none has.
    """
    left_out = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    if vectors is not None:
        classes, each = vectors.shape[:2]
        likeness = torch.einsum("nd,nvd->nv", embeddings, vectors[labels])
        nearest = F.one_hot(labels * each + likeness.argmax(1), classes * each) > 0
        own = torch.arange(classes, device=labels.device).repeat_interleave(each)
        beside = (labels[:, None] == own) & ~nearest
        left_out = torch.cat(
            [
                torch.cat([left_out, beside], 1),
                torch.cat([beside.T, own[:, None] == own], 1),
            ]
        )
        embeddings = torch.cat([embeddings, vectors.flatten(0, 1)])
        labels = torch.cat([labels, own])
    equal = labels[:, None] == labels[None, :]
    positive = equal & ~left_out
    count = positive.sum(1)
    if not bool((count > 0).any()):
        return embeddings.sum() * 0
    logits = (embeddings @ embeddings.T - margin * equal) / TAU
    logs = logits - logits.masked_fill(left_out, -torch.inf).logsumexp(1, keepdim=True)
    per_anchor = (logs * positive).sum(1) / count.clamp(min=1)
    return -per_anchor[count > 0].mean()


def relation_divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """How far the likenesses among samples in one layer are from those in another.

    Lower-layer leakage, first reading, after Nagata, Ono, Hotta 2024, arXiv 2409.11329: a shallow
    layer teaches the deep one which samples are alike. Layer, temperature and weight are ours.

    Parameters
    ----------
    teacher : Tensor, shape (N, D)
        No gradient reaches it.
    student : Tensor, shape (N, E)
        Both are normalised here.

    Returns
    -------
    Tensor, scalar
        Mean over the samples; 0 for a single one.
    """
    if len(student) < 2:
        return student.sum() * 0
    off = ~torch.eye(len(student), dtype=torch.bool, device=student.device)

    def rows(features: Tensor) -> Tensor:
        unit = F.normalize(features.float(), dim=1)
        likeness = (unit @ unit.T / TAU)[off].view(len(unit), -1)
        return likeness.log_softmax(1)

    return F.kl_div(rows(student), rows(teacher.detach()), log_target=True, reduction="batchmean")


def drawn(truth: Tensor, classes: int, most: int = 64) -> Tensor:
    """Some annotated pixels of each class.

    Parameters
    ----------
    truth : Tensor, shape (B, Y, X), int64
        -1 where nothing is annotated.
    classes : int
    most : int
        Of a class.

    Returns
    -------
    Tensor, shape (N,), int64
        Places in the flattened annotation, by torch's global generator.
    """
    flat = truth.flatten()
    chosen = []
    for k in range(classes):
        found = (flat == k).nonzero()[:, 0]
        order = torch.randperm(len(found), device=found.device)
        chosen.append(found[order[:most]])
    return torch.cat(chosen)
