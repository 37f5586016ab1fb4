"""A configuration with mistakes: yett check and yett run say where and what, end with 1, and start nothing."""
import os
import subprocess

import pytest
from conftest import PATIENCE, YETT, sanitizer_lines
from peers import free_port, listens

GOOD = "[service s]\nlisten = 127.0.0.1:{port}\nconnect = 127.0.0.1:{port}2\n"
TLS = GOOD + "listen_tls = implicit\n"

# What the file has; where the first finding must be, and what is said there. FILE is the file itself, FOLDER its folder.
MISTAKES = {
    "nothing in it": ("", "FILE", "there is no section"),
    "unknown section": (GOOD + "[frontend x]\n", "FILE:4", "there is no section \"frontend\""),
    "unknown key": (GOOD + "lisen = 127.0.0.1:3\n", "FILE:4", "did you mean listen?"),
    "doubled key": (GOOD + "listen = 127.0.0.1:3\n", "FILE:4", "already given in line 2"),
    "doubled section": (GOOD + "[service s]\n", "FILE:4", "already at"),
    "missing key": ("[service s]\nlisten = 127.0.0.1:{port}\n", "FILE:1", "connect is missing"),
    "missing value": (GOOD + "via =\n", "FILE:4", "a value is missing"),
    "no line of any kind": (GOOD + "nonsense\n", "FILE:4", "must be KEY = VALUE"),
    "nul byte": (GOOD + "greeting_name = mx\0.test\n", "FILE:4", "control bytes"),
    "endless line": (GOOD + "greeting_name = " + "x" * 100000 + "\n", "FILE:4", "bytes"),
    "value out of range": (GOOD + "idle_timeout = 1000h\n", "FILE:4", "must be from"),
    "cross-check": (GOOD + "sni = required\n", "FILE:4", "no effect with listen_tls = none"),
    "plain text to others": (GOOD.replace("127.0.0.1:{port}\n", "0.0.0.0:{port}\n", 1), "FILE:2", "insecure_plaintext_listen"),
    "identity that is not there": (TLS + "identity = file:FOLDER/none.pem\n", "FILE:5", "No such file"),
    "identity that is none": (TLS + "identity = file:FILE\n", "FILE:5", "FILE"),
    "identity that is a folder": (TLS + "identity = file:FOLDER\n", "FILE:5", "FOLDER"),
    "token without module": (TLS + "identity = pkcs11:token=A;object=b\n", "FILE:5", "needs a section [module NAME]"),
    "module that is not there": (TLS + "identity = pkcs11:token=A;object=b\n[module m]\npath = FOLDER/none.so\n", "FILE:6",
                                 "none.so"),
    "module that is not there, for nobody": (GOOD + "[module m]\npath = FOLDER/none.so\n", "FILE:4", "none.so"),
    "module whose pin is not there, for nobody": (
        GOOD + "[module m]\npath = /usr/lib/softhsm/libsofthsm2.so\npin = file:FOLDER/none\n", "FILE:4", "No such file"),
    "trust that is not there": (GOOD + "connect_tls = implicit\ntrust = file:FOLDER/none.pem\n", "FILE:5", "No such file"),
    "crl that is not there": (GOOD + "connect_tls = implicit\ncrl = file:FOLDER/none.crl\n", "FILE:5", "No such file"),
    "blocklist that is not there": ("[yett]\nblocklist = file:FOLDER/none\n" + GOOD, "FILE:2",
                                    "FOLDER/none: cannot be opened: No such file"),
    "ev list that is not there": ("[yett]\nworkers = 1\nev = file:FOLDER/none\n" + GOOD, "FILE:3",
                                  "FOLDER/none: cannot be opened: No such file"),
    "database that is not there": ("[yett]\ndatabase = sql:FOLDER/none\n" + GOOD, "FILE:2", "cannot open the NSS database"),
    "control in a folder of everybody's": ("[yett]\ncontrol = /tmp/yett-never.sock\n" + GOOD, "FILE:2", "everybody may write to its folder /tmp"),
    "include that is not there": ("[yett]\ninclude = FOLDER/none.conf\n" + GOOD, "FILE:2", "there is no"),
    "include that is a folder": ("[yett]\ninclude = FOLDER\n" + GOOD, "FILE:2", "."),
    "include of itself": ("[yett]\ninclude = FILE\n" + GOOD, "FILE:2", "included once"),
    "include of who includes it": ("[yett]\ninclude = FOLDER/b.conf\n" + GOOD, "FOLDER/b.conf:1", "already at"),
    "mistake in an included file": ("[yett]\ninclude = FOLDER/c.conf\n" + GOOD, "FOLDER/c.conf:3", "no key \"x\""),
}


def command(name, path):
    result = subprocess.run([str(YETT), name, "-c", str(path)], capture_output=True, text=True, timeout=60 * PATIENCE,
                            stdin=subprocess.DEVNULL)
    assert not sanitizer_lines(result.stderr), result.stderr
    return result


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(folder, port, name):
    path, control = folder / "yett.conf", folder / "c.sock"
    text, where, what = (part.replace("FILE", str(path)).replace("FOLDER", str(folder)) for part in MISTAKES[name])
    text = text.replace("{port}2", str(free_port())).replace("{port}", str(port))
    # The control socket is the tests' own; its line is at the end, so that no line above it moves.
    text += f"control = {control}\n" if text.rstrip().endswith("[yett]") else "" if "[yett]" in text else \
        f"[yett]\ncontrol = {control}\n"
    path.write_text(text)
    (folder / "c.conf").write_text("[module m]\npath = /usr/lib/softhsm/libsofthsm2.so\nx = 1\n")
    (folder / "b.conf").write_text(f"[yett]\ninclude = {path}\n")

    check = command("check", path)
    findings = check.stdout + check.stderr
    assert check.returncode == 1, findings
    assert any(line.startswith(where + ": ") and what in line for line in findings.splitlines()), findings

    run = command("run", path)
    assert run.returncode == 1, run.stderr
    assert any(where + ": " in line and what.replace('"', '') in line.replace('\\"', '').replace('"', '')
               for line in run.stderr.splitlines()), run.stderr
    assert not control.exists() and not listens(port)


def test_module_that_nobody_names_may_be_there(folder, port):
    path = folder / "yett.conf"
    text = GOOD.replace("{port}2", str(free_port())).replace("{port}", str(port))
    path.write_text(text + f"[yett]\ncontrol = {folder}/c.sock\n[module m]\npath = /usr/lib/softhsm/libsofthsm2.so\n")
    check = command("check", path)
    assert check.returncode == 0, check


def test_file_that_cannot_be_read(folder):
    for path in (folder / "none.conf", folder):
        for name in ("check", "run"):
            result = command(name, path)
            assert result.returncode == 1 and str(path) + ": " in result.stdout + result.stderr, result


def test_file_of_another_system(yett, echo, folder, port):
    """A byte-order mark and CRLF are not seen by who wrote them: such a file means what it says."""
    path = folder / "dos.conf"
    path.write_bytes(b"\xef\xbb\xbf[service s]\r\nlisten = 127.0.0.1:%d\r\nconnect = 127.0.0.1:%d\r\n" % (port, echo.port))
    check = command("check", path)
    assert check.returncode == 0, check


def test_usage(folder):
    for arguments in (["check", "--no-such-option"], ["check", "-c"], ["run", "extra"], ["no-such-command"]):
        result = subprocess.run([str(YETT), *arguments], capture_output=True, text=True, timeout=60, cwd=folder,
                                env={**os.environ})
        assert result.returncode == 2, (arguments, result)
