#!/usr/bin/env python3
"""format.py CLANG-FORMAT SOURCE-FOLDER: names every C file that .clang-format would have otherwise."""
import pathlib
import subprocess
import sys

FOLDERS = ("base", "config", "pkix", "starttls", "tokens", "tls", "proxy", "tests", "benchmarks")


def main():
    clang_format, root = sys.argv[1], pathlib.Path(sys.argv[2])
    files = [str(p) for folder in FOLDERS for p in sorted((root / folder).rglob("*.[ch]"))]
    done = subprocess.run([clang_format, "--dry-run", "-Werror", "--style=file", *files], capture_output=True, text=True)
    wrong = sorted({line.partition(":")[0] for line in done.stderr.splitlines() if "[-Wclang-format-violations]" in line})
    for name in wrong:
        print(f"{name}: clang-format -i {name}")
    print(f"{len(files)} files, {len(wrong)} not as .clang-format has them")
    return 1 if wrong or done.returncode or not files else 0


if __name__ == "__main__":
    sys.exit(main())
