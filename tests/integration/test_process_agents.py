"""Token agents: kept, replaced, and given their PIN by the rules."""
import contextlib
import os
import pathlib
import ssl
import subprocess

import pytest
from conftest import PATIENCE, SLOW_TOKEN, YETT, Yett, connect, sanitizer_lines
from peers import client_tls, ended, listens, wait_until
from test_process_reload import echoes


def logins(counts):
    """How often the module was told to log in: it writes a line for each call."""
    return counts.read_text().splitlines().count("C_Login")


def service(port, target, uri):
    return (f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\nidentity = {uri}\n"
            f"connect = 127.0.0.1:{target}\nconnect_tls = none\n")


def served(port, authority):
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        return echoes(port, authority)


def module(running):
    return running.status()["modules"][0]


def test_an_agent_lives_across_reloads(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    running = yett(token.settings() + service(port, echo.port, uri))
    agent = module(running)["pid"]
    for _ in range(3):
        running.command("reload")
        assert echoes(port, authority)
    assert module(running)["pid"] == agent
    assert module(running)["pin"] == "right"


def test_an_agent_computes_after_the_loops(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    running = yett(token.settings() + service(port, echo.port, uri))
    assert echoes(port, authority)
    worker = running.status()["workers"][0]["pid"]
    agent = module(running)["pid"]
    assert os.sched_getscheduler(worker) == os.SCHED_OTHER
    for thread in os.listdir(f"/proc/{agent}/task"):
        assert os.sched_getscheduler(int(thread)) == os.SCHED_BATCH
        assert os.getpriority(os.PRIO_PROCESS, int(thread)) > os.getpriority(os.PRIO_PROCESS, worker)


def test_a_killed_agent_is_replaced_with_one_more_login(yett, authority, token, folder, echo, port):
    uri = token.put(authority.localhost, "server")
    counts = folder / "counts"
    running = yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts)
                   + service(port, echo.port, uri))
    assert echoes(port, authority)
    for restarts in range(1, 4):
        agent = module(running)["pid"]
        os.kill(agent, 9)
        wait_until(lambda: module(running)["pid"] not in (0, agent) and module(running)["state"] == "ready",
                   "another agent", 20 * PATIENCE)
        assert echoes(port, authority)
        assert module(running)["restarts"] == restarts
        assert module(running)["logins"] <= restarts + 1
    assert module(running)["pin"] == "right"
    assert len(running.log_lines("agent_died")) == 3


def test_a_changed_section_restarts_the_agent(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    running = yett(token.settings() + service(port, echo.port, uri))
    agent = module(running)["pid"]
    running.configure(token.settings().replace("pin =", "sessions_max = 2\npin =") + service(port, echo.port, uri))
    running.command("reload")
    assert echoes(port, authority)
    assert module(running)["pid"] != agent
    wait_until(lambda: ended(agent), "the old agent to end")
    socket = running.folder / "agent-token.sock"
    assert sorted(p.name for p in running.folder.glob("agent-*")) == [socket.name]
    assert socket.stat().st_mode & 0o777 == 0o600


def test_a_bad_changed_section_leaves_the_agent(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    good = token.settings() + service(port, echo.port, uri)
    running = yett(good)
    agent = module(running)["pid"]
    running.configure(good.replace(token.module, "/nowhere.so"))
    assert running.command("reload", check=False).returncode == 1
    assert module(running)["pid"] == agent
    assert echoes(port, authority)
    running.command("reload", check=False)
    running.configure(good)
    running.command("reload")
    assert module(running)["pid"] == agent
    assert echoes(port, authority)
    assert [p.name for p in running.folder.glob("agent-*")] == ["agent-token.sock"]


# A module that cannot be loaded and that no identity or trust names: its path, what its agent does, what is said of it. The
# slow ones fail when the workers, which do not need them, could long be ready.
UNLOADABLE = {
    "wrong path": ("/nowhere.so", {}, "/nowhere.so"),
    "no module": ("/bin/true", {}, "/bin/true"),
    "fails late": (SLOW_TOKEN, {"YETT_TEST_LOAD_DELAY_MS": 1500, "YETT_TEST_LOAD_END": "fail"}, "slow-token.so"),
    "crashes late": (SLOW_TOKEN, {"YETT_TEST_LOAD_DELAY_MS": 1500, "YETT_TEST_LOAD_END": "abort"},
                     "it crashes as it loads (signal 6, Aborted)"),
    "ends late": (SLOW_TOKEN, {"YETT_TEST_LOAD_DELAY_MS": 1500, "YETT_TEST_LOAD_END": "exit"}, "status 0"),
}


def unloadable(kind, name="bad"):
    path, environment, _ = UNLOADABLE[kind]
    variables = ", ".join(f"{k}={v}" for k, v in environment.items())
    return f"[module {name}]\npath = {path}\n" + (f"environment = {variables}\n" if variables else "")


def place(config, name="bad"):
    """FILE:LINE of a module's section, as findings begin."""
    line = next(i for i, x in enumerate(config.read_text().splitlines(), 1) if x == f"[module {name}]")
    return f"{config}:{line}: module {name}: "


@pytest.mark.parametrize("kind", UNLOADABLE)
def test_no_start_with_a_module_that_cannot_be_loaded(authority, folder, echo, port, kind):
    one = Yett(folder / "y", unloadable(kind) + service(port, echo.port, f"file:{authority.localhost.pem}"))
    for command in ("check", "run"):
        result = one.command(command, check=False)
        said = [x for x in (result.stdout + result.stderr).splitlines() if x.startswith(place(one.config))]
        assert result.returncode == 1 and len(said) == 1 and UNLOADABLE[kind][2] in said[0], result
    assert not listens(port)
    assert not one.control.exists()


@pytest.mark.parametrize("kind", UNLOADABLE)
def test_no_reload_with_a_module_that_cannot_be_loaded(yett, authority, token, echo, port, kind):
    uri = token.put(authority.localhost, "server")
    good = token.settings() + service(port, echo.port, uri)
    running = yett(good)
    agent, workers = module(running)["pid"], running.workers()
    running.configure(unloadable(kind) + good)
    result = running.command("reload", check=False)
    assert result.returncode == 1, result
    assert result.stderr.startswith(place(running.config)) and UNLOADABLE[kind][2] in result.stderr, result
    assert len(result.stderr.splitlines()) == 1, result
    assert running.log_lines("reload_failed")
    assert (module(running)["pid"], running.workers()) == (agent, workers)
    assert [m["name"] for m in running.status()["modules"]] == ["token"]
    assert [p.name for p in running.folder.glob("agent-*")] == ["agent-token.sock"]
    assert echoes(port, authority)
    running.configure(good)
    running.command("reload")
    assert module(running)["pid"] == agent
    assert echoes(port, authority)


def test_every_module_that_cannot_be_loaded_is_told(authority, folder, echo, port):
    one = Yett(folder / "y", unloadable("crashes late", "one") + unloadable("wrong path", "two")
               + service(port, echo.port, f"file:{authority.localhost.pem}"))
    result = one.command("run", check=False)
    assert result.returncode == 1
    for name in ("one", "two"):
        assert any(x.startswith(place(one.config, name)) for x in result.stderr.splitlines()), result


def test_a_start_waits_for_a_slow_module(yett, authority, token, echo, port):
    """One that nobody names; what was said of it is true when the start is over. A token that is not there, or a PIN that
    is wrong, is no reason against it."""
    token.pin_file.write_text("999999\n")
    settings = token.settings(module=SLOW_TOKEN, YETT_TEST_LOAD_DELAY_MS=1500)
    running = yett(settings + service(port, echo.port, f"file:{authority.localhost.pem}"))
    assert module(running)["state"] == "ready"
    assert running.status()["state"] == "running"
    running.configure(settings.replace("DELAY_MS=1500", f"DELAY_MS=1600, YETT_TEST_GONE_FILE={running.config}")
                      + service(port, echo.port, f"file:{authority.localhost.pem}"))
    agent = module(running)["pid"]
    running.command("reload")
    assert module(running)["state"] == "ready" and module(running)["pid"] != agent
    assert echoes(port, authority)


HANGS = f"[module bad]\npath = {SLOW_TOKEN}\nenvironment = YETT_TEST_LOAD_DELAY_MS=600000\n"


def begin(one, *command):
    return subprocess.Popen([str(YETT), *command, "-c", str(one.config)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)


def test_a_stop_does_not_wait_for_a_module(yett, authority, echo, port):
    """Nor do those who wait for a reload that does."""
    good = service(port, echo.port, f"file:{authority.localhost.pem}")
    running = yett(good)
    running.configure(good + HANGS)
    with begin(running, "reload") as first:
        wait_until((running.folder / "agent-bad.sock").exists, "the agent's socket")
        with begin(running, "reload") as second:
            assert running.status()["state"] == "reloading"
            assert echoes(port, authority)
            running.stop()
            for one in (first, second):
                assert (one.wait(60), one.stderr.read()) == (1, "yett is stopping\n")
    assert not list(running.folder.glob("agent-*"))


def test_a_start_that_waits_for_a_module_can_be_stopped(authority, folder, echo, port):
    one = Yett(folder / "y", service(port, echo.port, f"file:{authority.localhost.pem}") + HANGS)
    with begin(one, "run") as process:
        wait_until((one.folder / "agent-bad.sock").exists, "the agent's socket")
        wait_until(lambda: one.command("status", check=False).returncode == 0, "the control socket")
        status = one.status()
        assert (status["state"], status["workers"], status["generation"]) == ("starting", [], 0)
        assert one.command("connections").returncode == 0
        one.command("stop")
        assert process.wait(60) == 1
        assert not sanitizer_lines(process.stderr.read())
    assert not list(one.folder.glob("agent-*"))


def test_reloads_while_one_waits_for_a_module(yett, authority, echo, port):
    """They are done after it, with what the file has then."""
    good = service(port, echo.port, f"file:{authority.localhost.pem}")
    running = yett(good)
    running.configure(good + HANGS.replace("600000", "3000, YETT_TEST_LOAD_END=fail"))
    with begin(running, "reload") as first:
        wait_until((running.folder / "agent-bad.sock").exists, "the agent's socket")
        running.configure(good)
        running.command("reload")
        assert first.wait(60) == 1
        assert first.stderr.read().startswith(f"{running.config}:")
    assert running.status()["generation"] == 2
    assert running.status()["modules"] == []
    assert echoes(port, authority)


def test_an_agent_that_is_kept_is_not_asked_again(yett, authority, token, echo, port):
    """Its module cannot be loaded any more, its agent is being started over and over: a reload is about something else."""
    running = yett(token.settings() + service(port, echo.port, f"file:{authority.localhost.pem}"))
    agent = module(running)["pid"]
    pathlib.Path(token.conf).unlink()
    os.kill(agent, 9)
    running.wait_for_log("agent_failed")
    running.command("reload")
    assert echoes(port, authority)


def test_a_module_that_is_no_longer_named_loses_its_agent(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    running = yett(token.settings() + service(port, echo.port, uri))
    agent = module(running)["pid"]
    running.configure(service(port, echo.port, f"file:{authority.localhost.pem}"))
    running.command("reload")
    assert echoes(port, authority)
    assert running.status()["modules"] == []
    wait_until(lambda: ended(agent), "the agent to end")
    assert not list(running.folder.glob("agent-*"))


def test_a_wrong_pin_costs_one_try_whatever_happens(yett, authority, token, folder, echo, port):
    """A right PIN is changed to a wrong one: one try by the reload, none by more reloads or dying agents, one by another
    PIN."""
    uri = token.put(authority.localhost, "server")
    counts = folder / "counts"
    good = (token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts)
            + service(port, echo.port, uri))
    running = yett(good)
    assert logins(counts) == 1
    token.pin_file.write_text("999999\n")
    running.configure(good.replace("pin =", "sessions_max = 2\npin ="))
    assert running.command("reload", check=False).returncode == 1  # the new agent is refused: nothing changes
    assert echoes(port, authority)
    tried = logins(counts)
    assert tried <= 2
    assert "999999" not in running.log()
    token.pin_file.write_text("123456\n")
    running.command("reload")
    assert echoes(port, authority)
    assert logins(counts) <= tried + 1


def test_login_gives_the_pin_that_was_not_configured(yett, authority, token, folder, echo, port):
    """The token is first needed when it is: a service that uses it comes with a reload, which waits for no PIN."""
    uri = token.put(authority.localhost, "server")
    counts = folder / "counts"
    settings = token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts)
    running = yett(settings.replace(f"pin = file:{token.pin_file}\n", "")
                   + service(port, echo.port, f"file:{authority.localhost.pem}"))
    login = [str(YETT), "token", "login", "-c", str(running.config)]
    assert subprocess.run([*login, "nobody"], input="1\n", text=True, capture_output=True).returncode == 1
    assert subprocess.run([*login, "token"], input="", text=True, capture_output=True).returncode == 1
    given = subprocess.run([*login, "token"], input="123456\n", text=True, capture_output=True)
    assert given.returncode == 0, given.stderr
    running.configure(settings.replace(f"pin = file:{token.pin_file}\n", "") + service(port, echo.port, uri))
    running.command("reload")
    assert echoes(port, authority)
    assert logins(counts) == 1
    assert module(running)["pin"] == "right"
    assert "123456" not in running.log()


@pytest.mark.parametrize("source", ["file", "env"])
def test_logout_takes_the_pin_back(yett, authority, token, folder, echo, port, source):
    """Until someone logs in: neither a reload nor another agent brings it back; what is established goes on."""
    uri = token.put(authority.localhost, "server")
    counts = folder / "counts"
    settings = token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts)
    if source == "env":
        settings = settings.replace(f"file:{token.pin_file}", "env:TOKEN_PIN")
    running = yett(settings + service(port, echo.port, uri), environment={"TOKEN_PIN": "123456"})
    token_command = lambda name, module, **options: subprocess.run(  # noqa: E731
        [str(YETT), "token", name, "-c", str(running.config), module], text=True, capture_output=True, **options)
    assert token_command("logout", "nobody").returncode == 1
    assert echoes(port, authority)
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as established:
        assert token_command("logout", "token").returncode == 0
        running.wait_for_log("token_logged_out")
        assert module(running)["pin"] == "logged_out"
        assert not served(port, authority)
        running.wait_for_log("an administrator has logged out")
        running.command("reload")
        assert not served(port, authority)
        agent = module(running)["pid"]
        os.kill(agent, 9)
        wait_until(lambda: module(running)["pid"] not in (0, agent) and module(running)["state"] == "ready",
                   "another agent")
        assert not served(port, authority)
        assert (logins(counts), module(running)["pin"]) == (1, "logged_out")
        established.sendall(b"still")
        assert established.recv(100) == b"still"
    assert token_command("login", "token", input="123456\n").returncode == 0
    wait_until(lambda: module(running)["pin"] == "right", "the login")
    assert echoes(port, authority)
    assert logins(counts) == 2


def test_the_pin_is_in_no_environment_or_command_line(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    settings = token.settings().replace(f"file:{token.pin_file}", "env:TOKEN_PIN")
    running = yett(settings + service(port, echo.port, uri), environment={"TOKEN_PIN": "123456"})
    assert echoes(port, authority)
    for pid in [module(running)["pid"], *running.workers().values()]:
        process = pathlib.Path(f"/proc/{pid}")
        assert b"123456" not in (process / "cmdline").read_bytes()
        assert b"123456" not in (process / "environ").read_bytes()
    agent = module(running)["pid"]
    running.command("reload")  # the variable is gone by now; the PIN is not
    assert module(running)["pid"] == agent
    os.kill(agent, 9)
    wait_until(lambda: module(running)["pid"] not in (0, agent) and echoes(port, authority), "another agent")


def test_check_opens_identities_on_tokens(authority, token, folder, echo, port):
    uri = token.put(authority.localhost, "server")
    one = Yett(folder / "y", token.settings() + service(port, echo.port, uri),
               environment={"XDG_RUNTIME_DIR": str(folder)})
    result = one.command("check", check=False)
    assert (result.returncode, result.stdout) == (0, f"{one.config}: good, 1 service\n"), result.stderr
    one.configure(token.settings() + service(port, echo.port, uri.replace("server", "nobody")))
    result = one.command("check", check=False)
    line = next(i for i, x in enumerate(one.config.read_text().splitlines(), 1) if x.startswith("identity"))
    assert result.returncode == 1
    assert result.stdout.startswith(f"{one.config}:{line}: "), result.stdout
    assert not list(folder.glob("yett-check-*"))


def test_check_beside_a_running_yett_spends_no_login(yett, authority, token, folder, echo, port):
    uri = token.put(authority.localhost, "server")
    counts = folder / "counts"
    running = yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts)
                   + service(port, echo.port, uri))
    before = logins(counts)
    result = running.command("check")
    assert "asking the running yett for module token" in result.stderr
    assert logins(counts) == before
    assert echoes(port, authority)
