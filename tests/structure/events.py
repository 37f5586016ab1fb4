#!/usr/bin/env python3
"""events.py SOURCE-FOLDER: the events of the log are one list.

Holds three things against each other: the list (proxy/process/log_events.h), what the sources write (each event with the
loudest level it comes with), and yett(8), EVENTS OF THE LOG, which has the list in its order and its words."""
import collections
import pathlib
import re
import sys

LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR"]
NOTE_LEVELS = {"CONFIG_NOTE_INFORMATION": "INFO", "CONFIG_NOTE_WARNING": "WARNING"}
# Calls that pass on an event somebody else has named, who is read as well.
PASSED_ON = {"event", "note->event", "end->event"}
FIELDS = re.compile(r"log_(?:text|span|number)\(|\(const struct log_field|\bfields\b")
CALLS = re.compile(r"\b(log_line|log_peer_line|log_write|log_write_of|emit|config_note_add|findings_log)\(")


def without_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)


def read_list(path):
    text = re.sub(r"\\\n", "\n", without_comments(path.read_text()))
    return re.findall(r"X\(\s*(\w+),\s*(\w+),\s*\"([^\"]*)\"\)", text)


def arguments_of(text, start):
    """What stands between the parentheses, the first of which is at start - 1."""
    depth, end = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    return text[start:end - 1]


def events_of(name, arguments):
    """The names in one call, and the levels it may have. None: it passes on what another names."""
    if name == "config_note_add":
        head = arguments[:arguments.index("place")]
        return re.findall(r"\"([a-z_]+)\"", head), [NOTE_LEVELS[x] for x in NOTE_LEVELS if x in head]
    if name == "findings_log":
        return re.findall(r"\"([a-z_]+)\"", arguments), ["ERROR"]
    head = FIELDS.split(arguments)[0]
    if any(part.strip() in PASSED_ON for part in head.split(",")):
        return None
    return re.findall(r"\"([a-z_]+)\"", head), re.findall(r"\bLOG_LEVEL_(\w+)", head)


def read_uses(root, listed, faults):
    uses = collections.defaultdict(set)
    for path in sorted((root / "proxy").rglob("*.c")):
        text = without_comments(path.read_text())
        for call in CALLS.finditer(text):
            where = f"{path.relative_to(root)}:{text[:call.start()].count(chr(10)) + 1}"
            arguments = arguments_of(text, call.end())
            if re.match(r"\s*(const|enum|struct) ", arguments):
                continue  # its definition
            found = events_of(call[1], arguments)
            if found is None:
                continue
            names, levels = found
            if not names or not levels:
                faults.append(f"{where}: a call of {call[1]}() without the name of an event, or without a level")
            for name in names:  # of a call that names several, each has one of its levels
                own = [x for x in levels if len(names) > 1 and x == listed.get(name)] or levels
                uses[name].update((level, where) for level in own)
    ends = re.sub(r"\\\n", "\n", (root / "proxy/session/session_ends.h").read_text())
    for name, level in re.findall(r"X\(\s*\w+,\s*\"(\w+)\",\s*(\w+),", ends):
        uses[name].add((level, "proxy/session/session_ends.h"))
    return uses


def read_manual(path):
    section = path.read_text().split(".Sh EVENTS OF THE LOG\n")[1].split("\n.Sh ")[0]
    return [(name, " ".join(text.split()))
            for name, text in re.findall(r"^\.It Li (\w+)\n((?:[^.\n].*\n)*)", section + "\n", re.M)]


def main():
    root = pathlib.Path(sys.argv[1])
    header = "proxy/process/log_events.h"
    faults = []
    listed = read_list(root / header)
    levels = {name: level for name, level, _ in listed}
    uses = read_uses(root, levels, faults)
    for name, found in sorted(uses.items()):
        level, where = max(found, key=lambda use: LEVELS.index(use[0]))
        if name not in levels:
            faults.append(f"{where}: the event {name} is not in {header}: put it there, and into yett(8)")
        elif levels[name] != level:
            faults.append(f"{header}: {name} says {levels[name]}, but its loudest line is {level} ({where})")
    faults += [f"{header}: no source writes {name}" for name in levels if name not in uses]
    want = [(name, f"({level.lower()}) {text}.") for name, level, text in listed]
    have = read_manual(root / "packaging/yett.8")
    faults += [f"packaging/yett.8: EVENTS OF THE LOG lacks: {name}: {text}" for name, text in want if (name, text) not in have]
    faults += [f"packaging/yett.8: not so in {header}: {name}: {text}" for name, text in have if (name, text) not in want]
    if not faults and have != want:
        faults.append(f"packaging/yett.8: EVENTS OF THE LOG has not the order of {header}")
    print("\n".join(faults) or f"{len(listed)} events, {sum(map(len, uses.values()))} uses")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
