"""A calculator: arithmetic on Python's syntax tree, in process, with every number and every step bounded.

    + - * / // % ** and unary + -, parentheses, sqrt abs min max round

Nothing else is evaluated. Integers are exact, and no number exceeds 1024 bits (about 10^308, as for floats).
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from aepo.tools.base import Observation, ToolContext, text_parameter

LONGEST = 500
"""Characters of the longest expression."""

LARGEST_BITS = 1024
"""Bits of the largest number."""

Number = int | float


class CalculationError(ValueError):
    """The expression cannot be computed; the message says why."""


def evaluate(expression: str) -> Number:
    """The value of an arithmetic expression.

    Raises:
        CalculationError: it is too long, not arithmetic, undefined, or one of its numbers is too large.
    """
    if len(expression) > LONGEST:
        raise CalculationError(f"the expression has {len(expression)} characters, at most {LONGEST} are allowed")
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body)
    except CalculationError:
        raise
    except ZeroDivisionError:
        raise CalculationError("division by zero") from None
    except OverflowError:
        raise CalculationError("a number is too large") from None
    except (RecursionError, MemoryError):
        raise CalculationError("the expression is nested too deeply") from None
    except SyntaxError:
        raise CalculationError("this is no arithmetic expression; write it as in (2 + 3) * 4") from None
    except (ValueError, TypeError) as error:
        raise CalculationError(str(error)) from None


def format_number(value: Number) -> str:
    """Integers in full, other numbers to 12 significant digits."""
    return str(value) if isinstance(value, int) else f"{value:.12g}"


class CalculatorTool:
    """`<calculator>(2 + 3) * 4</calculator>` gives 20."""

    name = "calculator"
    description = "Computes an arithmetic expression of numbers, + - * / // % **, sqrt, abs, min, max and round."
    parameters = text_parameter("expression", "such as (2 + 3) * 4")

    async def call(self, arguments: str, context: ToolContext) -> Observation:  # noqa: ARG002
        """The value, or what is wrong with the expression."""
        try:
            return Observation(format_number(evaluate(arguments)))
        except CalculationError as error:
            return Observation(f"error: {error}", "error")


def _power(base: Number, exponent: Number) -> Number:
    """Refuses, before computing it, an integer power of more than LARGEST_BITS bits."""
    integers = isinstance(base, int) and isinstance(exponent, int)
    if integers and exponent * (int(base).bit_length() - 1) > LARGEST_BITS:
        raise OverflowError
    power = base**exponent
    if isinstance(power, complex):
        raise CalculationError("a root of a negative number is not real")
    return power


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": math.sqrt,
    "abs": abs,
    "min": min,
    "max": max,
    "round": round,
}


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(_BINARY[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*map(_value, arguments)))
        case ast.BinOp(op=ast.BitXor()):
            raise CalculationError("^ is not understood; write a power as 2**10")
        case ast.Tuple():
            raise CalculationError("write numbers without thousands separators, 1234 and not 1,234")
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name not in _FUNCTIONS:
            raise CalculationError(f"{name} is unknown; there are {', '.join(_FUNCTIONS)} and no variables")
    raise CalculationError("only numbers, + - * / // % **, parentheses and functions are understood")


def _bounded(value: Number) -> Number:
    fits = value.bit_length() <= LARGEST_BITS if isinstance(value, int) else math.isfinite(value)
    if not fits:
        raise OverflowError
    return value
