"""A page of feedback a student: the marks part by part, and what each test found, but no source of a hidden test."""

import nbformat

PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ student }}</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100% }
td, th { padding: .3em .6em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td.mark { white-space: nowrap }
.less { color: #a30 }
pre { white-space: pre-wrap; margin: 0 }
</style></head><body>
<h1>{{ student }}</h1>
{% for set in sets %}
<h2>{{ set.name }}: {{ "%g" | format(set.points) }} of {{ "%g" | format(set.of) }} points</h2>
{% if set.waiting %}<p>{{ "%g" | format(set.waiting) }} points more are marked by hand.</p>{% endif %}
{% if set.problem %}<p class="less">{{ set.problem }}</p>{% endif %}
<table><tr><th>part</th><th>points</th><th>what was found</th></tr>
{% for part in set.parts %}<tr><td>{{ part.name }}</td>
<td class="mark{{ ' less' if part.less }}">{{ part.mark }} of {{ "%g" | format(part.of) }}</td>
<td><pre>{{ part.found }}</pre></td></tr>
{% endfor %}</table>
{% endfor %}
</body></html>
"""


def write_feedback(teacher, student, sets, seed):
    """Write TEACHER/feedback/STUDENT.html.

    sets  {"ps1": {part: (points or None, of), ...}, ...}
    """
    import jinja2

    shown = [describe(teacher, student, name, parts) for name, parts in sets.items()]
    page = jinja2.Environment(autoescape=True).from_string(PAGE).render(student=student, sets=shown)
    path = teacher / "feedback" / f"{student}.html"
    path.parent.mkdir(exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def describe(teacher, student, name, parts):
    """One problem set as the page shows it."""
    found = messages(teacher / "autograded" / student / name / f"{name}.ipynb")
    problem = teacher / "graded" / student / f"{name}.problem.txt"
    return {
        "name": name,
        "points": sum(points or 0 for points, _ in parts.values()),
        "of": sum(of for _, of in parts.values()),
        "waiting": sum(of for points, of in parts.values() if points is None),
        "problem": problem.read_text(encoding="utf-8") if problem.exists() else "",
        "parts": [
            {
                "name": part,
                "mark": "by hand" if points is None else f"{points:g}",
                "less": points is not None and points < of,
                "of": of,
                "found": found.get(part, "nothing was handed in"),
            }
            for part, (points, of) in parts.items()
        ],
    }


def messages(path):
    """{part: what its test found}: the error of the test, or that all is well."""
    if not path.is_file():
        return {}
    found, before = {}, []
    for cell in nbformat.read(path, as_version=4).cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        errors = [explain(output) for output in cell.get("outputs", ()) if output.output_type == "error"]
        if nbgrader.get("grade"):
            printed = "".join(output.text for output in cell.get("outputs", ()) if output.output_type == "stream")
            well = "" if nbgrader.get("solution") else printed.strip() or "all is well"
            found[nbgrader["grade_id"]] = "\n".join([*errors, *before]) if errors else well
        if nbgrader.get("solution"):
            before = [f"(the cell before it: {error})" for error in errors]
    return found


def explain(error):
    """One error as a student reads it: an assertion's own words, or the kind of error and its message."""
    if error.ename == "NotImplementedError":
        return "nothing was written here yet"
    own_words = error.ename in ("AssertionError", "Stopped") and error.evalue
    return error.evalue if own_words else f"{error.ename}: {error.evalue}"
