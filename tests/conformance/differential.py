#!/usr/bin/env python3
"""Asks `yett verify`, `openssl verify` and `certtool --verify` about the same generated chains and compares.

Chains come from chain-generator, with a seed: right ones, and such with one or two things wrong. Where a validator's
answer differs from yett's, one of the case's tags must be in differences.tsv with the reason, or several of them joined
by "+" (the purpose is a tag, too); a difference without a reason fails.

    differential.py --yett proxy/yett --generator .../chain-generator [--seed N] [--count N] [--keep FOLDER]
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
PURPOSE_OIDS = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2"}


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60, errors="replace")


def ask_yett(yett, case, folder):
    """(accepted, error name)"""
    name = [] if case["purpose"] == "client" else ["--name", "dns:" + case["name"]]
    result = run(yett, "verify", "--json", "--trust", folder / "roots.pem", "--time", f"@{case['time']}", "--purpose",
                 case["purpose"], *name, folder / "chain.pem")
    if result.returncode == 2 and "roots.pem:1: certificate 1: " in result.stderr and \
            "not a usable certificate" in result.stderr:
        return False, "anchor refused"  # at the start, and not at the first handshake
    if result.returncode not in (0, 1):
        raise RuntimeError(f"yett verify ended with {result.returncode}: {result.stderr}")
    answer = json.loads(result.stdout)
    assert answer["valid"] == (result.returncode == 0)
    return answer["valid"], answer["error"] or "ok"


def ask_openssl(case, folder):
    name = [] if case["purpose"] == "client" else ["-verify_hostname", case["name"]]
    extras = ["-untrusted", folder / "extras.pem"] if (folder / "extras.pem").stat().st_size else []
    result = run("openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", folder / "roots.pem", *extras, "-attime",
                 case["time"], "-purpose", f"ssl{case['purpose']}", *name, folder / "leaf.pem")
    return result.returncode == 0, " ".join((result.stdout + result.stderr).split())


def ask_gnutls(case, folder):
    name = [] if case["purpose"] == "client" else ["--verify-hostname", case["name"]]
    result = run("certtool", "--verify", "--load-ca-certificate", folder / "roots.pem", "--infile", folder / "chain.pem",
                 "--verify-purpose", PURPOSE_OIDS[case["purpose"]], *name)
    return result.returncode == 0, " ".join((result.stdout + result.stderr).split())


VALIDATORS = {"openssl": ("openssl", ask_openssl), "gnutls": ("certtool", ask_gnutls)}


def read_differences(path):
    """Rows: (validator, what yett does, tag) -> reason."""
    rows = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            fields = line.split("\t")
            if len(fields) != 4 or fields[0] not in VALIDATORS or fields[1] not in ("accepts", "refuses"):
                sys.exit(f"{path}:{number}: VALIDATOR <tab> accepts|refuses <tab> TAG <tab> REASON")
            rows[tuple(fields[:3])] = fields[3]
    return rows


def prepare(folder, case):
    """The three files of a case in a folder of its own, and the leaf with the extras as one."""
    own = folder / str(case["case"])
    own.mkdir()
    for what in ("roots", "leaf", "extras"):
        os.rename(folder / f"{case['case']}-{what}.pem", own / f"{what}.pem")
    (own / "chain.pem").write_text((own / "leaf.pem").read_text() + (own / "extras.pem").read_text())
    return own


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--yett", type=pathlib.Path, required=True)
    parser.add_argument("--generator", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--keep", type=pathlib.Path, help="write the cases here and leave them")
    args = parser.parse_args()

    missing = [command for command, _ in VALIDATORS.values() if shutil.which(command) is None]
    if missing:
        print(f"SKIPPED: {', '.join(missing)} not installed (scripts/packages test)")
        return SKIPPED
    differences = read_differences(HERE / "differences.tsv")
    used, unexplained, accepted = collections.Counter(), [], 0
    with tempfile.TemporaryDirectory(prefix="yett-differential-") as temporary:
        folder = args.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        generated = run(args.generator, args.seed, args.count, int(time.time()), folder)
        if generated.returncode != 0:
            sys.exit(f"chain-generator ended with {generated.returncode}: {generated.stderr}")
        cases = [json.loads(line) for line in generated.stdout.splitlines()]

        def ask_all(case):
            own = prepare(folder, case)
            return case, ask_yett(args.yett, case, own), {n: ask(case, own) for n, (_, ask) in VALIDATORS.items()}

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for case, (ours, error), others in pool.map(ask_all, cases):
                accepted += ours
                for validator, (theirs, said) in others.items():
                    if ours == theirs:
                        continue
                    verb = "accepts" if ours else "refuses"
                    tags = {case["purpose"], *case["tags"]}
                    rows = [row for row in differences if row[:2] == (validator, verb) and tags >= set(row[2].split("+"))]
                    if rows:
                        used.update(rows[:1])
                    else:
                        unexplained.append(f"case {case['case']} ({case['purpose']}, {case['intermediates']} intermediates, "
                                           f"{' '.join(case['tags']) or 'unchanged'}): yett {verb} ({error}), "
                                           f"{validator} does not: {said[:300]}")
        plain = [case for case in cases if not case["tags"]]

    print(f"{len(cases)} chains, seed {args.seed}: yett accepts {accepted}; {len(plain)} unchanged; "
          f"{sum(used.values())} differences explained, in {len(used)} of {len(differences)} classes")
    for (validator, verb, tag), count in sorted(used.items()):
        print(f"  {count:4} {validator}: yett {verb} {tag}: {differences[validator, verb, tag]}")
    for line in unexplained:
        print("UNEXPLAINED", line)
    # A generator that makes only good chains, or only bad ones, compares nothing.
    return 1 if unexplained or not 0.1 * len(cases) < accepted < 0.9 * len(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
