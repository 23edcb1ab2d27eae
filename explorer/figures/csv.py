"""A matrix as CSV, letter by letter as ``explorer/widgets/js/csv.js`` writes it."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from explorer.figures.matrix import Axis, MatrixFigure

__all__ = ["csv_field", "csv_number", "matrix_csv"]

#: A spreadsheet takes what begins with one of these for a formula.
_FORMULA = re.compile(r"[=+\-@\t\r]")


def matrix_csv(figure: MatrixFigure) -> str:
    """All values of a matrix, with the names of its rows and columns."""
    rows, cols = figure.values.shape
    corner = " | ".join(filter(None, (figure.title, figure.rows.name, figure.cols.name)))
    lines = [",".join(map(csv_field, (corner, *_names(figure.cols, cols))))]
    for name, values in zip(_names(figure.rows, rows), figure.values, strict=True):
        lines.append(",".join([csv_field(name), *map(csv_number, values)]))
    return "\n".join(lines) + "\n"


def csv_number(value: np.float32) -> str:
    """The shortest number that names a float32 and no other, as JavaScript writes it; nothing for ``nan``."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    shortest = np.format_float_scientific(value, unique=True, trim="-")
    count = sum(sign.isdigit() for sign in shortest.partition("e")[0])
    # Halves are rounded up, as JavaScript does; NumPy rounds them to even.
    number = Context(prec=count, rounding=ROUND_HALF_UP).create_decimal(Decimal(float(value))).normalize()
    sign, digits, power = number.as_tuple()
    text, exponent = "".join(map(str, digits)), len(digits) - 1 + int(power)
    minus = "-" if sign else ""
    if -7 < exponent < 21:
        return f"{minus}{number.copy_abs():f}"
    return f"{minus}{text[0]}{'.' if text[1:] else ''}{text[1:]}e{exponent:+d}"


def csv_field(text: str) -> str:
    """A text as a field: never a formula, quoted where it has to be."""
    plain = f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text
    escaped = plain.replace('"', '""')
    return f'"{escaped}"' if re.search(r'[",\r\n]', plain) else plain


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d*)?", text.strip(), re.ASCII) is not None


def _names(axis: Axis, count: int) -> list[str]:
    return [axis.label(index) for index in range(count)]
