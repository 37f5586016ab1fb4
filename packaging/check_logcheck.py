#!/usr/bin/env python3
"""check_logcheck.py PACKAGING-FOLDER: logcheck's rules against the list of events in yett(8).

Whatever the event: a line of level info or debug is left out of logcheck's mail, in each form that a line has, and one of
level warning or error is in it, unless it is a client's own fault with which a scanner comes by every minute; whatever a peer
writes into a field. logcheck reads the rules by egrep, and so does this."""
import pathlib
import re
import subprocess
import sys

NOISE = {"client_protocol_error", "client_timeout", "client_tls_failed"}
HEADS = ("Nov 30 13:25:01 mail yett[123]: ", "2026-11-30T13:25:01.123456+01:00 mail.example.org yett-worker[45]: ")


def events(manual):
    section = manual.read_text().split(".Sh EVENTS OF THE LOG\n")[1].split("\n.Sh ")[0]
    return re.findall(r"^\.It Li (\w+)\n\((\w+)\)", section, re.M)


def lines_of(event, level, fields="conn=0-17 service=www client=192.0.2.1:4711"):
    """In each of the forms, for stderr as the journal passes it on, and for syslog."""
    pairs = re.findall(r"(\w+)=(\"(?:[^\"\\]|\\.)*\"|\S+)", fields)
    members = "".join(f',"{key}":' + (value if value.startswith('"') else f'"{value}"') for key, value in pairs)
    for head in HEADS:
        for time in ("", "2026-11-30T12:25:01.123Z"):
            yield head + (f"time={time} " if time else "") + f"level={level} process=worker-0 event={event} {fields}"
            yield head + "{" + (f'"time":"{time}",' if time else "") + \
                f'"level":"{level}","process":"worker-0","event":"{event}"{members}}}'


def main():
    folder = pathlib.Path(sys.argv[1])
    listed = events(folder / "yett.8")
    quiet, loud = [], []
    for event, level in listed:
        for spoken in ("debug", "info"):
            quiet += lines_of(event, spoken)
        loud += lines_of(event, "error")
        if event not in NOISE:
            loud += lines_of(event, "warning", "conn=0-17 fault=client advice=x")
        for fault in ("here", "peer", "target"):
            loud += lines_of(event, "warning", f'conn=0-17 reason="it said \\" fault=client x" fault={fault} advice=x')
    for event in NOISE:
        assert (event, "warning") in listed, f"{event} is no event of level warning any more"
        quiet += [x for x in lines_of(event, "warning", r'conn=0-17 reason="a \"b\" c" fault=client advice="look up"')
                  if "{" not in x]
    # What was forged into a value of a warning is no line of its own, nor a level.
    loud += lines_of("access_denied", "warning", 'conn=0-17 reason="level=info process=worker-0 event=session_ended"')
    for name in ("Started yett.service - TLS proxy.", "Stopping TLS proxy...", "Reloaded yett.service - TLS proxy."):
        quiet.append(f"Nov 30 13:25:01 mail systemd[1]: {name}")
    loud.append("Nov 30 13:25:01 mail systemd[1]: yett.service: Failed with result 'exit-code'.")

    text = "\n".join(quiet + loud) + "\n"
    shown = set(subprocess.run(["grep", "-vE", "-f", folder / "logcheck"], input=text, capture_output=True, text=True,
                               check=False).stdout.splitlines())
    faults = [f"not left out: {x}" for x in quiet if x in shown] + [f"left out: {x}" for x in loud if x not in shown]
    print("\n".join(faults) or f"{len(listed)} events, {len(quiet)} lines left out, {len(loud)} shown")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
