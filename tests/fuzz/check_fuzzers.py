#!/usr/bin/python3
"""check_fuzzers.py SOURCE FUZZER...: what has to be fuzzed is, and what is fuzzed has what it needs.

Each fuzzer has a dictionary and a corpus that is not empty, and is in tests/fuzz/README.md; nothing lies about without its
fuzzer. Every function of a header that is given bytes (a struct span) is called by a fuzzer, or README.md names it: by whose
call it is reached, or why no peer's bytes come to it."""
import pathlib
import re
import sys

FOLDERS = ("base", "config", "starttls", "pkix", "tls", "tokens", "proxy")
top, fuzzers = pathlib.Path(sys.argv[1]), sys.argv[2:]
fuzz = top / "tests/fuzz"
readme = (fuzz / "README.md").read_text()
wrong = []


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def functions_given_bytes():
    """Functions of headers that take a struct span by value, by name, with their header."""
    for folder in FOLDERS:
        for header in sorted((top / folder).rglob("*.h")):
            text = re.sub(r"(?m)^#.*(?:\\\n.*)*$", "", without_comments(header.read_text()))
            for name, parameters in re.findall(r"\b([a-z]\w*)\(([^(){};]*)\)(?=[^;{}()]*(?:\([^;{}]*\))*\s*[;{])", text):
                if re.search(r"\bstruct span \w+", parameters):
                    yield name, header.relative_to(top)


for name in fuzzers:
    corpus = fuzz / "corpus" / name
    if not corpus.is_dir() or not any(p.is_file() and p.stat().st_size for p in corpus.iterdir()):
        wrong.append(f"{corpus}: {name} has no corpus: put a few small inputs there")
    if not (fuzz / f"{name}.dict").is_file():
        wrong.append(f"{fuzz / name}.dict: {name} has no dictionary")
    if f"`{name}`" not in readme:
        wrong.append(f"{fuzz / 'README.md'}: {name} is in no row")
for path in [*(fuzz / "corpus").iterdir(), *fuzz.glob("*.dict")]:
    if path.stem not in fuzzers:
        wrong.append(f"{path}: there is no fuzzer of this name")
for name in re.findall(r"`(fuzz_\w+)`", readme):
    if name not in fuzzers:
        wrong.append(f"{fuzz / 'README.md'}: there is no fuzzer {name}")

called = set(re.findall(r"\b([a-z]\w*)\(", "".join(p.read_text() for p in fuzz.rglob("*.[ch]"))))
named = set(re.findall(r"`(\w+)`", readme))
known = set()
for name, header in functions_given_bytes():
    known.add(name)
    if name not in called and name not in named:
        wrong.append(f"{header}: {name}() is given bytes, and no fuzzer calls it: write one, or name it in tests/fuzz/README.md")
everywhere = "".join(p.read_text() for folder in FOLDERS for p in (top / folder).rglob("*.h"))
for name in sorted(named - known - set(fuzzers)):
    if not re.search(rf"\b{name}\b", everywhere):
        wrong.append(f"{fuzz / 'README.md'}: there is no function {name}()")

print("\n".join(wrong) or f"{len(fuzzers)} fuzzers, {len(known)} functions that are given bytes")
sys.exit(bool(wrong))
