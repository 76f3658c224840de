"""Blocks of a transformer: tokens that read from tokens."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Attention with several heads.

    Parameters
    ----------
    dimensions, heads : int
        Heads share the dimensions.
    """

    def __init__(self, dimensions: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dimensions, dimensions)
        self.key = nn.Linear(dimensions, dimensions)
        self.value = nn.Linear(dimensions, dimensions)
        self.out = nn.Linear(dimensions, dimensions)

    def forward(self, asking: Tensor, answering: Tensor, bias: Tensor | None = None) -> Tensor:
        """Read.

        Parameters
        ----------
        asking : Tensor, shape (B, N, D)
        answering : Tensor, shape (B, M, D)
        bias : Tensor, shape (M,), optional
            Logarithm of how much each of the answering tokens counts.

        Returns
        -------
        Tensor, shape (B, N, D)
        """
        query, key, value = (
            rearrange(layer(tokens), "b n (h d) -> b h n d", h=self.heads)
            for layer, tokens in (
                (self.query, asking),
                (self.key, answering),
                (self.value, answering),
            )
        )
        mask = None if bias is None else bias.expand(query.shape[2], -1)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined: Tensor = self.out(rearrange(found, "b h n d -> b n (h d)"))
        return joined


class Block(nn.Module):
    """A pre-norm transformer block: tokens read from one another, then each is worked on.

    Parameters
    ----------
    dimensions, heads : int
    ratio : int
        Width of the feed-forward layer, in dimensions.
    """

    def __init__(self, dimensions: int, heads: int = 4, ratio: int = 2) -> None:
        super().__init__()
        self.first = nn.LayerNorm(dimensions)
        self.attention = Attention(dimensions, heads)
        self.second = nn.LayerNorm(dimensions)
        self.work = nn.Sequential(
            nn.Linear(dimensions, ratio * dimensions),
            nn.GELU(),
            nn.Linear(ratio * dimensions, dimensions),
        )

    def forward(self, tokens: Tensor, bias: Tensor | None = None) -> Tensor:
        """(B N D) -> (B N D); `bias` as of `Attention`."""
        normal = self.first(tokens)
        tokens = tokens + self.attention(normal, normal, bias)
        worked: Tensor = self.work(self.second(tokens))
        return tokens + worked
