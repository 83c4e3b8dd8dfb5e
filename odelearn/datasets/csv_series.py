"""A series from a CSV file: anybody's, or the lynx and the hare."""

import csv
import os
from collections import namedtuple

import numpy as np

from .cells import DataError, Notation, Reader, notation, numbers, option, warn_of_sentinels
from .times import check_increasing, check_unit, times_of

LYNX_HARE = os.path.join(os.path.dirname(__file__), "lynx_hare.csv")

# What a file holds: source, its name for messages; header, the names of the columns; rows, [(line number, cells), ...];
# and the Notation that they are written in.
Table = namedtuple("Table", "source header rows notation")


def load_csv(
    path, time=None, columns=None, *, sep=",", decimal=".", na=(), encoding="utf-8-sig", time_unit=None
):  # fmt: skip
    """Observations y(t_i) from a CSV file: ts (T,), ys (T, D), and the names of the D columns.

    path       a text file whose first line names the columns; blank lines are skipped
    time       the name of the column of times; None: the first column. Times strictly increase, at any spacing:
               numbers, or ISO dates, which become the time since the first row
    columns    a list with the names of the columns of ys; None: all columns but the times that hold numbers
    sep        what separates columns: one character, or "tab", "semicolon", "blank", "comma"
    decimal    the decimal mark, "." or ","
    na         a list of cells that are missing, beside those that are empty, NA or nan
    encoding   of the text; by default UTF-8
    time_unit  of dates: "s", "min", "h", "day" (which is the default), "week" or "year" (365.25 days)

    Returns ts and ys in the units of the file, float64, and a list of D names. A missing cell is nan in ys, to be
    masked in the loss. Warns with a DataWarning of numbers such as -999 that stand far from all others.
    Raises DataError where the file holds something else, TypeError for a single string as columns, ValueError for
    options that cannot be, and OSError (FileNotFoundError, ...) where the file cannot be read.

    >>> ts, ys, names = load_csv(LYNX_HARE, time="year", columns=["lynx", "hare"])
    >>> ts[:3], ys[0], names
    (array([1900., 1901., 1902.]), array([ 4., 30.]), ['lynx', 'hare'])
    """
    check_unit(time_unit)
    table = read_table(path, notation(sep, decimal, na, encoding))
    time = table.header[0] if time is None else time
    cells, reader = column_cells(table, time), Reader(table.notation)
    ts, _ = times_of(table.source, time, cells, reader, time_unit)
    check_increasing(table.source, time, cells, ts)
    columns = number_columns(table, {time}) if columns is None else checked_columns(table, time, columns)
    return ts, column_numbers(table, columns), columns  # (T,), (T, D), D names


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


def read_table(path, notation=Notation()):  # noqa: B008, a named tuple
    """The Table in a text file: the names in its first line, and every other line that is not blank."""
    with open(path, newline="", encoding=notation.encoding) as file:
        reader = csv.reader(file, delimiter=notation.sep, skipinitialspace=notation.sep == " ")
        try:
            table = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
        except UnicodeError as error:
            raise DataError(f"{path}: {not_this_encoding(error, notation.encoding)}") from None
        except csv.Error as error:
            raise DataError(f"{path}, row {reader.line_num}: {error}") from None
    if not table:
        raise DataError(f"{path}: the file is empty")
    (line, header), *rows = table
    check_header(path, line, header, notation.sep)
    return checked_table(Table(path, header, rows, notation), f"row {line} names")


def not_this_encoding(error, encoding):
    name = "UTF-8" if encoding.lower().startswith("utf-8") else encoding
    byte = error.object[error.start] if isinstance(error, UnicodeDecodeError) else None
    at = f" (byte {byte:#04x})" if byte is not None else ""
    other = "utf-16" if byte in (0xFE, 0xFF) else "latin-1" if name == "UTF-8" else "utf-8"
    return f"not {name} text{at}; save it as UTF-8, or say what it is: perhaps {option('encoding', other)}"


def checked_table(table, names="the header names"):
    """The table. Raises DataError where its rows do not fit its header, or are too few."""
    source, header, rows, notation = table
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{source}, row 1: more than one column is named {name!r}; give each its own name")
    for number, cells in rows:
        if len(cells) != len(header):
            raise DataError(
                f"{source}, row {number}: {len(cells)} cells, but {names} {len(header)} columns"
                f"{decimal_commas(header, rows, Reader(notation))}"
            )
    if len(rows) < 3:
        raise DataError(f"{source}: {len(rows)} rows of data; a series needs at least 3")
    return table


def check_header(path, line, header, sep):
    marks = {";": "semicolon", "\t": "tab", " ": "blank", ",": "comma"}
    for mark, name in marks.items():
        only_where_one = mark in " ,"  # blanks and commas may stand in names
        if mark != sep and sum(cell.count(mark) for cell in header) >= len(header) >= 1:
            if only_where_one and len(header) > 1:
                continue
            raise DataError(f"{path}, row {line}: the columns are separated by {name}s; {option('sep', name)}")
    if all(Reader(Notation()).is_number(name) for name in header):
        raise DataError(f"{path}, row {line}: only numbers, but the first line must name the columns")


def decimal_commas(header, rows, reader):
    """What to do if each row has more cells than there are names, and all of them digits: "" if that is not so."""
    _, cells = rows[0]
    if all(len(row) > len(header) and all(map(reader.is_number, row)) for _, row in rows):
        return (
            f"; is it a decimal comma? write a point: {cells[-2]}.{cells[-1]}, or separate columns by semicolons, and "
            f"{option('decimal', 'comma')}"
        )
    return ""


# ---- its columns


def checked_columns(table, time, columns, name="columns"):
    """The names as a list: none twice, none that of the times."""
    source = table.source
    if isinstance(columns, str):
        raise TypeError(f"{name} must be a list of names, got the string {columns!r}; write [{columns!r}]")
    columns = list(columns)
    if not columns:
        raise DataError(f"{source}: {name} names no column; leave {name} out to take all with numbers")
    for column in columns:
        if column == time:
            raise DataError(f"{source}: {name} names {column!r}, which is the column of times; leave it out")
        if columns.count(column) > 1:
            raise DataError(f"{source}: {name} names {column!r} twice; name it once")
        column_cells(table, column)
    return columns


def number_columns(table, others):
    """The names of all columns that hold numbers, but for these others."""
    holds_numbers = Reader(table.notation).holds_numbers
    names = [name for name in table.header if name not in others and holds_numbers(column_cells(table, name))]
    if not names:
        beside = " and ".join(repr(name) for name in table.header if name in others)
        raise DataError(f"{table.source}: no column of numbers beside the time column {beside}")
    return names


def column_cells(table, name):
    """[(line, cell), ...] of one column."""
    if name not in table.header:
        raise DataError(f"{table.source}: no column {name!r}; the file has {', '.join(table.header)}")
    i = table.header.index(name)
    return [(line, cells[i]) for line, cells in table.rows]


def column_numbers(table, columns):
    """(T, D), the numbers of these columns, nan where a cell is missing. Warns of sentinels."""
    reader, ys = Reader(table.notation), []
    for name in columns:
        cells = column_cells(table, name)
        ys.append(numbers(table.source, name, cells, reader))
        warn_of_sentinels(table.source, name, cells, ys[-1])
    return np.array(ys).T
