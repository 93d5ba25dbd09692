"""What crosses a wire is shared with nobody."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from dojo.lab.copies import copied

atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
trees = st.recursive(
    atoms, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner) | st.sets(atoms)
)


@dataclass
class Row:
    tags: list[str]


def containers(value):
    if isinstance(value, (list, dict)):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from containers(each)


@given(trees)
def test_a_copy_equals_what_was_copied_and_has_no_list_or_dict_in_common_with_it(value):
    other = copied(value)
    assert (other, type(other)) == (copy.deepcopy(value), type(value))
    assert not {id(each) for each in containers(value)} & {id(each) for each in containers(other)}


def test_what_is_none_of_pythons_own_is_copied_too():
    row = Row(["new"])
    other = copied({"row": row})
    other["row"].tags.append("sold")
    assert row == Row(["new"])
