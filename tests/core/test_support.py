from __future__ import annotations

import itertools
import pickle

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput, EmptySupportError
from napari_infoleak.core.image import Image, plane_hash
from napari_infoleak.core.support import SupportSet


def strokes(*shape: int, class_id: int = 2, plane: int | None = None) -> np.ndarray:
    """An annotation with one stroke of four pixels."""
    annotation = np.zeros(shape, np.uint8)
    annotation[(..., 1, slice(1, 5)) if plane is None else (plane, 1, slice(1, 5))] = class_id
    return annotation


@pytest.fixture
def stack() -> Image:
    values = np.random.default_rng(0).random((4, 8, 9)).astype(np.float32)
    return Image.from_array(values, "ZYX", name="stack")


def test_only_painted_planes_are_kept(stack: Image) -> None:
    support = SupportSet().add(stack, strokes(4, 8, 9, plane=2))
    assert [plane.index for plane in support.planes] == [(0, 2)]
    np.testing.assert_array_equal(support.planes[0].image, stack.plane(0, 2))
    assert support.planes[0].annotation.dtype == np.uint8
    assert support.strokes() == {2: 4}
    assert (len(support), bool(support), support.class_ids) == (1, True, (2,))


def test_a_change_makes_a_successor(stack: Image) -> None:
    empty = SupportSet()
    one = empty.add(stack, strokes(4, 8, 9, plane=0))
    two = one.add(stack, strokes(4, 8, 9, plane=1))
    three = two.without("stack")
    assert [len(s) for s in (empty, one, two, three)] == [0, 1, 2, 0]
    assert [s.version for s in (empty, one, two, three)] == [0, 1, 2, 3]
    assert empty.hash == three.hash
    assert len({one.hash, two.hash, three.hash}) == 3


def test_the_order_of_adding_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    parts = [(rng.random((8, 9)), strokes(8, 9, class_id=i + 1)) for i in range(3)]
    hashes = set()
    for order in itertools.permutations(parts):
        support = SupportSet()
        for image, annotation in order:
            support = support.add(image, annotation)
        hashes.add((support.hash, support.image_hashes, support.class_ids))
    assert len(hashes) == 1


def test_the_hash_knows_weight_permanence_and_labels(stack: Image) -> None:
    annotation = strokes(4, 8, 9, plane=0)
    other = strokes(4, 8, 9, plane=0, class_id=3)
    supports = [
        SupportSet().add(stack, annotation),
        SupportSet().add(stack, annotation, weight=0.5),
        SupportSet().add(stack, annotation, permanent=False),
        SupportSet().add(stack, other),
    ]
    assert len({support.hash for support in supports}) == 4


def test_the_name_does_not_change_the_hash(stack: Image) -> None:
    annotation = strokes(4, 8, 9, plane=0)
    one = SupportSet().add(stack, annotation)
    assert one.hash == SupportSet().add(stack, annotation, name="other").hash


def test_the_same_plane_counts_once(stack: Image) -> None:
    annotation = strokes(4, 8, 9, plane=0)
    support = SupportSet().add(stack, annotation)
    assert support.add(stack, annotation).hash == support.hash
    assert len(support.add(stack, annotation)) == 1


def test_painting_on_does_not_reach_into_the_set(stack: Image) -> None:
    annotation = strokes(4, 8, 9, plane=0)
    support = SupportSet().add(stack, annotation)
    annotation[:] = 7
    assert support.strokes() == {2: 4}


def test_annotated_planes_are_known_again(stack: Image) -> None:
    support = SupportSet().add(stack, strokes(4, 8, 9, plane=2))
    assert plane_hash(stack.plane(0, 2)) in support.image_hashes
    assert plane_hash(stack.plane(0, 1)) not in support.image_hashes


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint64, ">u2"])
def test_any_integer_type_is_an_annotation(dtype: object) -> None:
    annotation = strokes(8, 9).astype(dtype)  # type: ignore[call-overload]
    assert SupportSet().add(np.ones((8, 9)), annotation).strokes() == {2: 4}


def test_lazy_annotations_are_read_plane_by_plane(stack: Image) -> None:
    annotation = strokes(4, 8, 9, plane=2)
    plain = SupportSet().add(stack, annotation)
    lazy = SupportSet().add(stack, da.from_array(annotation, chunks=(1, 8, 9)))
    stored = SupportSet().add(stack, zarr.array(annotation))
    assert plain.hash == lazy.hash == stored.hash


def test_a_plane_may_be_annotated_as_a_plane() -> None:
    image = Image.from_array(np.ones((1, 1, 8, 9)), "TZYX")
    assert SupportSet().add(image, strokes(8, 9)).strokes() == {2: 4}
    assert SupportSet().add(image, strokes(1, 1, 8, 9)).strokes() == {2: 4}


def test_axes_of_length_one_may_be_left_out() -> None:
    image = Image.from_array(np.ones((1, 4, 8, 9)), "TZYX")
    support = SupportSet().add(image, strokes(4, 8, 9, plane=2))
    assert support.planes[0].index == (0, 2)
    with pytest.raises(BadInput, match="TZYX 1 x 4 x 8 x 9"):
        SupportSet().add(image, strokes(8, 9))


def test_channels_are_left_out_of_the_annotation() -> None:
    image = Image.from_array(np.stack([np.zeros((8, 9)), np.ones((8, 9))]), "CYX")
    support = SupportSet().add(image, strokes(8, 9), channel=1)
    assert support.planes[0].image.mean() == 1


def test_axes_of_an_array_can_be_given() -> None:
    array = np.random.default_rng(0).random((8, 9, 4))
    annotation = np.moveaxis(strokes(4, 8, 9, plane=2), 0, -1)
    support = SupportSet().add(array, annotation, axes="YXZ")
    assert support.planes[0].index == (0, 2)
    np.testing.assert_allclose(support.planes[0].image, array[..., 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (np.zeros((8, 8), np.uint8), "8 x 8, but the image image has YX 8 x 9"),
        (np.zeros((3, 8, 9), np.uint8), "3 x 8 x 9"),
        (np.ones((8, 9)), "float64; expected integer"),
        (np.full((8, 9), np.nan), "expected integer"),
        (np.ones((8, 9), bool), "boolean"),
        (np.full((8, 9), -1), "the value -1"),
        (np.full((8, 9), 256), "the value 256"),
        (np.full((8, 9), 70000), "cell ids instead"),
        (np.ones((8, 9), complex), "expected integer"),
    ],
)
def test_wrong_annotations_are_told_in_one_line(annotation: np.ndarray, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        SupportSet().add(np.ones((8, 9)), annotation)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_annotation_says_what_to_paint() -> None:
    with pytest.raises(EmptySupportError, match="paint at least one stroke"):
        SupportSet().add(np.ones((8, 9)), np.zeros((8, 9), np.uint8), name="cells")


def test_a_failed_addition_leaves_the_set_as_it_was(stack: Image) -> None:
    support = SupportSet().add(stack, strokes(4, 8, 9, plane=0))
    with pytest.raises(BadInput):
        support.add(stack, strokes(4, 8, 9).astype(float))
    assert (len(support), support.version) == (1, 1)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_weights_are_refused(weight: float) -> None:
    with pytest.raises(BadInput, match="weight"):
        SupportSet().add(np.ones((8, 9)), strokes(8, 9), weight=weight)


def test_classes_grow_with_the_ids_seen_and_stay() -> None:
    support = SupportSet(ClassTable.membrane().rename(2, "wall"))
    grown = support.add(np.ones((8, 9)), strokes(8, 9, class_id=9), name="a")
    assert grown.classes.names == ("interior", "wall", "class 9")
    assert grown.class_ids == (9,)
    assert grown.without("a").classes == grown.classes


def test_classes_can_be_renamed_but_not_lost() -> None:
    support = SupportSet().add(np.ones((8, 9)), strokes(8, 9, class_id=5))
    renamed = support.with_classes(ClassTable.membrane().add("golgi"))
    assert renamed.classes.ids == (1, 2, 3, 5)
    assert renamed.hash == support.hash


def test_a_support_set_travels_to_another_process(stack: Image) -> None:
    support = SupportSet().add(stack, strokes(4, 8, 9, plane=1))
    back = pickle.loads(pickle.dumps(support))
    assert (back.hash, back.version, back.classes) == (
        support.hash,
        support.version,
        support.classes,
    )
