"""A real corpus: the documentation of Python, and forty questions of people who look something up in it.

`python_doc_questions.jsonl` names for each question the places that answer it: a page, and a part of the title of the
passage (empty: anywhere on the page).
"""

import json
import random
from pathlib import Path

import pytest
from lxml import html

from aepo.tools.corpus.index import Index

QUESTIONS = [json.loads(line) for line in Path(__file__).with_name("python_doc_questions.jsonl").open(encoding="utf-8")]


@pytest.fixture(scope="module")
def index(python_corpus):
    return Index.open(python_corpus.folder)


@pytest.fixture(scope="module")
def passages(index):
    return [index.passages[number] for number in range(len(index.passages))]


def page_of(passage):
    return passage.id.rpartition(":")[0] or passage.id


def answers(passage, question):
    places = question["answers"]
    return any(page_of(passage) == page and part.lower() in passage.title.lower() for page, part in places)


class TestCorpus:
    def test_it_is_large_and_every_file_is_accounted_for(self, python_corpus, python_documentation):
        assert python_corpus.passages >= 15_000
        pages = [path for path in python_documentation.rglob("*.html") if not path.parent.name.startswith("_")]
        assert python_corpus.documents + len(python_corpus.unusable) == len(pages)
        assert {entry.name.partition("-")[0] for entry in python_corpus.unusable} <= {
            "genindex",  # links and nothing else
            "contents.html",
            "faq/index.html",
        }

    def test_passages_are_bounded_and_say_what_they_are_about(self, passages):
        for passage in passages:
            assert 0 < len(passage.text.split()) <= 100
            assert len(passage.text) <= 1000
            assert passage.title
            assert passage.url == f"https://docs.python.org/3/{page_of(passage)}"
        assert len({passage.id for passage in passages}) == len(passages)

    def test_hardly_anything_of_a_page_is_lost(self, passages, python_documentation):
        found = {}
        for passage in passages:
            found.setdefault(page_of(passage), []).append(passage.text)
        names = sorted(name for name in found if not name.startswith("genindex") and len(found[name]) > 20)
        for name in [*random.Random(1).sample(names, 40), "library/idle.html", "c-api/buffer.html"]:
            tree = html.fromstring((python_documentation / name).read_bytes())
            (main,) = tree.xpath('//*[@role="main"]')
            for part in main.xpath('.//script | .//*[contains(@class, "headerlink") or contains(@class, "toctree")]'):
                part.drop_tree()
            written, kept = len("".join(main.text_content().split())), len("".join("".join(found[name]).split()))
            assert kept > 0.9 * written, name

    def test_a_function_is_a_passage(self, passages):
        (passage,) = [p for p in passages if p.title.endswith("› json.load")][:1]
        assert passage.title == "json — JSON encoder and decoder › Basic Usage › json.load"
        assert passage.text.startswith("json.load(fp, *, cls=None, object_hook=None, ")


class TestRetrieval:
    def test_every_place_that_answers_is_in_the_corpus(self, passages):
        assert len(QUESTIONS) >= 30
        titles = {}
        for passage in passages:
            titles.setdefault(page_of(passage), []).append(passage.title.lower())
        for question in QUESTIONS:
            for page, part in question["answers"]:
                assert any(part.lower() in title for title in titles[page]), (question, page, part)

    @pytest.mark.parametrize(("k", "least"), [(5, 0.75), (10, 0.875)])
    def test_most_questions_are_answered(self, index, k, least):
        answered = [
            any(answers(one.passage, question) for one in index.search(question["question"], k))
            for question in QUESTIONS
        ]
        assert sum(answered) / len(QUESTIONS) >= least

    def test_a_name_is_found_as_it_is_written(self, index):
        for name in ("functools.lru_cache", "asyncio.gather", "str.removeprefix", "PyList_Append"):
            assert any(name in one.passage.title + one.passage.text for one in index.search(name, 5)), name
