#!/usr/bin/env python3
"""Reads every #include of the source and holds it against arrows.txt: arrows between folders go down only, to public
headers only, and units (NAME.c and NAME.h) include each other in circles of at most three.

    arrows.py [--map] SOURCE-FOLDER

--map prints folders with their sizes, and all circles, instead of only what is wrong.
"""
import argparse
import collections
import pathlib
import re
import sys

CIRCLE_MAX = 3
TOP = ("base", "config", "pkix", "starttls", "tokens", "tls", "proxy")


def read_table(path):
    """{folder: (folders it may use, public headers or None)}, and the circles that are known and wait to be mended."""
    table, known = {}, set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        name, colon, rest = line.partition(":")
        if not colon:
            raise SystemExit(f"{path}:{number}: not written as FOLDER: FOLDER...")
        if name == "circle":
            known.add(frozenset(rest.split()))
            continue
        uses, bar, public = rest.partition("|")
        if name in table:
            raise SystemExit(f"{path}:{number}: {name} stands here twice")
        table[name] = (set(uses.split()), set(public.split()) if bar else None)
    return table, known


def read_includes(root):
    """{file: [included file]}, of ours alone, as paths below root."""
    files = {str(p.relative_to(root)): p for top in TOP for p in sorted((root / top).rglob("*.[ch]"))}
    return {name: [(number, found[1]) for number, line in enumerate(p.read_text().splitlines(), 1)
                   if (found := re.match(r'#include "([^"]+)"', line)) and found[1] in files]
            for name, p in files.items()}


def circles_of(graph):
    """The strongly connected components of more than one unit (Tarjan)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(unit):
        index[unit] = low[unit] = len(index)
        stack.append(unit)
        on_stack.add(unit)
        for other in sorted(graph[unit]):
            if other not in index:
                visit(other)
                low[unit] = min(low[unit], low[other])
            elif other in on_stack:
                low[unit] = min(low[unit], index[other])
        if low[unit] == index[unit]:
            circle = set()
            while unit not in circle:
                circle.add(stack.pop())
            on_stack.difference_update(circle)
            if len(circle) > 1:
                found.append(circle)

    for unit in sorted(graph):
        if unit not in index:
            visit(unit)
    return sorted(found, key=len, reverse=True)


def folder_of(path):
    return path.rpartition("/")[0]


def find_faults(table, includes):
    for name, included in includes.items():
        folder = folder_of(name)
        if folder not in table:
            yield f"{name}: its folder has no line in arrows.txt"
            continue
        uses, _ = table[folder]
        for number, other in included:
            target = folder_of(other)
            if target == folder:
                continue
            if target not in uses:
                yield f"{name}:{number}: {folder} may not use {target}, but includes {other}"
            elif table.get(target, (None, None))[1] is not None and other.rpartition("/")[2] not in table[target][1]:
                yield f"{name}:{number}: {other} is not part of the public face of {target}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--map", action="store_true")
    parser.add_argument("root", type=pathlib.Path)
    args = parser.parse_args()
    sys.setrecursionlimit(10000)
    table, known = read_table(pathlib.Path(__file__).parent / "arrows.txt")
    includes = read_includes(args.root)
    graph = collections.defaultdict(set)
    for name, included in includes.items():
        graph[name[:-2]].update(other[:-2] for _, other in included if other[:-2] != name[:-2])
    for other in [o for others in list(graph.values()) for o in others]:
        graph.setdefault(other, set())
    circles = circles_of(graph)
    faults = list(find_faults(table, includes))
    faults += [f"a circle of {len(c)} units: {' '.join(sorted(c))}" for c in circles
               if len(c) > CIRCLE_MAX and not any(c <= k for k in known)]
    if args.map:
        lines = {name: len((args.root / name).read_text().splitlines()) for name in includes}
        for folder in table:
            mine = [n for n in includes if folder_of(n) == folder]
            size = sum(lines[n] for n in mine)
            print(f"{folder:18} {len({n[:-2] for n in mine}):3} units {size:6} lines {100 * size / sum(lines.values()):5.1f} %")
        for circle in circles:
            print(f"circle of {len(circle)}: {' '.join(sorted(circle))}")
    if not includes:
        faults.append(f"{args.root}: no source found")
    for fault in faults:
        print(fault)
    print(f"{len(includes)} files, {sum(map(len, includes.values()))} includes, {len(circles)} circles, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
