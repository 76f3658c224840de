"""The arms of each method: itself, its controls, and a U-Net of its size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

UNET = "U-Net"
CUT = "leak cut at test"
WIDER = "U-Net of the same size"
METHOD = "method"


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes
    ----------
    name : str
        As the table has it.
    method : str
        As the registry has it.
    options : dict
        Of the network.
    recipe : dict
        Of the recipe, where it takes more than the usual.
    """

    name: str
    method: str
    options: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)


CONTROLS: dict[str, dict[str, dict[str, Any]]] = {
    "feedback-unet": {
        "feedback without LSTM": {"memory": []},
        "one look": {"rounds": 1},
        "three looks": {"rounds": 3},
        "first look counts 0.3": {"early": 0.3},
        "first look does not count": {"early": 0.0},
        "LSTM in place of a convolution": {"joint": "replace"},
    },
    "feedback-attention": {
        "plain addition": {"asks": "nobody"},
        "the output asks": {"asks": "output"},
        "first look does not count": {"early": 0.0},
    },
    "mutual-leakage": {
        "adversarial loss alone": {"leaks": "none"},
        "ATA alone": {"leaks": "ata"},
        "PDA alone": {"leaks": "pda"},
        "difficulty by the truth": {"difficulty": "truth"},
    },
    "class-distillation": {
        "no teachers": {"weight": 0.0},
        "one joint target": {"target": "joint"},
        "weight 10": {"weight": 10.0},
        "temperature 2": {"temperature": 2.0},
    },
    "word-patches": {
        "clustered words": {"kind": "clustered"},
        "free vectors": {"kind": "free"},
        "no words": {"words": 0},
    },
    "object-queries": {"no queries": {"queries": 0}},
    "continual": {
        "shallow layer teaches": {"lower": "teach"},
        "shallow layer flows forward": {"lower": "forward"},
        "one vector a class": {"vectors": 1},
    },
    "self-distillation": {"deep supervision alone": {"alpha": 0.0, "beta": 0.0}},
    "attention-self-distillation": {"every pixel again": {"sure": 1.0}},
    "shuffle-mixing": {
        "no shift": {"shift": "none"},
        "groups shifted": {"shift": "group"},
        "no shift, no overlap": {"shift": "none", "overlap": False},
        "no overlap": {"overlap": False},
    },
    "axial-local": {"no local embedding": {"local": False}},
    "feature-aggregation": {
        "all of the window alike": {"similarity": False},
        "in place of the skip": {"joint": "replace"},
    },
    "cross-cooperative": {
        "not connected": {"places": []},
        "one way": {"ways": "one"},
        "at the bottom": {"places": ["bottom"]},
        "in the decoder": {"places": ["decoder"]},
    },
    "loop-resnet-3d": {"one look": {"rounds": 1}, "blocks twice": {"rounds": 1, "times": 2}},
    "time-series": {},
}

AT_TEST = (
    "feedback-unet",
    "feedback-attention",
    "mutual-leakage",
    "word-patches",
    "object-queries",
    "attention-self-distillation",
    "shuffle-mixing",
    "axial-local",
    "feature-aggregation",
    "cross-cooperative",
    "loop-resnet-3d",
)
"""Methods whose leak can be cut once they are trained."""


def arms(method: str, widths: tuple[int, ...], features: int) -> list[Arm]:
    """All arms of a method, at sizes of a plain U-Net; the baseline first."""
    sizes: dict[str, Any] = {"widths": list(widths), "features": features}
    baseline = Arm(UNET, "unet", sizes)
    if method == "time-series":
        orders = {METHOD: "time", "all planes at once": "once", "random order": "random"}
        return [baseline, *(Arm(n, method, sizes, {"order": o}) for n, o in orders.items())]
    own = dict(sizes)
    if method == "class-distillation":
        own |= {"teacher_widths": [2 * w for w in widths], "teacher_features": 2 * features}
    elif method == "loop-resnet-3d":
        del own["features"]
    controls = CONTROLS[method].items()
    made = [Arm(METHOD, method, own), *(Arm(n, method, own | more) for n, more in controls)]
    taught = ("class-distillation", "self-distillation")  # as large as the baseline at test
    wider = [] if method in taught else [Arm(WIDER, "unet", sizes)]
    return [baseline, *made, *wider]
