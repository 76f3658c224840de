"""What there is to choose from: methods by name, and models that lie ready or in files.

A table of strings: listing imports neither torch nor any network. A method joins by an entry in
`METHODS`; the class that it names has ``fresh``, if it trains, and ``from_file``.
"""

from __future__ import annotations

import difflib
import json
import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput, BadModelFile

if TYPE_CHECKING:
    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.segmenters.protocol import Segmenter, Trainable

_SHIPPED = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class MethodInfo:
    """A method that a user can choose.

    Attributes
    ----------
    name, title, summary, paper : str
        Summary is one plain sentence; paper a DOI or arXiv number.
    evidence : str
        "confirmed" where the paper or its authors' code says how, "reconstructed" where we chose.
    dims : tuple of int
    trains, needs_support : bool
    location : str
        Module and class, ``module:Class``.
    init : str or None
        Model that training starts from where nothing else is said; None starts from nothing.
    recipe : str
        How it learns, ``module:function``.
    frames : bool
        Whether it learns from planes that are not annotated, too.
    rounds : bool
        Whether it looks several times before it answers.
    """

    name: str
    title: str
    summary: str
    paper: str
    evidence: str
    dims: tuple[int, ...]
    trains: bool
    needs_support: bool
    location: str
    init: str | None = None
    recipe: str = "napari_infoleak.learn.recipes.supervised:supervised"
    frames: bool = False
    rounds: bool = False


@dataclass(frozen=True)
class ModelInfo:
    """Weights that lie ready.

    Attributes
    ----------
    name : str
    path : Path
    method : str
    size_bytes : int
    classes : tuple of str
    description : str
    sha256 : str
        Of the file.
    """

    name: str
    path: Path
    method: str
    size_bytes: int
    classes: tuple[str, ...]
    description: str
    sha256: str


METHODS: dict[str, MethodInfo] = {
    info.name: info
    for info in (
        MethodInfo(
            name="annotation-leakage",
            title="Annotation leakage",
            summary="Your strokes are looked up while an image is segmented; needs no training.",
            paper="arXiv 2304.07991",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.annotation_leakage:AnnotationLeakage",
            init="membrane",
            recipe="napari_infoleak.learn.recipes.episodic:episodic",
        ),
        MethodInfo(
            name="feedback-unet",
            title="Feedback U-Net",
            summary="Its answer returns to its input, and it looks a second time.",
            paper="arXiv 2004.14581",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.feedback_unet:FeedbackSegmenter",
            rounds=True,
            init="membrane",
        ),
        MethodInfo(
            name="feedback-attention",
            title="Feedback attention",
            summary="It looks twice; the second look reads by attention what the first found.",
            paper="arXiv 2008.06474",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.feedback_attention:FeedbackAttentionSegmenter",
            rounds=True,
            init="membrane",
        ),
        MethodInfo(
            name="mutual-leakage",
            title="Adversarial mutual leakage",
            summary="A judge learns what annotations look like; network and judge help each other.",
            paper="arXiv 2203.10455",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.mutual_leakage:MutualLeakageSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="class-distillation",
            title="Class-wise distillation",
            summary="A specialist for each class teaches one small, fast network.",
            paper="doi 10.5220/0011719900003414",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.class_distillation:DistillationSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="time-series",
            title="Time-series pseudo-labels",
            summary="Planes next to annotated ones are labelled first, and learned from in turn.",
            paper="SciTePress 117218",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.time_series:TimeSeriesSegmenter",
            init="membrane",
            recipe="napari_infoleak.learn.recipes.pseudo_labels:pseudo_labels",
            frames=True,
        ),
        MethodInfo(
            name="word-patches",
            title="Word patches",
            summary="Typical patches of your images are read, like words, beside each new image.",
            paper="SciTePress 117329",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.word_patches:WordPatchSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="object-queries",
            title="Object queries",
            summary="A few learned vectors ask what an image holds, and every place reads them.",
            paper="MIRU 2022 (Takama, Hotta)",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.object_queries:ObjectQueriesSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="shuffle-mixing",
            title="Shuffle mixing",
            summary="Channels exchange pixels, so that a cheap convolution mixes them all.",
            paper="doi 10.5220/0011720200003417",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.shuffle_mixing:ShuffleMixingSegmenter",
        ),
        MethodInfo(
            name="axial-local",
            title="Axial attention with local embedding",
            summary="It looks along rows and columns, each place after its neighbours.",
            paper="IEEE ICIP (Furukawa, Hotta)",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.axial_local:AxialLocalSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="feature-aggregation",
            title="Localized feature aggregation",
            summary="Positions are taken from nearby places that look alike.",
            paper="arXiv 2112.01702",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.feature_aggregation:FeatureAggregationSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="cross-cooperative",
            title="Cross cooperative pair",
            summary="Two networks of different kinds learn side by side and share what they see.",
            paper="SciTePress 108898",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.cross_cooperative:CrossCooperativeSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="self-distillation",
            title="Self-distillation",
            summary="Its last layer teaches the layers before it while it learns.",
            paper="MIRU 2022 (Ando, Hotta)",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.self_distillation:SelfDistillationSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="attention-self-distillation",
            title="Attention self-distillation",
            summary="It corrects its wrong pixels by attention, and learns from the correction.",
            paper="MIRU 2022 (Ikedo, Nagata, Hotta)",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.attention_self_distillation:AttentionSelfDistillationSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="continual",
            title="Continual learning",
            summary="Classes can join a trained model without it forgetting the old ones.",
            paper="doi 10.1109/ICCVW60793.2023.00383",
            evidence="reconstructed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.continual:ContinualSegmenter",
            init="membrane",
        ),
        MethodInfo(
            name="loop-resnet-3d",
            title="3-D Loop ResNet",
            summary="Looks at a stack twice, the second time with a hint from deep inside.",
            paper="ICPR 2022 (Kakamu, Hotta)",
            evidence="reconstructed",
            dims=(3,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.loop_resnet_3d:LoopResNet3DSegmenter",
            rounds=True,
            frames=True,
        ),
        MethodInfo(
            name="unet",
            title="Plain U-Net",
            summary="Trained on your annotations in the usual way; others are compared with it.",
            paper="arXiv 1505.04597",
            evidence="confirmed",
            dims=(2,),
            trains=True,
            needs_support=False,
            location="napari_infoleak.segmenters.unet:PlainUNet",
            init="membrane",
        ),
    )
}


def methods() -> list[MethodInfo]:
    """All methods, in the order in which they are shown."""
    return list(METHODS.values())


def method(name: str) -> MethodInfo:
    """The method of a name.

    Raises
    ------
    BadInput
        If there is none; the message names the nearest.
    """
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(METHODS)}"
    raise BadInput(f"there is no method {name[:200]!r}; {hint}")


def fresh(name: str, classes: ClassTable, channels: int = 1, **options: Any) -> Trainable:
    """Make a segmenter of a method that has learned nothing.

    Parameters
    ----------
    name : str
        A name of `methods`.
    classes : ClassTable
        What it shall tell apart.
    channels : int
        Channels of the image.
    **options
        Sizes of the network, as the method has them.

    Raises
    ------
    BadInput
        If there is no such method, or it does not train.
    """
    info = method(name)
    if not info.trains:
        able = ", ".join(one.name for one in methods() if one.trains)
        raise BadInput(f"the method {name} is not trained; choose one of {able}")
    made: Trainable = _class_of(info).fresh(classes, channels, **options)
    return made


def models() -> list[ModelInfo]:
    """All weights that are shipped."""
    return [_describe(path) for path in sorted(_SHIPPED.glob("*.safetensors"))]


@cache
def _describe(path: Path) -> ModelInfo:
    from napari_infoleak.io.weights import weights_hash

    header = _peek(path)
    return ModelInfo(
        name=path.stem,
        path=path,
        method=str(header.get("method", "")),
        size_bytes=path.stat().st_size,
        classes=tuple(str(entry["name"]) for entry in header.get("classes", [])),
        description=str(header.get("description", "")),
        sha256=weights_hash(path),
    )


def _peek(path: Path) -> dict[str, Any]:
    """The header of a weights file, without its tensors."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        outer = json.loads(file.read(length))
    found: dict[str, Any] = json.loads(outer["__metadata__"]["infoleak"])
    return found


def load(model: str | Path, device: str = "cpu") -> Segmenter:
    """Make a segmenter from shipped weights or from a file.

    Parameters
    ----------
    model : str or Path
        A name of `models`, or the path of a ``.safetensors`` file.
    device : str
        Where the weights go, as torch names it.

    Returns
    -------
    Segmenter

    Raises
    ------
    BadInput
        If there is no model of that name.
    BadModelFile
        If the file is no model of ours, or damaged.
    """
    from napari_infoleak.io.weights import load_weights

    tensors, header = load_weights(path_of(model))
    info = METHODS.get(str(header.get("method")))
    if info is None:
        raise BadModelFile(
            f"the model {model} was made by the method {header.get('method')!r}, which this"
            f" version does not know; it knows {', '.join(METHODS)}"
        )
    segmenter: Segmenter = _class_of(info).from_file(tensors, header)
    for part in segmenter.modules():
        part.to(device)
    return segmenter


def _class_of(info: MethodInfo) -> Any:
    module, name = info.location.split(":")
    return getattr(import_module(module), name)


def path_of(model: str | Path) -> Path:
    """The file of a shipped model, or of one that is named by its path.

    Raises
    ------
    BadInput
        If there is none; the message names the nearest.
    """
    with suppress(OSError):  # a name that is too long for a file
        shipped = _SHIPPED / f"{model}.safetensors"
        if isinstance(model, str) and shipped.is_file():
            return shipped
        if Path(model).is_file():
            return Path(model)
    known = [found.stem for found in sorted(_SHIPPED.glob("*.safetensors"))]
    near = difflib.get_close_matches(str(model), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    raise BadInput(f"there is no model or model file {str(model)[:200]!r}; {hint}")
