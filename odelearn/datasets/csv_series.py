"""A series from a CSV file: anybody's, or the lynx and the hare."""

import math
import os
import re

import numpy as np

LYNX_HARE = os.path.join(os.path.dirname(__file__), "lynx_hare.csv")


class DataError(ValueError):
    """A file does not hold the series it should: one line that names file, row (line number, from 1) and column, and
    what to do about it."""


def load_csv(path, time=None, columns=None):
    """Observations y(t_i) from a CSV file: ts (T,), ys (T, D), and the names of the D columns.

    path     a text file in UTF-8: columns separated by commas, numbers with decimal points, the first line names the
             columns; blank lines are skipped
    time     the name of the column of times; None: the first column. Times strictly increase, at any spacing
    columns  a list with the names of the columns of ys; None: all columns but the times that hold numbers

    Returns ts and ys in the units of the file, float64, and a list of D names. A missing cell (empty, NA or nan) is nan
    in ys, to be masked in the loss.
    Raises DataError where the file holds something else, TypeError for a single string as columns, and OSError
    (FileNotFoundError, ...) where the file cannot be read.

    >>> ts, ys, names = load_csv(LYNX_HARE, time="year", columns=["lynx", "hare"])
    >>> ts[:3], ys[0], names
    (array([1900., 1901., 1902.]), array([ 4., 30.]), ['lynx', 'hare'])
    """
    header, rows = read_table(path)
    time = header[0] if time is None else time
    ts = time_column(path, time, column_cells(path, header, rows, time))
    if columns is None:
        columns = [name for name in header if name != time and holds_numbers(column_cells(path, header, rows, name))]
        if not columns:
            raise DataError(f"{path}: no column of numbers beside the time column {time!r}")
    columns = checked_columns(path, time, columns)
    ys = [numbers(path, name, column_cells(path, header, rows, name)) for name in columns]
    return ts, np.array(ys).T, columns  # (T,), (T, D), D names


def lynx_hare():
    """Pelts of snowshoe hare and Canada lynx taken by the Hudson's Bay Company, 1900 to 1920.

    Returns ts (21,), the years, and ys (21, 2): hare, lynx, in thousands of pelts a year. The figures are those
    tabulated in the teaching literature after Elton and Nicholson (1942), "The ten-year cycle in numbers of the lynx in
    Canada", Journal of Animal Ecology 11, and Odum, "Fundamentals of Ecology".

    >>> ts, ys = lynx_hare()
    >>> ys[:2]
    array([[30. ,  4. ],
           [47.2,  6.1]])
    """
    ts, ys, _ = load_csv(LYNX_HARE)
    return ts, ys


# ---- the table of cells


def read_table(path):
    """The names in the first line, and (line number, cells) for every other line that is not blank."""
    import csv

    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            table = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}: not UTF-8 text (byte {error.object[error.start]:#04x}); save it as UTF-8"
            ) from None
        except csv.Error as error:
            raise DataError(f"{path}, row {reader.line_num}: {error}") from None
    if not table:
        raise DataError(f"{path}: the file is empty")
    (line, header), *rows = table
    check_header(path, line, header)
    for number, cells in rows:
        if len(cells) != len(header):
            raise DataError(
                f"{path}, row {number}: {len(cells)} cells, but row {line} names {len(header)} columns"
                f"{decimal_commas(header, rows)}"
            )
    if len(rows) < 3:
        raise DataError(f"{path}: {len(rows)} rows of data; a series needs at least 3")
    return header, rows


def check_header(path, line, header):
    for mark, name in {";": "semicolons", "\t": "tabs", " ": "blanks"}.items():
        if sum(cell.count(mark) for cell in header) >= len(header) and (mark != " " or len(header) == 1):
            raise DataError(
                f"{path}, row {line}: the columns are separated by {name}; save the file with commas between columns"
            )
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path}, row {line}: more than one column is named {name!r}; give each its own name")
    if all(is_number(name) for name in header):
        raise DataError(f"{path}, row {line}: only numbers, but the first line must name the columns")


def decimal_commas(header, rows):
    """What to do if each row has more cells than there are names, and all of them digits: "" if that is not so."""
    _, cells = rows[0]
    if all(len(row) > len(header) and all(map(is_number, row)) for _, row in rows):
        return f"; is it a decimal comma? write a point: {cells[-2]}.{cells[-1]}"
    return ""


def checked_columns(path, time, columns):
    """The names as a list: none twice, none that of the times."""
    if isinstance(columns, str):
        raise TypeError(f"columns must be a list of names, got the string {columns!r}; write [{columns!r}]")
    columns = list(columns)
    if not columns:
        raise DataError(f"{path}: columns names no column; leave columns out to take all with numbers")
    for name in columns:
        if name == time:
            raise DataError(f"{path}: columns names {name!r}, which is the column of times; leave it out")
        if columns.count(name) > 1:
            raise DataError(f"{path}: columns names {name!r} twice; name it once")
    return columns


def column_cells(path, header, rows, name):
    """[(line, cell), ...] of one column."""
    if name not in header:
        raise DataError(f"{path}: no column {name!r}; the file has {', '.join(header)}")
    i = header.index(name)
    return [(line, cells[i]) for line, cells in rows]


# ---- the numbers of a column


def time_column(path, name, cells):
    """The times (T,), strictly increasing."""
    ts = numbers(path, name, cells)
    for i, (line, _) in enumerate(cells):
        if np.isnan(ts[i]):
            raise DataError(f"{path}, row {line}, column {name!r}: the time is missing")
        if i > 1 and ts[i] <= ts[0]:
            raise DataError(
                f"{path}, row {line}, column {name!r}: the time starts again, {ts[i]:.10g} follows {ts[i - 1]:.10g}; "
                f"if trials stand below one another, keep one in each file (rows {cells[0][0]} to {cells[i - 1][0]} "
                "are the first); if not, sort the rows"
            )
        if i > 0 and ts[i] <= ts[i - 1]:
            raise DataError(
                f"{path}, row {line}, column {name!r}: {ts[i]:.10g} follows {ts[i - 1]:.10g}, but times must increase; "
                "sort the rows, and keep one for each time"
            )
    return ts


def numbers(path, name, cells):
    """The numbers of one column (T,), nan where a cell is missing."""
    for line, cell in cells:
        if not (is_missing(cell) or is_number(cell)):
            raise DataError(f"{path}, row {line}, column {name!r}: {cell!r} is not a finite number{remedy(cell)}")
    if not holds_numbers(cells):
        raise DataError(f"{path}, column {name!r}: every cell is missing")
    return np.array([np.nan if is_missing(cell) else float(cell) for _, cell in cells])


MISSING = {"", "na", "nan"}
NUMBER = r"(?ai)[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"  # (?a): the digits 0 to 9 only; compiled when first needed
SEPARATED = r"(?a)[+-]?\d[\d.,_' ]*"  # a number in another notation: 1,5  1,000  1.234,5  2_5
DATE = r"(?a)\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*"


def is_missing(cell):
    return cell.lower() in MISSING


def is_number(cell):
    return bool(re.fullmatch(NUMBER, cell)) and math.isfinite(float(cell))


def holds_numbers(cells):
    """Whether this is a column of numbers, in whatever notation, and not one of text."""
    return any(is_number(cell) or re.fullmatch(SEPARATED, cell) and not re.fullmatch(DATE, cell) for _, cell in cells)


def remedy(cell):
    """How to write the cell so that it can be read, after a semicolon; "" if that is anybody's guess."""
    if re.fullmatch(DATE, cell):
        return "; write times as numbers, such as the days since the first row"
    if not re.fullmatch(SEPARATED, cell):
        return ""
    if re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", cell):
        thousands, decimal = cell.replace(",", ""), cell.replace(",", ".")
        return f"; write {thousands} if the comma separates thousands, {decimal} if it is a decimal comma"
    if re.fullmatch(r"[+-]?\d+,\d+", cell):
        return f"; write it with a decimal point: {cell.replace(',', '.')}"
    return "; write it without separators and with a decimal point, as in 1234.5"
