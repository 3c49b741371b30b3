"""One copy of what is equal."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.sharing import Sharing

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
