"""The cells of a table as numbers: what is a number, what is missing, and how to write what is neither."""

import math
import re
import warnings
from collections import namedtuple

import numpy as np


class DataError(ValueError):
    """A file does not hold the series it should: one line that names file, row (line number, from 1) and column, and
    what to do about it."""


class DataWarning(UserWarning):
    """A file holds numbers that are probably none, such as -999: one line that names file, row and column."""


# How a table is written: the character between columns, the decimal mark, cells that are missing beside MISSING, and
# the encoding of the text.
Notation = namedtuple("Notation", "sep decimal na encoding", defaults=(",", ".", (), "utf-8-sig"))

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "blank": " "}
MISSING = {"", "na", "nan"}
NUMBER = r"(?ai)[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"  # (?a): the digits 0 to 9 only; compiled when first needed
SEPARATED = r"(?a)[+-]?\d[\d.,_' ]*"  # a number in another notation: 1,5  1,000  1.234,5  2_5
DATE = r"(?a)\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*"
SENTINEL = r"(?a)-?9{2,}(\.0*|\.9+)?"  # -99, -999.0, 9999, -99.99


def notation(sep=",", decimal=".", na=(), encoding="utf-8-sig"):
    """A Notation, checked. sep: one character, or comma, semicolon, tab, blank; decimal: "." or ","; na: cells that are
    missing, a list of texts. Raises ValueError for what cannot be one."""
    sep, decimal = SEPARATORS.get(sep, sep), SEPARATORS.get(decimal, decimal)
    if len(sep) != 1 or sep in '"\r\n0123456789':
        raise ValueError(f"sep must be one character, or {', '.join(SEPARATORS)}; got {sep!r}")
    if decimal not in (".", ","):
        raise ValueError(f'decimal must be "." or ",", got {decimal!r}')
    if sep == decimal:
        raise ValueError(f'sep and decimal are both {sep!r}; a file with decimal commas has another sep, such as ";"')
    if isinstance(na, str):
        raise TypeError(f"na must be a list of texts, got the string {na!r}; write [{na!r}]")
    try:
        "".encode(encoding)
    except LookupError:
        raise ValueError(f"encoding: there is no {encoding!r}; utf-8, latin-1, cp1252 and utf-16 are common") from None
    return Notation(sep, decimal, tuple(str(cell).strip() for cell in na), encoding)


class Reader:
    """Cells as numbers, in one Notation.

    is_missing(cell), is_number(cell), value(cell): whether it is missing, whether it is a finite number, and which.
    """

    def __init__(self, notation):
        self.decimal = notation.decimal
        self.na = {cell.lower() for cell in notation.na} | MISSING
        self.na_values = {float(self.spelled(cell)) for cell in notation.na if self.is_number(cell)}

    def spelled(self, cell):
        """The cell with a decimal point. A point is no digit where the decimal mark is a comma."""
        return cell if self.decimal == "." else cell.replace(".", "_").replace(",", ".")

    def is_missing(self, cell):
        if cell.lower() in self.na:
            return True
        return bool(self.na_values) and self.is_number(cell) and float(self.spelled(cell)) in self.na_values

    def is_number(self, cell):
        cell = self.spelled(cell)
        return bool(re.fullmatch(NUMBER, cell)) and math.isfinite(float(cell))

    def value(self, cell):
        return np.nan if self.is_missing(cell) else float(self.spelled(cell))

    def holds_numbers(self, cells):
        """Whether this is a column of numbers, in whatever notation, and not one of text."""
        looks_like = lambda cell: re.fullmatch(SEPARATED, cell) and not re.fullmatch(DATE, cell)
        return any(not self.is_missing(cell) and (self.is_number(cell) or looks_like(cell)) for _, cell in cells)

    def remedy(self, cell, may_miss=True):
        """How to write the cell so that it can be read, after a semicolon; "" if that is anybody's guess."""
        if re.fullmatch(DATE, cell):
            return "; dates are read in the column of time only, and in ISO form: 2020-01-31"
        if not re.fullmatch(SEPARATED, cell):
            return f"; if it means that nothing was observed, {option('na', cell)}" if may_miss else ""
        if self.decimal == ",":
            return "; write it without separators of thousands and with a decimal comma, as in 1234,5"
        if re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", cell):
            thousands, point = cell.replace(",", ""), cell.replace(",", ".")
            return (
                f"; write {thousands} if the comma separates thousands; {point} if it is a decimal comma, or "
                f"{option('decimal', 'comma')}"
            )
        if re.fullmatch(r"[+-]?\d+,\d+", cell):
            return f"; write it with a decimal point: {cell.replace(',', '.')}, or {option('decimal', 'comma')}"
        return "; write it without separators and with a decimal point, as in 1234.5"


def option(name, value):
    """How to say an option: in Python, and on the command line."""
    listed = f"[{value!r}]" if name in ("na", "columns", "input") else repr(value)
    given = f'"{value}"' if re.search(r"[^\w.,/:+-]", value) else value
    between = "=" if given.startswith("-") else " "  # argparse takes what begins with a dash for an option
    return f"use {name}={listed} (--{name.replace('_', '-')}{between}{given})"


def numbers(source, name, cells, reader, may_miss=True):
    """The numbers of one column (T,), nan where a cell is missing."""
    for line, cell in cells:
        if not (reader.is_missing(cell) or reader.is_number(cell)):
            text = f"{cell!r} is not a finite number{reader.remedy(cell, may_miss)}"
            raise DataError(f"{source}, row {line}, column {name!r}: {text}")
    if not reader.holds_numbers(cells):
        raise DataError(f"{source}, column {name!r}: every cell is missing")
    return np.array([reader.value(cell) for _, cell in cells])


def warn_of_sentinels(source, name, cells, ys):
    """Warns with a DataWarning of a number such as -999 that stands far from all others: it may mean "missing"."""
    for y in {cell: y for (_, cell), y in zip(cells, ys, strict=True) if re.fullmatch(SENTINEL, cell)}.values():
        others = ys[~np.isnan(ys) & (ys != y)]
        if others.size < 2:
            continue
        distance = max(others.min() - y, y - others.max())
        if distance > np.ptp(others):
            where = np.flatnonzero(ys == y)
            warnings.warn(
                f"{source}, row {cells[where[0]][0]}, column {name!r}: {y:g} stands in {where.size} "
                f"cell{'s' if where.size > 1 else ''}, far from all others ({others.min():g} to {others.max():g}); if "
                f"it means that nothing was observed, {option('na', f'{y:g}')}",
                DataWarning,
                stacklevel=2,
            )
