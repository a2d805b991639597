"""Passages: bounded, complete, and each says where it comes from."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aepo.tools.corpus.documents import Block, Document
from aepo.tools.corpus.passages import Size, split

SENTENCE = "Every one of these sentences has exactly ten words in it. "


USUAL = Size(100)


def passages(blocks, size=USUAL, title="Rivers", identity="doc"):
    return list(split(Document(identity, title, "https://example.org", tuple(blocks)), size))


def texts(blocks, **options):
    return [passage.text for passage in passages(blocks, **options)]


class TestHeadings:
    def test_no_passage_goes_over_a_heading(self):
        found = passages([Block("before"), Block("Elbe", 2), Block("one"), Block("two"), Block("Rhine", 2), Block("x")])
        assert [(passage.title, passage.text) for passage in found] == [
            ("Rivers", "before"),
            ("Rivers › Elbe", "one\ntwo"),
            ("Rivers › Rhine", "x"),
        ]

    def test_the_title_is_the_path_to_the_heading(self):
        blocks = [Block("Rivers", 1), Block("Europe", 2), Block("Elbe", 4), Block("x"), Block("Asia", 2), Block("y")]
        assert [passage.title for passage in passages(blocks)] == ["Rivers › Europe › Elbe", "Rivers › Asia"]

    def test_a_long_heading_is_cut(self):
        (passage,) = passages([Block("word " * 100, 2), Block("x")])
        assert len(passage.title) < 150


class TestSize:
    def test_long_texts_are_cut_at_sentences_into_equal_parts(self):
        assert texts([Block(SENTENCE * 12)]) == [(SENTENCE * 6).strip()] * 2

    def test_code_is_cut_at_lines(self):
        lines = [f"line {number} of code" for number in range(30)]
        found = texts([Block("\n".join(lines))], size=Size(50))
        assert "\n".join(found) == "\n".join(lines)
        assert len(found) == 3

    def test_a_text_without_spaces_is_cut_too(self):
        assert [len(text) for text in texts([Block("河" * 2500)])] == [1000, 1000, 500]

    def test_chinese_is_cut_at_its_full_stops(self):
        assert texts([Block("河水上涨。" * 30)], size=Size(10)) == ["河水上涨。" * 15] * 2

    def test_overlap_repeats_the_last_words(self):
        found = texts(
            [Block(" ".join(f"Sentence {number} has six words exactly." for number in range(20)))], size=Size(30, 6)
        )
        assert len(found) == 5
        for before, after in pairwise(found):
            assert after.startswith(" ".join(before.split()[-6:]))
        assert all(len(text.split()) <= 30 for text in found)

    @given(
        st.text(alphabet="ab .\n。\t", max_size=400) | st.text(max_size=100),
        st.integers(1, 12),
        st.integers(0, 6),
    )
    def test_nothing_is_lost_or_too_large(self, text, words, overlap):
        size = Size(words, min(overlap, words // 2))
        whole = texts([Block(text)], size=Size(words))
        assert "".join("".join(whole).split()) == "".join(text.split())
        for part in [*whole, *texts([Block(text)], size=size)]:
            assert 0 < len(part.split()) <= words
            assert len(part) <= 10 * words


class TestIds:
    def test_they_are_numbered_within_their_document(self):
        blocks = [Block(SENTENCE * 25)]
        assert [passage.id for passage in passages(blocks)] == ["doc:0", "doc:1", "doc:2"]
        assert passages(blocks) == passages(blocks)

    def test_a_document_of_one_passage_keeps_its_own(self):
        assert [passage.id for passage in passages([Block("x")])] == ["doc"]

    @pytest.mark.parametrize("blocks", [[], [Block("only a heading", 1)]])
    def test_a_document_without_text_has_none(self, blocks):
        assert passages(blocks) == []
