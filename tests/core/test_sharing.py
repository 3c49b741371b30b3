"""One copy of what is equal."""

import copy

from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.core.sharing import Sharing, grafted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def identical(one, other):
    """Equal, and of the same types: 1, 1.0 and True are three things."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(identical(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(identical, one, other))
    return one == other


@given(st.lists(JSON, max_size=5))
def test_what_comes_back_is_what_went_in(values):
    share = Sharing()
    assert all(identical(share(copy.deepcopy(value)), value) for value in values)


def test_equal_parts_of_different_values_are_one_object():
    share = Sharing()
    one = share({"name": "a", "probe": {"path": "/healthz", "port": 8080}})
    other = share({"name": "b", "probe": {"path": "/healthz", "port": 8080}})
    assert one["probe"] is other["probe"]


def test_a_number_does_not_take_the_place_of_a_truth_value():
    share = Sharing()
    assert [type(share(value)) for value in ([1], [True], [1.0])] == [list] * 3
    assert [share([value])[0] is value for value in (1, True)] == [True, True]


def in_any_order(value):
    """The same with the keys in order: where they stand means nothing."""
    if isinstance(value, dict):
        return {key: in_any_order(value[key]) for key in sorted(value)}
    return [in_any_order(part) for part in value] if isinstance(value, list) else value


@given(JSON, JSON)
@example({"": None}, {"0": None})
def test_what_is_grafted_onto_an_older_value_is_what_it_was(new, old):
    before = copy.deepcopy(new), copy.deepcopy(old)
    assert identical(in_any_order(grafted(new, old)), in_any_order(before[0]))
    assert identical(new, before[0])
    assert identical(old, before[1])


def test_a_new_version_takes_over_all_that_stayed_the_same():
    old = {"metadata": {"name": "a"}, "env": [{"name": "TAG", "value": "1"}, {"name": "LEVEL", "value": "info"}], "count": 1}
    new = grafted({**copy.deepcopy(old), "env": [{"name": "TAG", "value": "2"}, {"name": "LEVEL", "value": "info"}]}, old)
    assert new["env"][0]["value"] == "2"
    assert new["metadata"] is old["metadata"]
    assert new["env"][1] is old["env"][1]
    assert grafted(copy.deepcopy(old), old) is old
    assert grafted({**old, "count": True}, old)["count"] is True
