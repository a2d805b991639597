"""Mathematical questions with a Python interpreter, scored by equivalence, or as numbers when golds follow ####."""

from __future__ import annotations

from aepo.environments.base import Prompt
from aepo.environments.question_answering import QuestionAnswering
from aepo.scoring import Kind
from aepo.scoring.numeric import MARK


class MathEnvironment(QuestionAnswering):
    """Questions of `environment.source`.

    Raises:
        UserError: see `QuestionAnswering`.
    """

    name = "math"
    usual_tools = ("python",)

    def kind(self, prompt: Prompt) -> Kind:
        """Numeric when a gold answer stands after `####`, otherwise mathematical equivalence."""
        return "numeric" if any(MARK in reference for reference in prompt.references) else "math"
