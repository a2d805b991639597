"""What travels between the sandbox's server and its client: whatever arrives is checked, and nothing is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aepo.tools.base import Observation
from aepo.tools.sandbox import wire
from aepo.tools.sandbox.python_sandbox import LONGEST

TEXT = st.text(st.characters(exclude_categories=[]))


@given(TEXT)
def test_code_arrives_as_it_was_sent(code):
    assert wire.read_request(wire.write_request(code)) == code


@given(TEXT, st.sampled_from(sorted(wire._OUTCOMES)))
def test_answers_arrive_as_they_were_sent(text, outcome):
    assert wire.read_answer(wire.write_answer(Observation(text, outcome))) == Observation(text, outcome)


@given(st.binary())
def test_no_bytes_do_harm(body):
    for read in (wire.read_request, wire.read_answer):
        with pytest.raises(wire.WireError):
            read(body)
    assert "\n" not in wire.read_error(body)


def test_the_longest_code_fits_into_a_request_however_it_is_written():
    code = "\0" * LONGEST
    assert len(wire.write_request(code)) <= wire.LARGEST_REQUEST
    with pytest.raises(wire.TooLongError, match=f"{LONGEST + 1} bytes, at most {LONGEST}"):
        wire.write_request(code + "\0")


@pytest.mark.parametrize(
    "answer",
    [{"text": "42"}, {"outcome": "ok"}, {"text": 42, "outcome": "ok"}, {"text": "42", "outcome": "fine"}, [], "ok", 1],
)
def test_other_answers_are_refused(answer):
    with pytest.raises(wire.WireError):
        wire.read_answer(json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "no\\nplace"}', "no place"),
        (b"<html>Bad\nGateway", "<html>Bad Gateway"),
        (b"", ""),
        (b"[1]", "[1]"),
    ],
)
def test_what_an_error_says_is_one_line(body, said):
    assert wire.read_error(body) == said
