from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_infoleak.core.classes import ClassEntry, ClassTable, colour_of
from napari_infoleak.core.errors import BadInput


def test_the_preset_is_interior_and_membrane() -> None:
    table = ClassTable.membrane()
    assert (table.ids, table.names) == ((1, 2), ("interior", "membrane"))


@given(st.sets(st.integers(1, 254), max_size=20), st.integers(1, 5))
def test_adding_never_renumbers_and_never_reuses(ids: set[int], more: int) -> None:
    table = ClassTable.for_ids(ids)
    grown = table
    for number in range(more):
        if max(grown.ids, default=0) == 255:
            break
        grown = grown.add(f"new {number}")
        assert grown.ids[-1] == max(grown.ids[:-1], default=0) + 1
    assert grown.entries[: len(table)] == table.entries


def test_a_full_table_says_so() -> None:
    table = ClassTable.for_ids(range(1, 256))
    with pytest.raises(BadInput, match="full"):
        table.add("one more")


def test_an_id_in_a_gap_is_used_before_giving_up() -> None:
    assert ClassTable.for_ids([3, 255]).add("late").ids[-1] == 1


def test_names_follow_the_preset_and_the_number() -> None:
    assert ClassTable.for_ids([2, 7, 1]).names == ("interior", "membrane", "class 7")


def test_a_taken_preset_name_is_not_given_twice() -> None:
    table = ClassTable((ClassEntry(5, "membrane", "#ff0000"),)).with_ids([2])
    assert table.names == ("membrane", "class 2")


@pytest.mark.parametrize("name", ["", "   ", "membrane"])
def test_a_class_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(BadInput):
        ClassTable.membrane().add(name)


@pytest.mark.parametrize("class_id", [0, -1, 256])
def test_ids_out_of_range_are_refused(class_id: int) -> None:
    with pytest.raises(BadInput, match="0 is unlabelled"):
        ClassEntry(class_id, "x", "#000000")


@pytest.mark.parametrize("colour", ["red", "#12345", "#gggggg", "123456"])
def test_malformed_colours_are_refused(colour: str) -> None:
    with pytest.raises(BadInput, match="#rrggbb"):
        ClassTable.membrane().recolour(1, colour)


def test_a_class_is_found_by_its_id() -> None:
    table = ClassTable.for_ids([3, 9])
    assert table[9].id == 9
    assert 9 in table
    assert 1 not in table
    with pytest.raises(BadInput, match="no class 1; the classes are: 3 class 3, 9 class 9"):
        table[1]


def test_renaming_and_recolouring_leave_the_old_table_as_it_was() -> None:
    table = ClassTable.membrane()
    changed = table.rename(2, " wall ").recolour(2, "#ABCDEF")
    assert (changed[2].name, changed[2].colour) == ("wall", "#abcdef")
    assert table == ClassTable.membrane()


@given(st.sets(st.integers(1, 255), max_size=30))
def test_json_there_and_back(ids: set[int]) -> None:
    table = ClassTable.for_ids(ids)
    assert ClassTable.from_json(json.loads(json.dumps(table.to_json()))) == table


@pytest.mark.parametrize(
    "value", [None, 3, "ab", [1], [{}], [{"id": 1}], [{"id": "x", "name": "y"}]]
)
def test_malformed_json_is_told(value: object) -> None:
    with pytest.raises(BadInput):
        ClassTable.from_json(value)  # type: ignore[arg-type]


def test_repeated_ids_are_refused() -> None:
    with pytest.raises(BadInput, match="two classes have the id 1"):
        ClassTable((ClassEntry(1, "a", "#000000"), ClassEntry(1, "b", "#000000")))


def test_default_colours_differ() -> None:
    colours = [colour_of(class_id) for class_id in range(1, 31)]
    assert len(set(colours)) == 30


def test_a_new_class_gets_a_colour_that_nobody_has() -> None:
    table = ClassTable.membrane().recolour(1, colour_of(3)).add("third")
    assert len({entry.colour for entry in table}) == 3
