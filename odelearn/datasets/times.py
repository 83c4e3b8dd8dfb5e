"""The column of times: numbers that increase, or ISO dates."""

import re
from collections import namedtuple
from datetime import datetime, timedelta

import numpy as np

from .cells import DATE, DataError, numbers, option

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0, "week": 604800.0, "year": 31557600.0}  # in seconds

# How numbers of time become dates: t = 0 is origin, a datetime as ISO text, and 1 is one `unit` of UNITS. Times that
# are numbers in the file have no calendar: None.
Calendar = namedtuple("Calendar", "origin unit")


def times_of(source, name, cells, reader, time_unit=None, calendar=None):
    """ts (T,), in numbers, and their Calendar, or None.

    calendar  that of the tables before this one, whose origin is kept

    ISO dates become the time since the first of them, in days or in `time_unit`. Raises DataError where a time is
    missing, is neither, or does not increase.
    """
    if dated(cells):
        ts, calendar = dates(source, name, cells, time_unit or "day", calendar)
    elif time_unit is not None:
        raise DataError(
            f"{source}, column {name!r}: time_unit (--time-unit) is for dates, and the times are numbers; leave it out"
        )
    else:
        refuse_missing(source, name, cells, reader.is_missing)
        ts, calendar = numbers(source, name, cells, reader, may_miss=False), None
    return ts, calendar


def dated(cells):
    """Whether the first cell that is not empty is a date."""
    first = next((cell for _, cell in cells if cell), "")
    return bool(re.fullmatch(DATE, first))


def dates(source, name, cells, unit, calendar):
    refuse_missing(source, name, cells, lambda cell: not cell)
    moments = []
    for line, cell in cells:
        try:
            moments.append(datetime.fromisoformat(cell))
        except ValueError:
            text = f"{cell!r} is no ISO date; write year-month-day, with or without the time: 2020-01-31 18:30"
            raise DataError(f"{source}, row {line}, column {name!r}: {text}") from None
        if (moments[-1].tzinfo is None) != (moments[0].tzinfo is None):
            text = f"{cell!r} and {cells[0][1]!r}: one has a time zone and the other has none"
            raise DataError(f"{source}, row {line}, column {name!r}: {text}; write it in all rows or in none")
    calendar = calendar or Calendar(moments[0].isoformat(), unit)
    origin = datetime.fromisoformat(calendar.origin)
    if (origin.tzinfo is None) != (moments[0].tzinfo is None):
        raise DataError(f"{source}, column {name!r}: some tables have a time zone and some have none")
    return np.array([(moment - origin).total_seconds() / UNITS[unit] for moment in moments]), calendar


def refuse_missing(source, name, cells, is_missing):
    for line, cell in cells:
        if is_missing(cell):
            raise DataError(f"{source}, row {line}, column {name!r}: the time is missing; write it, or drop the row")


def check_increasing(source, name, cells, ts):
    """Raises DataError where the times (T,) of these cells do not strictly increase."""
    for i in range(1, len(ts)):
        if ts[i] > ts[i - 1]:
            continue
        where = f"{source}, row {cells[i][0]}, column {name!r}"
        shown = [cells[j][1] if dated(cells) else f"{ts[j]:.10g}" for j in (i - 1, i)]
        apart = "name the column that tells them apart: --series COLUMN"
        if i > 1 and ts[i] <= ts[0]:
            first = f"rows {cells[0][0]} to {cells[i - 1][0]} are the first"
            raise DataError(
                f"{where}: the time starts again, {shown[1]} follows {shown[0]}; if several series stand below one "
                f"another ({first}), {apart}; if not, sort the rows"
            )
        raise DataError(
            f"{where}: {shown[1]} follows {shown[0]}, but times must increase; sort the rows, and keep one for each "
            f"time. If several series share the times, {apart}"
        )


def to_date(t, calendar):
    """A number of time as an ISO date, to the microsecond; without the time of day if that is midnight."""
    moment = datetime.fromisoformat(calendar.origin) + timedelta(seconds=round(float(t) * UNITS[calendar.unit], 6))
    text = moment.isoformat(sep=" ")
    return text.removesuffix(" 00:00:00")


def from_date(text, calendar):
    """A number of time from an ISO date. Raises ValueError for another text."""
    moment, origin = datetime.fromisoformat(text), datetime.fromisoformat(calendar.origin)
    return (moment.replace(tzinfo=moment.tzinfo or origin.tzinfo) - origin).total_seconds() / UNITS[calendar.unit]


def check_unit(time_unit):
    if time_unit is not None and time_unit not in UNITS:
        raise ValueError(f"time_unit must be one of {', '.join(UNITS)}, got {time_unit!r}; {option('time_unit', 'h')}")
