"""Adds up the reports that tools/test.sh collected, prints a line for each and for whatever failed or was skipped, and
ends with `N passed, N failed`. A report is KIND:NAME:PATH with KIND ctest (JUnit), lit (xUnit) or checks (lines that
begin with PASS, FAIL or SKIP). Exit status 1 if anything failed, or if a report is missing or empty.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

# A test program may hold many tests; these are the closing lines that say how many.
DOCTEST = re.compile(r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed")
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
SKIPPED = re.compile(r"^SKIP (.+)$", re.MULTILINE)


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    failures: list = field(default_factory=list)
    skips: list = field(default_factory=list)

    def fail(self, name, count=1):
        self.failed += count
        self.failures.append(name)


def read_ctest(path):
    """One entry is a program: its own count where it prints one, else one test."""
    tally = Tally()
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name, ok = case.get("name"), case.get("status") == "run"
        output = case.findtext("system-out") or ""
        counts = CLOSING.findall(output) or DOCTEST.findall(output)
        tally.skips += [f"{name}: {reason}" for reason in SKIPPED.findall(output)]
        if not counts:
            passed, failed = int(ok), int(not ok)
        else:
            passed, failed = map(int, counts[-1])
            # A program that died after its last test, or before it could count, has failed once more.
            failed += not ok and not failed
        tally.passed += passed
        if failed:
            tally.fail(name, failed)
    return tally


def read_lit(path):
    tally = Tally()
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}/{case.get('name')}"
        skipped = case.find("skipped")
        if skipped is not None:
            tally.skips.append(f"{name}: {skipped.get('message')}")
        elif case.find("failure") is not None or case.find("error") is not None:
            tally.fail(name)
        else:
            tally.passed += 1
    return tally


def read_checks(path):
    tally = Tally()
    for line in path.read_text().splitlines():
        verdict, _, name = line.partition(" ")
        if verdict == "PASS":
            tally.passed += 1
        elif verdict == "FAIL":
            tally.fail(name)
        elif verdict == "SKIP":
            tally.skips.append(name)
    return tally


READERS = {"ctest": read_ctest, "lit": read_lit, "checks": read_checks}


def read(kind, path):
    try:
        tally = READERS[kind](path)
    except (OSError, ElementTree.ParseError) as error:
        tally = Tally()
        tally.fail(f"no report: {error}")
    if tally.passed + tally.failed == 0:
        tally.fail("no test was run")
    return tally


def main(reports):
    passed = failed = 0
    for report in reports:
        kind, name, path = report.split(":", 2)
        tally = read(kind, Path(path))
        passed += tally.passed
        failed += tally.failed
        print(f"{name:14} {tally.passed:6} passed {tally.failed:4} failed {len(tally.skips):4} skipped")
        for skip in tally.skips:
            print(f"  skipped {skip}")
        for failure in tally.failures:
            print(f"  FAILED {failure}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
