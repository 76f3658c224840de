"""What every segmenter offers, so that the floors above need to know none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor, nn

    from napari_infoleak.core.classes import ClassEntry, ClassTable
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.segmenters.batch import Batch


@dataclass(frozen=True)
class SegmenterSpec:
    """What the tiling and the user need to know of a segmenter.

    Attributes
    ----------
    name : str
        Name of the method.
    dims : tuple of int
        Dimensions of space that it takes: 2, 3 or both.
    halo : int
        Pixels to each side that an answer depends on; negative if there is no bound.
    multiple_of : int
        Sizes of tiles must be multiples of it.
    channels : int
    needs_support : bool
        Whether it has no answer without annotations.
    """

    name: str
    dims: tuple[int, ...]
    halo: int
    multiple_of: int
    channels: int
    needs_support: bool


class Memory(Protocol):
    """What a segmenter made of a support set."""

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Class ids in the order of the scores."""

    @property
    def version(self) -> str:
        """Changes whenever the support set or the weights do."""


@runtime_checkable
class Segmenter(Protocol):
    """Turn tiles into class scores. B tiles, C channels, K classes."""

    @property
    def spec(self) -> SegmenterSpec:
        """What it takes."""

    @property
    def classes(self) -> ClassTable:
        """Classes that it answers with when there is no support set."""

    def remember(self, support: SupportSet) -> Any:
        """Make a memory of a support set: dear, once a version of it, incremental."""

    def scores(self, tiles: Tensor, memory: Any) -> Tensor:
        """Answer; (B C Y X) of normalised grey values -> (B K Y X), pure."""

    def modules(self) -> Iterable[nn.Module]:
        """Networks inside, to be moved to a device and folded."""

    def with_leak(self, leak: float) -> Segmenter:
        """Return the same segmenter with another strength of the leak, 0 to 1."""

    def tensors(self) -> dict[str, Tensor]:
        """Weights by name, to be saved."""

    def header(self) -> dict[str, Any]:
        """All else that `registry.load` needs: method, configuration, classes; plain JSON."""


@runtime_checkable
class Repeatable(Protocol):
    """A segmenter that can keep what it saw in a tile until the user has painted some more."""

    def scores_again(self, tiles: Tensor, memory: Any) -> Tensor:
        """As `scores`, bit by bit, for tiles that will be asked about again."""


@runtime_checkable
class Rounds(Protocol):
    """A segmenter that looks several times before it answers."""

    @property
    def rounds(self) -> int:
        """How often it looks."""

    def after(self, rounds: int) -> Segmenter:
        """Return the same segmenter, which answers after so many looks: what it thought then."""


@runtime_checkable
class Windowed(Protocol):
    """A segmenter to which the margin of a tile costs less than what lies within."""

    def scores_within(
        self, tiles: Tensor, memory: Any, window: tuple[slice, slice], *, again: bool
    ) -> Tensor:
        """Score a window of tiles; what is around it, as far as the halo, is only looked at.

        Parameters
        ----------
        tiles : Tensor, shape (B, C, Y, X)
        memory : Memory
        window : (slice, slice)
            Rows and columns.
        again : bool
            Whether the tiles will be asked about again, with other paint.

        Returns
        -------
        Tensor, shape (B, K, rows, columns)
        """


@runtime_checkable
class LooksUp(Protocol):
    """A segmenter that looks tiles up in a memory of annotated cells, see `segmenters.memory`."""

    @property
    def stride(self) -> int:
        """Pixels a side of a cell."""

    @property
    def tau(self) -> float:
        """Temperature: a cell counts as exp(likeness / tau), times its weight."""

    def keys(self, tiles: Tensor) -> Tensor:
        """Say what cells look like: (B C Y X) -> (B D Y/stride X/stride), unit length."""


@runtime_checkable
class Wonders(Protocol):
    """A segmenter that knows what it has never seen."""

    def strangeness(self, tiles: Tensor, memory: Any) -> Tensor:
        """How unlike every class pixels are, (B C Y X) -> (B Y X).

        One less the likeness to what is nearest: 0 is what a class looks like, from 1 on it looks
        like none.
        """


@runtime_checkable
class Trainable(Segmenter, Protocol):
    """A segmenter that learns.

    `modules` holds all that is trained or kept, `tensors` what a model file needs to answer:
    teachers and helping heads are in the first alone.

    The loop calls `loss` with the modules in training mode, and nothing else may change weights.
    Random numbers come from torch's global generator, which the loop seeds anew for each step, so
    that training that was stopped goes on as if it had not been.
    """

    def begin(self, sample: Batch) -> None:
        """Look at some crops once, before the first step; never when a training is resumed."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Say how wrong the answers are: named terms, scalars with their weights applied.

        The terms are summed. One called ``group/term`` moves the parameters of that group alone
        (`groups`), all others those of the first group alone: an adversary needs no detaching.
        Terms without a gradient are reported and not learned from.
        """

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """Parameters to be learned, an optimiser a name; an adversary is a second name."""

    def grow(self, entries: Sequence[ClassEntry]) -> None:
        """Append classes to the table; the scores of the old ones do not change by that."""

    def adopt(self, tensors: Mapping[str, Tensor], classes: ClassTable) -> list[str]:
        """Take over the weights of another model where they fit, and name those taken.

        What belongs to a class is taken for the classes that both tables hold.
        """
