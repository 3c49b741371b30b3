"""Values: what the shared methods promise, held against the standard library's own."""

import dataclasses

import pytest

from reconciler.model.value import dataclass


def of(decorator):
    @decorator
    class Point:
        """A point."""

        x: int
        y: int = 0
        secret: str = dataclasses.field(default="", repr=False)
        note: str = dataclasses.field(default="", compare=False)

    return Point


Ours = of(dataclass(frozen=True, slots=True))
Theirs = of(dataclasses.dataclass(frozen=True, slots=True))
MANY = [(1,), (1, 2), (1, 2, "s"), (1, 2, "s", "n"), (2, 1, "s", "m")]


@pytest.mark.parametrize("one", MANY)
@pytest.mark.parametrize("other", MANY)
def test_equality_and_hash_are_those_of_the_standard_library(one, other):
    assert (Ours(*one) == Ours(*other)) == (Theirs(*one) == Theirs(*other))
    assert (hash(Ours(*one)) == hash(Ours(*other))) == (hash(Theirs(*one)) == hash(Theirs(*other)))


@pytest.mark.parametrize("one", MANY)
def test_text_is_that_of_the_standard_library_and_leaves_out_what_it_leaves_out(one):
    assert repr(Ours(*one)) == repr(Theirs(*one))
    assert "secret" not in repr(Ours(1, 2, "hush"))


def test_values_of_other_types_are_never_equal():
    class Other(Ours):
        """Another type with the same fields."""

    assert Ours(1) != Theirs(1)
    assert Ours(1) != (1, 0, "", "")
    assert Ours(1) != Other(1)


def test_it_can_be_replaced_matched_and_taken_for_a_dataclass():
    assert dataclasses.replace(Ours(1), y=3) == Ours(1, 3)
    assert [field.name for field in dataclasses.fields(Ours)] == ["x", "y", "secret", "note"]
    match Ours(1, 2):
        case Ours(x, y):
            assert (x, y) == (1, 2)
    with pytest.raises(AttributeError):
        Ours(1).z = 1


def test_what_a_class_says_itself_stays():
    @dataclass(frozen=True, slots=True)
    class Said:
        """It has its own."""

        x: int

        def __eq__(self, other):
            return True

        def __hash__(self):
            return 7

        def __repr__(self):
            return "said"

    assert Said(1) == Said(2)
    assert hash(Said(1)) == 7
    assert repr(Said(1)) == "said"
