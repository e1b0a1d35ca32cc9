"""Runs tests of Python's own suite by name and prints how each ended, in order of their names and without times."""

import sys
import unittest
from test import support


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.lines = []

    def note(self, outcome, test, error=None):
        self.lines.append(f"{outcome} {test.id()}")
        if error:
            print(self._exc_info_to_string(error, test), file=sys.stderr)

    def addSuccess(self, test):
        self.note("ok", test)

    def addError(self, test, error):
        self.note("error", test, error)

    def addFailure(self, test, error):
        self.note("failure", test, error)

    def addSkip(self, test, reason):
        self.note("skipped", test)

    def addExpectedFailure(self, test, error):
        self.note("expected failure", test)

    def addUnexpectedSuccess(self, test):
        self.note("unexpected success", test)


def main():
    # Other programs' tests and those that measure time or memory are left out by name.
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    unwanted = [name[1:] for name in sys.argv[1:] if name.startswith("-")]

    def chosen(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                yield from chosen(test)
            elif not any(name in test.id() for name in unwanted):
                yield test

    # What some tests tell of their threads is in another order each time.
    support.verbose = False
    outcomes = Outcomes()
    loaded = unittest.defaultTestLoader.loadTestsFromNames(wanted)
    unittest.TestSuite(chosen(loaded)).run(outcomes)
    print("\n".join(sorted(outcomes.lines)))
    bad = [line for line in outcomes.lines if line.startswith(("error", "failure", "unexpected"))]
    print(f"{len(outcomes.lines)} tests, {len(bad)} not as they should be")
    sys.exit(len(bad) > 0)


main()
