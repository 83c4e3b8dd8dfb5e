"""Where a series comes from: CSV files, arrays, or a table with columns such as a pandas DataFrame."""

import os
from collections import namedtuple
from pathlib import Path

import numpy as np

from ..datasets.cells import DataError, Notation, Reader, notation
from ..datasets.csv_series import (
    Table,
    checked_columns,
    checked_table,
    column_cells,
    column_numbers,
    number_columns,
    read_table,
)
from ..datasets.times import check_increasing, check_unit, times_of
from .series import Series

READING = {"sep": ",", "decimal": ".", "na": (), "encoding": "utf-8-sig"}  # how files are written
DATA = {  # which of it is the series
    "time": None, "columns": None, "log": False, "hold_out": None, "series": None, "input": (), "validate": 0.0,
    "time_unit": None,
}  # fmt: skip


# One trial of a table: its label; the source and its line numbers, for messages; ts (T,), ys (T, D), us (T, I).
Piece = namedtuple("Piece", "label source lines ts ys us")


def series_from(source, **options):
    """The Series in a source.

    source   the path of a CSV file; (ts, ys), arrays (T,) and (T, D) or (T,); an object with .columns and .to_numpy(),
             such as a pandas DataFrame; or a list of these, whose trials are put together
    options  sep, decimal, na, encoding, time, columns, time_unit   as in load_csv
             log       whether the state is z = log y
             series    the name of the column that tells trials apart, which stand below one another in the file
             input     the names of columns that drive the system, and are no states
             hold_out  how many of the last rows of each trial are not learned from; None: a fifth
             validate  the fraction of the others on which training is judged

    Raises DataError if there is no such series, OSError if a file cannot be read, ValueError or TypeError for options
    that cannot be.
    """
    options = READING | DATA | options
    check_unit(options["time_unit"])
    sources = source if isinstance(source, list) else [source]
    if not sources:
        raise DataError("the list of sources is empty")
    written = notation(*(options[name] for name in READING))
    tables = [table_of(one, written, options) for one in sources]
    others = {options["series"], *options["input"]}
    time = options["time"] or next((name for name in tables[0].header if name not in others), tables[0].header[0])
    input_names = checked_columns(tables[0], time, options["input"], "input") if options["input"] else []
    columns = chosen_columns(tables[0], time, input_names, options)
    names = [name_of(one) if is_path(one) else f"series {i + 1}" for i, one in enumerate(sources)]
    pieces, calendar = trials_of(tables, names, time, columns, input_names, options)
    several = len(pieces) > 1 or options["series"] is not None
    held_out = [hold_out_of(piece, options, several) for piece in pieces]
    ts, ys, us = (np.concatenate(parts) for parts in zip(*[piece[3:] for piece in pieces], strict=True))
    series = Series(
        name_of(sources[0]), time, columns, ts, ys, options["log"], held_out if several else held_out[0],
        input_names, us if input_names else None, [piece.label for piece in pieces] if several else [],
        [len(piece.ts) for piece in pieces] if several else [], float(options["validate"]),
        *(calendar or (None, None)),
    )  # fmt: skip
    check_columns(series, pieces)
    return series


def series_from_csv(path, time=None, columns=None, log=False, hold_out=None):
    """The Series in a CSV file, a single trial in the default notation."""
    return series_from(path, time=time, columns=columns, log=log, hold_out=hold_out)


# ---- tables


def is_path(source):
    return isinstance(source, str | os.PathLike)


def name_of(source):
    return Path(source).stem if is_path(source) else "series"


def table_of(source, written, options):
    """The Table of one source."""
    if is_path(source):
        return read_table(source, written)
    if hasattr(source, "columns") and hasattr(source, "to_numpy"):
        header, values = [str(name) for name in source.columns], np.asarray(source.to_numpy(), dtype=object)
        return table_from("the table", header, values)
    if isinstance(source, tuple) and len(source) == 2:
        return table_of_arrays(*source, options)
    raise TypeError(
        "a series comes from the path of a CSV file, from two arrays (ts, ys), or from an object with .columns and "
        f".to_numpy(); got {type(source).__name__}"
    )


def table_of_arrays(ts, ys, options):
    """The Table of ts (T,) and ys (T, D), whose columns get the names in `columns` and `input`, or y1, y2, ..."""
    ts, ys = np.asarray(ts), np.asarray(ys)
    ys = ys[:, np.newaxis] if ys.ndim == 1 else ys
    if ts.ndim != 1 or ys.ndim != 2 or len(ts) != len(ys):
        raise DataError(f"(ts, ys) must have the shapes (T,) and (T, D), got {ts.shape} and {ys.shape}")
    names = [*(options["columns"] or ()), *(options["input"] or ())]
    if not names or options["columns"] is None:
        names = [f"y{i + 1}" for i in range(ys.shape[1])]
    if len(names) != ys.shape[1]:
        raise DataError(f"ys has {ys.shape[1]} columns, but columns and input name {len(names)}: {', '.join(names)}")
    return table_from("the arrays", [options["time"] or "t", *names], np.column_stack([ts.astype(object), ys]))


def table_from(source, header, values):
    """The Table of values (T, columns), whose rows are numbered from 0."""
    rows = [(i, [cell_of(value) for value in row]) for i, row in enumerate(values)]
    return checked_table(Table(source, header, rows, Notation()))


def cell_of(value):
    """A value as the cell of a file: numbers keep every bit, and what is not equal to itself (nan, NaT) is missing."""
    try:
        if value is None or value != value:
            return ""
    except TypeError:  # pandas' NA will not say
        return ""
    is_numeric = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return repr(float(value)) if is_numeric else str(value).strip()


# ---- trials


def chosen_columns(table, time, input_names, options):
    others = {time, options["series"], *input_names} - {None}
    if options["columns"] is None:
        return number_columns(table, others)
    columns = checked_columns(table, time, options["columns"])
    for name in columns:
        if name in others:
            role = "series (--series)" if name == options["series"] else "input (--input)"
            raise DataError(f"{table.source}: {name!r} is in columns and is the {role}, too; it can be one of them")
    return columns


def trials_of(tables, names, time, columns, input_names, options):
    """The Pieces of all tables, which have these names, and the Calendar of their times."""
    pieces, calendar = [], None
    for table, name in zip(tables, names, strict=True):
        cells = column_cells(table, time)
        ts, calendar = times_of(table.source, time, cells, Reader(table.notation), options["time_unit"], calendar)
        ys = column_numbers(table, columns)
        us = column_numbers(table, input_names) if input_names else np.zeros((len(ts), 0))
        for label, rows in parts_of(table, name, options["series"], len(tables) > 1):
            own_cells = [cells[i] for i in rows]
            check_increasing(table.source, time, own_cells, ts[rows])
            pieces.append(Piece(label, table.source, [line for line, _ in own_cells], ts[rows], ys[rows], us[rows]))
    labels = [piece.label for piece in pieces]
    for label in labels:
        if labels.count(label) > 1:
            raise DataError(f"more than one series is called {label!r}; give each file its own name")
    return pieces, calendar


def parts_of(table, name, series, many):
    """(label, rows) of every trial of a table, in the order in which they begin."""
    if series is None:
        return [(name, np.arange(len(table.rows)))]
    rows = {}
    for i, (line, label) in enumerate(column_cells(table, series)):
        if not label:
            raise DataError(f"{table.source}, row {line}, column {series!r}: which series is this? write its name")
        rows.setdefault(f"{name} {label}" if many else label, []).append(i)
    return [(label, np.array(part)) for label, part in rows.items()]


def hold_out_of(piece, options, several):
    """How many rows of a trial are held out."""
    T, hold_out = len(piece.ts), options["hold_out"]
    hold_out = T // 5 if hold_out is None else hold_out
    where = f"{piece.source}, series {piece.label!r}" if several else piece.source
    if T < 3:
        raise DataError(f"{where}: {T} rows of data; a series needs at least 3")
    if hold_out > T - 3:
        raise DataError(f"{where}: {hold_out} of {T} rows held out leave fewer than 3 rows to learn from")
    rows = T - hold_out
    if rows - int(round(options["validate"] * rows)) < 3:
        text = f"of {rows} rows leaves fewer than 3 rows to train on; use less, or hold out fewer (--hold-out)"
        raise DataError(f"{where}: validate = {options['validate']:g} (--validate) {text}")
    return hold_out


def check_columns(series, pieces):
    """Raises DataError for a column without values to learn from, or without logarithms."""
    source = pieces[0].source
    for name, column in zip(series.columns, series.ys.T, strict=True):
        if series.log and (column <= 0).any():
            i = int(np.argmax(column <= 0))
            source, line = [(piece.source, line) for piece in pieces for line in piece.lines][i]
            text = f"{column[i]:g} has no logarithm; leave --log out"
            raise DataError(f"{source}, row {line}, column {name!r}: {text}")
    for name, column in zip(series.columns, series.ys.T, strict=True):
        if np.isnan(column[series.learned]).all():
            n = int(series.learned.sum())
            raise DataError(f"{source}, column {name!r}: no value among the {n} rows to learn from")
    for name, column in zip(series.inputs, [] if series.us is None else series.us.T, strict=True):
        if np.isnan(column[series.learned]).all():
            raise DataError(f"{source}, column {name!r}: no value among the rows to learn from, and it is an input")
