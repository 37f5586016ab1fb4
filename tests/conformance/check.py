#!/usr/bin/env python3
"""Runs the public suites through yett's path builder and compares with what they expect.

    check.py --programs DIR [--suites DIR]

Suites are looked for in $YETT_SUITES, in --suites, or one by one in $LIMBO_JSON and $PKITS_DIR. What is not there is
said to be SKIPPED; exit status 77 when nothing was there, 1 when a case deviates that deviations.tsv does not list with
a reason, or when a listed case no longer deviates, 0 otherwise.
"""
import argparse
import csv
import fnmatch
import json
import lzma
import os
import pathlib
import subprocess
import sys

SKIPPED = 77
SIGNATURE_CHECKS_MAX = 100
SLOW_CASES, SLOW_MS = 5, 2
PEERS_THAT_COUNT = ("openssl", "gnutls", "mozpkix", "pyca")
HERE = pathlib.Path(__file__).resolve().parent


class Deviations:
    """deviations.tsv: suite, case (may be a pattern), reason."""

    def __init__(self, path):
        with open(path, encoding="utf-8", newline="") as file:
            lines = [line for line in file if not line.startswith("#")]
        self.rows = [row for row in csv.reader(lines, delimiter="\t") if row]
        for row in self.rows:
            assert len(row) == 3 and row[2], f"deviations.tsv: {row}"

    def listed(self, suite, case):
        return any(s == suite and fnmatch.fnmatchcase(case, c) for s, c, _ in self.rows)

    def stale(self, suite, agreeing):
        return [c for s, c, _ in self.rows if s == suite and c in agreeing]


class Report:
    def __init__(self, deviations):
        self.deviations = deviations
        self.problems = []
        self.ran = False

    def skip(self, suite, why):
        print(f"SKIPPED {suite}: {why}")

    def compare(self, suite, results):
        """results: (case, expected, actual, detail)"""
        self.ran = True
        agreeing = {case for case, want, got, _ in results if want == got}
        listed = 0
        for case, want, got, detail in results:
            if want == got:
                continue
            if self.deviations.listed(suite, case):
                listed += 1
            else:
                self.problems.append(f"{suite}: {case}: want {want}, got {got}: {detail}")
        for case in self.deviations.stale(suite, agreeing):
            self.problems.append(f"{suite}: {case}: listed in deviations.tsv, but does not deviate")
        print(f"{suite}: {len(results)} cases, {len(agreeing)} as expected, {listed} listed deviations")


    def slow(self, suite, efforts):
        """Tells the cases that took the most, (case, signature checks, milliseconds). The time is for people to read."""
        for case, checks, milliseconds in sorted(efforts, key=lambda effort: -effort[2])[:SLOW_CASES]:
            if milliseconds >= SLOW_MS:
                print(f"{suite}: slow: {case}: {checks} signature checks, {milliseconds:.1f} ms")


def find(suites, *names):
    for name in names:
        path = suites / name if suites else None
        if path and path.exists():
            return path
    return None


def load_limbo(path):
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return file.read()


def run_limbo(report, programs, path, peers):
    text = load_limbo(path)
    cases = {case["id"]: case for case in json.loads(text)["testcases"]}
    for profile in ("default", "strict"):
        output = subprocess.run([programs / "limbo-harness", "--profile", profile, "--signatures"], input=text, text=True,
                                check=True, capture_output=True).stdout
        results = json.loads(output)["results"]
        others = [(r["id"], cases[r["id"]]["expected_result"], r["actual_result"], r["context"]) for r in results
                  if not r["id"].startswith("bettertls::")]
        better = [(r["id"], cases[r["id"]]["expected_result"], r["actual_result"], r["context"]) for r in results
                  if r["id"].startswith("bettertls::")]
        report.compare(f"limbo-{profile}", others)
        report.compare(f"bettertls-{profile}", better)
        for r in results:
            if r["signature_checks"] > SIGNATURE_CHECKS_MAX:
                report.problems.append(f"limbo-{profile}: {r['id']}: {r['signature_checks']} signature checks")
        report.slow(f"limbo-{profile}", [(r["id"], r["signature_checks"], r["milliseconds"]) for r in results])
        if profile == "strict" and peers:
            strict_refuses_what_others_refuse(report, results, peers)


def strict_refuses_what_others_refuse(report, results, peers):
    """No case that should fail passes in the strict profile when another validator refuses it."""
    with open(peers, encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}
    for r in results:
        row = rows.get(r["id"])
        if row and row["expected"] == "FAILURE" and r["actual_result"] == "SUCCESS":
            refusing = [peer for peer in PEERS_THAT_COUNT if row[peer] == "FAILURE"]
            if refusing:
                report.problems.append(f"limbo-strict: {r['id']}: accepted, refused by {', '.join(refusing)}")


def run_pkits(report, programs, folder):
    output = subprocess.run([programs / "pkits-runner", folder], text=True, check=True, capture_output=True).stdout
    rows = [line.split("\t") for line in output.splitlines()]
    report.compare("pkits", [(f"{r[0]} {r[1]}", r[2], r[3], r[4]) for r in rows])


def run_sigdos(report, programs, folder):
    output = subprocess.run([programs / "sigdos-runner", *sorted(folder.glob("*.tsv"))], text=True, check=True,
                            capture_output=True).stdout
    rows = [line.split("\t") for line in output.splitlines()]
    report.compare("sigdos", [(r[0], "invalid", r[1], r[2]) for r in rows])
    for case, _, _, checks, _, milliseconds in rows:
        print(f"sigdos: {case}: {checks} signature checks, {milliseconds} ms")
        if int(checks) > SIGNATURE_CHECKS_MAX:
            report.problems.append(f"sigdos: {case}: {checks} signature checks")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--suites", type=pathlib.Path)
    args = parser.parse_args()
    suites = pathlib.Path(os.environ["YETT_SUITES"]) if os.environ.get("YETT_SUITES") else args.suites
    if suites and not suites.is_dir():
        suites = None
    report = Report(Deviations(HERE / "deviations.tsv"))

    limbo = pathlib.Path(os.environ["LIMBO_JSON"]) if os.environ.get("LIMBO_JSON") else find(
        suites, "limbo.json", "limbo.json.xz", "limbo-dev.json.xz")
    pkits = pathlib.Path(os.environ["PKITS_DIR"]) if os.environ.get("PKITS_DIR") else find(suites, "pkits")
    sigdos = find(suites, "sigdos")
    if limbo:
        run_limbo(report, args.programs, limbo, find(suites, "limbo-dev-peers.tsv"))
    else:
        report.skip("limbo", "no limbo.json (YETT_SUITES or LIMBO_JSON)")
    if pkits:
        run_pkits(report, args.programs, pkits)
    else:
        report.skip("pkits", "no folder (YETT_SUITES or PKITS_DIR)")
    if sigdos:
        run_sigdos(report, args.programs, sigdos)
    else:
        report.skip("sigdos", "no folder (YETT_SUITES)")
    for problem in report.problems:
        print(f"FAILED {problem}")
    if report.problems:
        return 1
    return 0 if report.ran else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
