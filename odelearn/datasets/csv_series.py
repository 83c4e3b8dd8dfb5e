"""A series from a CSV file: anybody's, or the lynx and the hare."""

import math
import os

import numpy as np

MISSING = {"", "na", "nan"}


class DataError(ValueError):
    """A file does not hold the series it should: one line that names file, row (line number, from 1) and column."""


def load_csv(path, time=None, columns=None):
    """Observations ys (T, D) at times ts (T,) from a CSV file whose first line names the columns; and the D names.

    `time` names the column of times, by default the first one; times must strictly increase, at any spacing.
    `columns` names the columns of ys, by default all others that hold numbers.
    A missing cell (empty, NA or nan) becomes nan, to be masked in the loss.
    Raises DataError for anything else.
    """
    header, rows = read_table(path)
    time = header[0] if time is None else time
    ts = time_column(path, time, cells_of(path, header, rows, time))
    if columns is None:
        columns = [name for name in header if name != time and holds_numbers(cells_of(path, header, rows, name))]
        if not columns:
            raise DataError(f"{path}: no column of numbers beside the time column {time!r}")
    ys = [numbers(path, name, cells_of(path, header, rows, name)) for name in columns]
    return ts, np.array(ys).T, list(columns)  # (T,), (T, D), D names


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
    (first, header), *rows = table
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path}, row {first}: more than one column is named {name!r}; give each its own name")
    if all(is_number(name) for name in header):
        raise DataError(f"{path}, row {first}: only numbers, but the first line must name the columns")
    for line, cells in rows:
        if len(cells) != len(header):
            raise DataError(f"{path}, row {line}: {len(cells)} cells, but row {first} names {len(header)} columns")
    if len(rows) < 3:
        raise DataError(f"{path}: {len(rows)} rows of data; a series needs at least 3")
    return header, rows


def cells_of(path, header, rows, name):
    """[(line, cell), ...] of one column."""
    if name not in header:
        raise DataError(f"{path}: no column {name!r}; the file has {', '.join(header)}")
    i = header.index(name)
    return [(line, cells[i]) for line, cells in rows]


def time_column(path, name, cells):
    """The times (T,), strictly increasing."""
    ts = numbers(path, name, cells)
    for i, (line, _) in enumerate(cells):
        if np.isnan(ts[i]):
            raise DataError(f"{path}, row {line}, column {name!r}: the time is missing")
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
            raise DataError(f"{path}, row {line}, column {name!r}: {cell!r} is not a finite number")
    if not holds_numbers(cells):
        raise DataError(f"{path}, column {name!r}: every cell is missing")
    return np.array([np.nan if is_missing(cell) else float(cell) for _, cell in cells])


def holds_numbers(cells):
    return any(is_number(cell) for _, cell in cells)


def is_missing(cell):
    return cell.lower() in MISSING


def is_number(cell):
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def lynx_hare():
    """Pelts of snowshoe hare and Canada lynx taken by the Hudson's Bay Company, in thousands, 1900 to 1920.

    Returns ts (21,), the years, and ys (21, 2): hare, lynx. The figures are those tabulated in the teaching literature
    after Elton and Nicholson (1942), "The ten-year cycle in numbers of the lynx in Canada", Journal of Animal
    Ecology 11, and Odum, "Fundamentals of Ecology".
    """
    ts, ys, _ = load_csv(os.path.join(os.path.dirname(__file__), "lynx_hare.csv"))
    return ts, ys
