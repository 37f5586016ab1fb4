"""[control]: who may ask a running yett for what; and who is given a PIN."""
import contextlib
import grp
import json
import os
import pwd
import re
import socket
import stat
import subprocess

import pytest
from conftest import BUILD, YETT, PATIENCE
from peers import free_port, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as several users")

NOBODY, MAN, GAMES = (pwd.getpwnam(name) for name in ("nobody", "man", "games"))
OPERATORS = grp.getgrnam("operator")


def service(port):
    return f"[service s]\nlisten = 127.0.0.1:{port}\nlisten_tls = none\nconnect = 127.0.0.1:9\nconnect_tls = none\n"


def ask(running, *command, user, groups=()):
    """yett COMMAND as another user, who cannot read the configuration."""
    result = subprocess.run([str(YETT), *command, "--control", str(running.control)], capture_output=True, text=True,
                            user=user.pw_uid, group=user.pw_gid, extra_groups=list(groups), cwd="/",
                            timeout=60 * PATIENCE)
    return result.returncode, result.stdout + result.stderr


def roles(running, control, port):
    running.configure(f"[control]\n{control}\n" + service(port))
    running.command("reload")


def test_nobody_else_by_default(yett, port):
    running = yett(service(port))
    assert stat.S_IMODE(os.stat(running.control).st_mode) == 0o600
    code, said = ask(running, "status", user=NOBODY)
    assert code == 1 and ": Permission denied: it belongs to root:root (mode 0600)" in said
    assert "root and the user that yett runs as may, and who is named in [control]" in said


def test_check_of_another_user_does_not_take_the_running_yett_for_a_stranger(yett, port, folder):
    running = yett(service(port))
    copy = folder / "copy.conf"
    copy.write_text(running.config.read_text())
    folder.chmod(0o755)
    result = subprocess.run([str(YETT), "check", "-c", str(copy)], capture_output=True, text=True, user=NOBODY.pw_uid,
                            group=NOBODY.pw_gid, extra_groups=[], cwd="/", timeout=60 * PATIENCE)
    assert result.returncode == 0 and "good, 1 service" in result.stdout, result
    assert f"{running.control} is not for this user, so a yett that runs cannot be asked" in result.stderr, result


def test_each_role_may_what_it_is_for_and_no_more(yett, port):
    running = yett("[control]\nlook = nobody\noperate = man\nadminister = games\n" + service(port))
    assert stat.S_IMODE(os.stat(running.control).st_mode) == 0o666
    commands = {"status": "look", "connections": "look", "reload": "operate", "drain": "operate", "stop": "administer"}
    ranks = ["look", "operate", "administer"]
    for user, has in ((NOBODY, "look"), (MAN, "operate"), (GAMES, "administer")):
        for command, needs in commands.items():
            if command in ("drain", "stop") and ranks.index(has) >= ranks.index(needs):
                continue  # at the end
            code, said = ask(running, command, user=user)
            if ranks.index(has) >= ranks.index(needs):
                assert code == 0, (user.pw_name, command, said)
            else:
                assert code == 1 and f"user {user.pw_uid} may not {command}: that takes the role {needs}" in said
                assert f'"{needs} = ..." in [control]' in said
    (refused,) = running.log_lines("control_refused", uid=NOBODY.pw_uid, command="reload")
    assert refused["level"] == "warning" and refused["pid"] > 0 and "takes the role operate" in refused["reason"]
    assert ask(running, "drain", user=MAN)[0] == 0
    assert ask(running, "stop", user=GAMES)[0] == 0
    assert running.process.wait(30 * PATIENCE) == 0


def test_pin_commands_take_the_role_operate(yett, token, port):
    running = yett("[control]\nlook = nobody\noperate = man\n" + token.settings() + service(port))
    code, said = ask(running, "token", "logout", "token", user=NOBODY)
    assert code == 1 and "takes the role operate" in said, said
    assert ask(running, "token", "logout", "token", user=MAN)[0] == 0
    assert running.status()["modules"][0]["pin"] == "logged_out"


def test_group_is_what_the_kernel_says_and_the_file_is_for_it_alone(yett, port):
    running = yett("[control]\nlook = @operator\n" + service(port))
    info = os.stat(running.control)
    assert (stat.S_IMODE(info.st_mode), info.st_gid) == (0o660, OPERATORS.gr_gid)
    assert ask(running, "status", user=NOBODY)[0] == 1
    assert ask(running, "status", user=NOBODY, groups=[OPERATORS.gr_gid])[0] == 0
    assert ask(running, "reload", user=NOBODY, groups=[OPERATORS.gr_gid])[0] == 1


def test_who_is_not_named_is_told_so_and_holds_no_place(yett, port):
    running = yett("[control]\nlook = man\n" + service(port))
    code, said = ask(running, "status", user=NOBODY)
    assert code == 1 and f"user {NOBODY.pw_uid} may not" in said and '"look = ..."' in said
    before = os.geteuid()
    with contextlib.ExitStack() as all_of_them:
        os.seteuid(NOBODY.pw_uid)
        try:
            for _ in range(100):
                s = all_of_them.enter_context(socket.socket(socket.AF_UNIX))
                s.connect(str(running.control))
        finally:
            os.seteuid(before)
        assert ask(running, "status", user=MAN)[0] == 0
        assert running.status()["state"] == "running"
    # And the log is not theirs to fill.
    assert len(running.log_lines("control_refused")) <= 25


def test_guests_leave_places_for_administrators(yett, port):
    running = yett("[control]\nlook = man\n" + service(port))
    before = os.geteuid()
    with contextlib.ExitStack() as all_of_them:
        os.seteuid(MAN.pw_uid)
        try:
            for _ in range(40):
                s = all_of_them.enter_context(socket.socket(socket.AF_UNIX))
                s.connect(str(running.control))
        finally:
            os.seteuid(before)
        assert running.status()["state"] == "running"


def test_reload_changes_who_may_also_for_those_who_are_connected(yett, port):
    running = yett("[control]\nlook = nobody\n" + service(port))
    before = os.geteuid()
    with socket.socket(socket.AF_UNIX) as s:
        os.seteuid(NOBODY.pw_uid)
        try:
            s.connect(str(running.control))
        finally:
            os.seteuid(before)
        s.settimeout(30 * PATIENCE)
        file = s.makefile("rw")

        def says():
            file.write('{"command": "status"}\n')
            file.flush()
            return json.loads(file.readline())

        assert says()["ok"] is True
        roles(running, "look = man", port)
        assert says()["ok"] is False
    roles(running, "", port)
    assert stat.S_IMODE(os.stat(running.control).st_mode) == 0o600


def test_user_or_group_that_does_not_exist(yett, folder, port):
    running = yett(service(port))
    running.configure("[control]\nlook = no-such-user\noperate = @no-such-group, man\n" + service(port))
    result = running.command("reload", check=False)
    assert result.returncode == 1
    assert re.search(r"yett.conf:\d+: look: there is no user no-such-user$", result.stderr, re.MULTILINE)
    assert re.search(r"yett.conf:\d+: operate: there is no group no-such-group$", result.stderr, re.MULTILINE)
    checked = running.command("check", check=False)
    assert checked.returncode == 1 and "there is no user no-such-user" in checked.stdout


@pytest.mark.parametrize("mode", [0o777, 0o1777], ids=["everybody's", "sticky"])
def test_folder_that_everybody_may_write_to(folder, port, mode):
    """Whoever puts another socket there is given PINs."""
    place = folder / "run"
    place.mkdir()
    place.chmod(mode)
    config = folder / "yett.conf"
    config.write_text(f"[yett]\ncontrol = {place}/c.sock\n" + service(port))
    result = subprocess.run([str(YETT), "run", "-c", str(config)], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert result.returncode == 1
    assert f"everybody may write to its folder {place} (mode {mode:04o})" in result.stderr
    assert f"chmod o-w {place}" in result.stderr


def test_folder_of_another_user(folder, port):
    place = folder / "run"
    place.mkdir()
    os.chown(place, NOBODY.pw_uid, NOBODY.pw_gid)
    config = folder / "yett.conf"
    config.write_text(f"[yett]\ncontrol = {place}/c.sock\n" + service(port))
    result = subprocess.run([str(YETT), "run", "-c", str(config)], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert result.returncode == 1
    assert f"its folder {place} belongs to user {NOBODY.pw_uid}" in result.stderr


def test_pin_is_not_sent_to_a_socket_that_anybody_could_have_put_there(folder):
    """No yett runs; somebody listens in its place."""
    place = folder / "run"
    place.mkdir()
    place.chmod(0o1777)
    with socket.socket(socket.AF_UNIX) as trap:
        trap.bind(str(place / "c.sock"))
        trap.listen()
        trap.settimeout(1)
        result = subprocess.run([str(YETT), "token", "login", "token", "--control", str(place / "c.sock")],
                                input="123456\n", capture_output=True, text=True, timeout=60 * PATIENCE)
        assert result.returncode == 1 and "nothing secret is sent to" in result.stderr, result
        peer, _ = trap.accept()
        assert peer.recv(1000) == b""
        peer.close()


# ---- what a module has started ----

def test_what_a_module_starts_may_ask_for_nothing(yett, folder, token, port):
    """A program of a module, and the orphan of one: each has yett's user, and each is refused."""
    said = folder / "said"
    script = folder / "program"
    script.write_text(f"#!/bin/sh\n{YETT} status --control {folder}/yett0/c.sock >{said}.child 2>&1\n"
                      f"(sleep 1; {YETT} status --control {folder}/yett0/c.sock >{said}.orphan 2>&1; "
                      f"mv {said}.orphan {said}.orphan.done) &\n")
    script.chmod(0o755)
    module = BUILD / "tests/modules/starts-program.so"
    settings = token.settings(module=module, YETT_TEST_PROGRAM=str(script), YETT_TEST_MODULE=token.module)
    running = yett(settings + "insecure_programs = yes\n" + service(port))
    wait_until(lambda: (folder / "said.orphan.done").exists(), "the programs to have asked", 60 * PATIENCE)
    for text in ((folder / "said.child").read_text(), (folder / "said.orphan.done").read_text()):
        assert "was started by yett itself" in text or "no yett is running" in text, text
    assert "was started by yett itself" in (folder / "said.orphan.done").read_text()
    # Orphans are reaped, once they have ended.
    children = f"/proc/{running.process.pid}/task/{running.process.pid}/children"

    def zombies():
        with open(children, encoding="ascii") as file:
            pids = file.read().split()
        found = []
        for pid in pids:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    found.append(pid)
        return found

    wait_until(lambda: not zombies(), "orphans to be reaped", 20 * PATIENCE)


def test_module_may_not_start_programs_by_default(yett, folder, token, port):
    done = folder / "done"
    script = folder / "program"
    script.write_text(f"#!/bin/sh\ntouch {done}\n")
    script.chmod(0o755)
    module = BUILD / "tests/modules/starts-program.so"
    running = yett(token.settings(module=module, YETT_TEST_PROGRAM=str(script), YETT_TEST_MODULE=token.module)
                   + service(port))
    assert running.status()["modules"][0]["state"] == "ready"
    running.wait_for_log("starts-program: Operation not permitted")
    assert not done.exists()


__all__ = ["free_port"]
