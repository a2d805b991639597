from hypothesis import given
from hypothesis import strategies as st

from aepo.tools.browse.windows import windows


def test_a_short_text_is_one_window():
    assert windows("short", 5) == ["short"]
    assert windows("", 5) == [""]


def test_windows_end_at_lines_before_words():
    assert windows("one two three\nfour five", 16) == ["one two three\n", "four five"]
    assert windows("one two three four five", 16) == ["one two three ", "four five"]


def test_a_word_is_cut_where_there_is_nothing_else():
    assert windows("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


@given(st.text(alphabet="ab \n", max_size=300), st.integers(1, 40))
def test_nothing_is_lost_repeated_or_too_long(text, size):
    parts = windows(text, size)
    assert "".join(parts) == text
    assert all(len(part) <= size for part in parts)
    assert all(len(part) >= size * 0.8 - 1 for part in parts[:-1])
