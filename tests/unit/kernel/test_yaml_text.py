"""The part of YAML that people write by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.kernel.yaml_text import YamlError, read, write

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=40)
)
keys = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@settings(max_examples=1000, deadline=None)
@given(values)
def test_what_is_written_reads_the_same(value):
    assert read(write(value)).plain() == value


@settings(max_examples=1000, deadline=None)
@given(st.text(st.sampled_from("ab:-#[]{},'\"|> \n\t&*!0.") | st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_read_or_refused_with_its_line(text):
    refused = None
    try:
        read(text)
    except YamlError as error:
        refused = error
    assert refused is None or 1 <= refused.line <= text.count("\n") + text.count("\r") + 1


HAND_WRITTEN = """\
# rules of the harbour
---
title: "Collision: {where}"   # where it is
words: [a, 'it''s', "line\\nbreak", 12:30]
place: {lat: 41.5, is_open: true, note: ~}
steps:
- first step
-   second: 2
    third: [x,
            y]   # over two lines
- - nested
  - list
folded: >-
  one line
  and the same

  another
kept: |
  as
    it stands
long: text that
  goes on
url: http://example.org/a#b
answer: no
nothing:
"""


def test_what_people_write_by_hand_is_read():
    assert read(HAND_WRITTEN).plain() == {
        "title": "Collision: {where}",
        "words": ["a", "it's", "line\nbreak", "12:30"],
        "place": {"lat": 41.5, "is_open": True, "note": None},
        "steps": ["first step", {"second": 2, "third": ["x", "y"]}, ["nested", "list"]],
        "folded": "one line and the same\nanother",
        "kept": "as\n  it stands\n",
        "long": "text that goes on",
        "url": "http://example.org/a#b",
        "answer": "no",
        "nothing": None,
    }


def test_every_value_knows_its_line():
    root = read(HAND_WRITTEN)

    assert root.line_at(("steps", 1, "third")) == 9
    assert root.line_at(("steps", 1, "no such name")) == 8
    assert root.line_at(("answer",)) == 24


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\na: 2", 2, "second time"),
        ("a: &x 1", 1, "anchor"),
        ("a: *x", 1, "alias"),
        ("a: !!python/object 1", 1, "tag"),
        ("a:\n\tb: 1", 2, "tab"),
        ("a: 1\n  b: 2", 2, "indentation"),
        ("a: [1, 2", 1, "missing"),
        ("a: [1\nb: 2", 2, "missing"),
        ('a: "open', 1, "quote"),
        ("a: b: c", 1, "quotes"),
        ("a: 1\nb", 2, "is expected"),
        ("a: {b: 1 c: 2}", 1, "missing"),
        ("a: 1\n---\nb: 2", 2, "one document"),
        ("%YAML 1.2\n---\na: 1", 1, "directive"),
        ("? [a, b]\n: 1", 1, "key"),
        ("a: 1e999", 1, "too large"),
        ("- a\nb: 1", 2, "further left or right"),
        ("a:\n    b: 1\n  c: 2", 3, "further"),
    ],
)
def test_what_is_not_read_is_refused_with_its_line(text, line, says):
    with pytest.raises(YamlError) as refused:
        read(text)

    assert refused.value.line == line
    assert says in refused.value.sentence


def test_a_nest_of_brackets_ends_in_a_sentence():
    with pytest.raises(YamlError, match="too deep"):
        read("[" * 5000 + "]" * 5000)
