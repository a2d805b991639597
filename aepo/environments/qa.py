"""Questions whose answers are a few words, scored by token F1 over the accepted answers."""

from __future__ import annotations

from aepo.environments.base import Prompt
from aepo.environments.question_answering import QuestionAnswering
from aepo.scoring import Kind


class QAEnvironment(QuestionAnswering):
    """Questions of `environment.source`, to be searched for and read up on.

    Raises:
        UserError: see `QuestionAnswering`.
    """

    name = "qa"
    usual_tools = ("search", "browse")

    def kind(self, prompt: Prompt) -> Kind:  # noqa: ARG002
        """Token F1."""
        return "qa"
