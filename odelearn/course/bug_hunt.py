"""Used inside the problem set "Find the bug": is the repaired function right, and is the student's test a good one?"""

import numpy as np

from .hand_written import by_hand


def judge(repaired, test, good, broken, cases, shown=None):
    """The points of a part: 2 for a right repair, and 2 for a test that accepts right code and refuses wrong code.

    repaired  the student's function
    test      the student's test: test(candidate) raises AssertionError if the candidate is wrong
    good      right functions, written in other ways; the first is the reference
    broken    wrong functions
    cases     argument tuples; on them the repaired function must do what the reference does
    shown     shown(candidate) is the function that is compared in its place; None: the candidate itself

    What the test is given tells neither its name nor its source. What is wrong is printed for the student.
    """
    points = 0.0
    for find_fault, what in (
        (lambda: find_fault_of_repair(repaired, good[0], cases, shown), "the repaired function"),
        (lambda: find_fault_of_test(test, good, broken), "your test"),
    ):
        fault = find_fault()
        points += 0.0 if fault else 2.0
        print(f"{what}: {fault or 'right'}")
    return points


def try_test(test, repaired, broken):
    """Say what a student's test makes of the student's own repair, and of the broken code."""
    for candidate, what, wanted in ((repaired, "your repair", "accepts"), (broken, "the broken code", "refuses")):
        try:
            test(disguise(candidate))
            answer = "accepts"
        except NotImplementedError:
            answer = "cannot judge yet"
        except Exception as error:
            answer = "refuses" if isinstance(error, AssertionError) else f"ends in {type(error).__name__} on"
        print(f"your test {answer} {what}" + ("" if answer == wanted else f"; it should say: {wanted}"))


def find_fault_of_repair(repaired, reference, cases, shown):
    """What is wrong with a repaired function, or None."""
    run, right = (shown(repaired), shown(reference)) if shown else (repaired, reference)
    for case in cases:
        try:
            with by_hand("scipy"):
                found = run(*case)
        except NotImplementedError:
            return "nothing was written here yet"
        except Exception as error:  # the student's code may raise anything
            return f"{type(error).__name__}: {error}"
        if not is_close(found, right(*case)):
            return "it still differs from a right one, on inputs that you have not seen"
    return None


def find_fault_of_test(test, good, broken):
    """What is wrong with a test, or None."""
    for candidate in good:
        if verdict(test, candidate) == "nothing":
            return "nothing was written here yet"
        if verdict(test, candidate) != "accepted":
            return f"it refuses a right version that is written in another way ({verdict(test, candidate)})"
    for candidate in broken:
        if verdict(test, candidate) == "accepted":
            return "it accepts a wrong version"
        if verdict(test, candidate) != "refused":
            return f"on wrong code it must raise AssertionError; it ends in {verdict(test, candidate)}"
    return "it accepts a function that returns None" if verdict(test, lambda *args: None) == "accepted" else None


def verdict(test, candidate):
    """accepted, refused, nothing (not written yet), or the error in which the test ended."""
    try:
        test(disguise(candidate))
    except AssertionError:
        return "refused"
    except NotImplementedError:
        return "nothing"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def is_close(found, right):
    """Whether two results, numbers, arrays or tuples of them, agree to 1e-9."""
    if isinstance(right, tuple):
        return isinstance(found, (tuple, list)) and len(found) == len(right) and all(map(is_close, found, right))
    try:
        return np.shape(found) == np.shape(right) and bool(np.allclose(found, right, rtol=1e-9, atol=1e-12))
    except TypeError:
        return False


def disguise(candidate):
    """The same function under another name, so that a test can tell it only by what it computes."""

    def candidate_function(*args):
        return candidate(*args)

    return candidate_function
