"""The scoreboard: every experiment with several seeds, and a page that says which of the paper's claims hold."""

import sys
from collections import Counter
from pathlib import Path

from ..fitting.options import UsageError, one_line
from ..fitting.store import atomic_write, check_writable, writable_directory
from . import EXPERIMENTS
from .claims import VERDICTS
from .jobs import jobs_of, module_of, read_record, result_of, run_jobs

SEEDS = 3


def scoreboard(
    names=(),
    seeds=SEEDS,
    full=False,
    out="figures/scoreboard",
    page="notebooks/scoreboard.md",
    jobs=1,
    dask=None,
    render=False,
    draw=None,
    quiet=False,
):
    """The command `scoreboard`: run what has not been run yet, then write the page from the JSON files.

    names   of the experiments to run; all if there are none. The page always has all of them
    seeds   how many: 0, 1, ..., seeds - 1
    full    the long runs
    out     the directory of the JSON files, OUT/EXPERIMENT/METHOD-seedS.json; what is there is not run again
    page    the file to write, in Markdown
    jobs    how many trainings run at once, by joblib
    dask    the address of a Dask scheduler, which runs them instead
    render  run nothing, only write the page
    draw    a directory for the figures of every experiment, of the first seed that is complete; None: no figures
    quiet   without the bar

    Returns the exit status: 0, or 1 where a training failed or claims could not be judged; the page is written anyway.
    Raises UsageError for a wrong name and where nothing can be written, KeyboardInterrupt after Ctrl-C: what is
    finished is in its file, and the next call goes on from there.
    """
    wanted = [job for name in names or EXPERIMENTS for job in jobs_of(name, range(seeds), full)]
    if Path(page).is_dir():
        raise UsageError(f"--page {page}: is a directory; name a file, such as notebooks/scoreboard.md")
    check_writable(page)
    failures = {}
    if not render:
        _, failures = run_jobs(wanted, out, jobs, dask, progress=None if quiet else "jobs")
    text, troubles = page_of(out, seeds)
    with atomic_write(page) as draft:
        draft.write_text(text, encoding="utf-8")
    for name in EXPERIMENTS if draw else ():
        draw_figures(name, out, seeds, full, writable_directory(draw))
    for trouble in troubles:
        print(f"odelearn: {trouble}", file=sys.stderr, flush=True)
    if failures:
        print(f"odelearn: {len(failures)} of {len(wanted)} trainings failed", file=sys.stderr, flush=True)
    print(f"Written to {page}: {summary(text)}", flush=True)
    return 1 if failures or troubles else 0


def draw_figures(name, folder, seeds, full, figures):
    records, missing = read_records(name, folder, seeds, full)
    complete = complete_seeds(seeds, missing)
    if complete:
        results = [result_of(record) for record in records if record["seed"] == complete[0]]
        for path in module_of(name).draw(results, figures):
            print(f"Drawn in {path}", flush=True)


HEAD = """\
# Scoreboard

Claims about Neural ODEs, most of them of Chen et al. (2018), tested at sizes that a laptop can do. Every number under
"ours" is a mean over the seeds +- their standard deviation, and every verdict follows from the numbers by the rule in
the last column. Settings were compared on validation data.

    python -m odelearn scoreboard             # runs what is missing, and writes this page
    python -m odelearn scoreboard --render    # writes it from the JSON files in figures/scoreboard

**{summary}**
"""
COLUMNS = ("claim", "where", "paper", "ours", "verdict", "why")


def page_of(folder, seeds=SEEDS):
    """The page as Markdown, from the JSON files in `folder` alone, and a list of what could not be judged and why.

    An experiment has a table of its claims, judged from those seeds that all its methods have been run with. What is
    missing is listed as not run. Long runs have a table of their own where there are any.
    """
    sections, troubles, verdicts = [], [], Counter()
    for name in EXPERIMENTS:
        for full in (False, True):
            if full and not list((Path(folder) / name).glob("*-full.json")):
                continue
            section, trouble, rows = section_of(name, folder, seeds, full)
            sections.append(section)
            troubles += trouble
            verdicts.update(row[4] for row in rows)
    counts = [f"{verdicts[key]} {key}" for key in (*VERDICTS, "not judged", "not run") if verdicts[key]]
    return "\n".join([HEAD.format(summary="; ".join(counts) or "no experiments"), *sections]), troubles


def section_of(name, folder, seeds, full):
    """(Markdown, troubles, rows of the table) of one experiment."""
    records, missing = read_records(name, folder, seeds, full)
    complete = complete_seeds(seeds, missing)
    used = [record for record in records if record["seed"] in complete]
    rows, troubles = rows_of(name, used)
    what = EXPERIMENTS[name][1]
    title = f"## {name}{' --full' if full else ''}\n\n{what[:1].upper()}{what[1:]}.\n"
    notes = [title, markdown([COLUMNS, *rows]), *notes_of(used, complete, missing)]
    return "\n".join(notes) + "\n", troubles, rows


def read_records(name, folder, seeds, full):
    """The records that are there, and {job: why not} of the jobs that have none."""
    records, missing = [], {}
    for job in jobs_of(name, range(seeds), full):
        record, why = read_record(job, folder)
        if record is None:
            missing[job] = why
        else:
            records.append(record)
    return records, missing


def complete_seeds(seeds, missing):
    """Those that every method of the experiment has been run with."""
    return [seed for seed in range(seeds) if all(job.seed != seed for job in missing)]


def rows_of(name, records):
    """The cells of the claims of an experiment, and a list of troubles, which is empty if they could be judged."""
    if not records:
        return [(f"all claims of {name}", "", "", "not run", "not run", "")], []
    try:
        claims = module_of(name).claims([result_of(record) for record in records])
    except Exception as error:
        return [(f"all claims of {name}", "", "", "", "not judged", one_line(error))], [f"{name}: {one_line(error)}"]
    return [tuple(getattr(claim, column) for column in COLUMNS) for claim in claims], []


def notes_of(records, complete, missing):
    """Lines below the table: the seeds, the time, the versions; and every job that has not been run."""
    if records:
        seconds = sum(record["cpu_seconds"] for record in records)
        versions = sorted({f"NumPy {record['versions']['numpy']}" for record in records})
        few = " That is fewer than 3: the spread says little." if len(complete) < 3 else ""
        yield (
            f"\n{named(complete).capitalize()}; {len(records)} trainings, {seconds / 60:.1f} minutes of CPU; "
            f"{', '.join(versions)}.{few}"
        )
    if missing:
        yield f"\nNot run: {'; '.join(told(missing))}."


def told(missing):
    """{job: why it has no record} as text, a method at a time: "plain, seeds 0, 1"."""
    seeds = {}
    for job, why in missing.items():
        seeds.setdefault((job.method, why), []).append(job.seed)
    for (method, why), numbers in seeds.items():
        yield f"{method}, {named(numbers)}{f' ({why})' if why else ''}"


def named(seeds):
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def markdown(rows):
    """A Markdown table; the first row is the header."""
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    cells.insert(1, ["---"] * len(cells[0]))
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def summary(text):
    """The line of the page that counts the verdicts."""
    return next(line.strip("*") for line in text.splitlines() if line.startswith("**"))
