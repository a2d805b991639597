"""What the zygote has done once so that no program has to: imports, and what libraries put off to their first use."""

from __future__ import annotations

import contextlib
import gc
import importlib

MODULES = (
    *("bisect", "cmath", "collections", "copy", "csv", "dataclasses", "datetime", "decimal", "enum", "fractions"),
    *("functools", "hashlib", "heapq", "io", "itertools", "json", "math", "operator", "random", "re", "statistics"),
    *("string", "subprocess", "tempfile", "textwrap", "threading", "time", "traceback", "typing"),
    *("numpy", "numpy.fft", "numpy.linalg", "numpy.polynomial", "numpy.random", "sympy"),
)


def warm_up() -> None:
    """Import what programs import, and let sympy once do what they ask of it: a first equation takes half a second."""
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        _first_steps()
    gc.collect()
    gc.freeze()  # so that a runner's collector touches, and thereby copies, none of it


def _first_steps() -> None:
    import sympy

    x, y = sympy.symbols("x y")
    sympy.solve(x**2 - 3 * x + 2, x)
    sympy.solve([x + y - 3, x - y - 1], [x, y])
    sympy.integrate(x * sympy.sin(x), x)
    sympy.summation(x, (x, 1, y))
    sympy.limit(sympy.sin(x) / x, x, 0)
    sympy.series(sympy.cos(x), x, 0, 4)
    sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
    sympy.factor(sympy.expand((x + 1) ** 3))
    sympy.factorint(360)
    sympy.Matrix([[1, 2], [3, 4]]).inv()
    sympy.latex(sympy.sqrt(8) / x)
    str(sympy.N(sympy.pi, 20))
