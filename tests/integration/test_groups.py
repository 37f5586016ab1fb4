"""Which group keys are agreed on in: with openssl at the other end, as a client and as a server, with and without the
accelerator; what `groups` changes, what it leaves out, and where all of it is told. X25519MLKEM768 is expected where both
sides have it (NSS since 3.105, OpenSSL since 3.5), and its absence told where yett's has it not."""
import json
import subprocess

import pytest
from conftest import YETT, connect
from peers import PATIENCE, OpensslServer, tool, wait_until
from test_tls import originating, terminating

HYBRID, CURVES = "x25519mlkem768", ("x25519", "secp256r1", "secp384r1", "secp521r1")
OPENSSL = {HYBRID: "X25519MLKEM768", "x25519": "X25519", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
SETTINGS = ["accelerator = none\n", "accelerator = auto\n"]


@pytest.fixture(scope="session")
def openssl_has_hybrid():
    result = tool("openssl", "list", "-tls-groups", check=False)  # openssl 3.5 has the list, too
    return result.returncode == 0 and OPENSSL[HYBRID] in result.stdout


def check(one):
    result = subprocess.run([YETT, "check", "-c", str(one)], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def nss_has_hybrid(folder, authority):
    """By what yett says of it."""
    config = folder / "asked.conf"
    config.write_text(f"[yett]\ncontrol = {folder}/asked.sock\nintermediates = none\n"
                      + terminating(1, "127.0.0.1:2", f"file:{authority.localhost.pem}", "groups = x25519mlkem768, secp256r1\n"))
    status, said = check(config)
    assert status == 0, said
    return "does not have x25519mlkem768" not in said


def s_client(port, authority, *args, status=0):
    result = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-CAfile",
                  authority.cert, "-verify_return_error", *args, input=b"", check=False)
    assert (result.returncode == 0) == (status == 0), result.stdout + result.stderr
    return result.stdout + result.stderr


def ended_with(running, field, count):
    """The groups of the connections that have ended, as the log has them."""
    lines = wait_until(lambda: (found := running.log_lines("session_ended")) and len(found) >= count and found,
                       f"{count} connections in the log: {running.log()}")
    return [line[field].split()[2] for line in lines]


@pytest.mark.parametrize("settings", SETTINGS)
def test_clients_get_the_group_they_ask_for_and_the_hybrid_one_unasked(yett, authority, echo, port, settings,
                                                                       nss_has_hybrid, openssl_has_hybrid):
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"), settings=settings)
    wanted = []
    for group in CURVES:
        s_client(port, authority, "-groups", OPENSSL[group])
        wanted.append(group)
    if openssl_has_hybrid:
        # The last has no share of what both like best: one of the two asks again, or both are content.
        for groups in ([HYBRID], [HYBRID, "x25519"], ["x25519", HYBRID]):
            if nss_has_hybrid:
                s_client(port, authority, "-groups", ":".join(OPENSSL[g] for g in groups))
                wanted.append(HYBRID if groups[0] == HYBRID else None)
            elif groups != [HYBRID]:
                s_client(port, authority, "-groups", ":".join(OPENSSL[g] for g in groups))
                wanted.append("x25519")
    s_client(port, authority)
    wanted.append(HYBRID if nss_has_hybrid and openssl_has_hybrid else "x25519")
    got = ended_with(running, "client_tls", len(wanted))
    assert len(got) == len(wanted)
    for g, w in zip(got, wanted):
        assert g == w or (w is None and g in (HYBRID, "x25519")), (got, wanted)
    for group in {*got}:
        running.wait_for_counter(f"handshakes_server_{group}_total", got.count(group))
    assert sum(running.counter(f"handshakes_server_{g}_total") for g in OPENSSL) == len(got)
    assert sum(running.counter(f"handshakes_client_{g}_total") for g in OPENSSL) == 0


@pytest.mark.parametrize("settings", SETTINGS)
def test_servers_are_asked_for_the_hybrid_one_first_and_content_with_others(yett, authority, folder, port, settings,
                                                                            nss_has_hybrid, openssl_has_hybrid):
    best = HYBRID if nss_has_hybrid and openssl_has_hybrid else "x25519"
    for index, (groups, want) in enumerate([(None, best), (["x25519"], "x25519"), (["secp384r1"], "secp384r1"),
                                            (["secp521r1", "secp256r1"], None)]):
        arguments = ("-groups", ":".join(OPENSSL[g] for g in groups)) if groups else ()
        with OpensslServer(folder / f"server{index}", authority.localhost, *arguments) as server:
            running = yett(originating(port, f"localhost:{server.port}", authority.cert), settings=settings)
            assert exchange_plain(port) == b"olleh\n"
            got = ended_with(running, "target_tls", 1)[-1]
            assert got == want or (want is None and got in groups), (groups, got)
            running.wait_for_counter(f"handshakes_client_{got}_total")
            running.stop()


def exchange_plain(port):
    with connect(port) as s:
        s.sendall(b"hello\n")
        got = b""
        while not got.endswith(b"\n"):
            part = s.recv(100)
            assert part, got
            got += part
        return got


def test_the_group_of_an_open_connection_is_shown(yett, authority, echo, port, nss_has_hybrid, openssl_has_hybrid):
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"))
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost"],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = wait_until(lambda: [c["client_tls"] for c in json.loads(running.command("connections", "--json").stdout)["connections"]
                                    if c.get("client_tls")], "the connection")
        assert found[0]["group"] == (HYBRID if nss_has_hybrid and openssl_has_hybrid else "x25519")
    finally:
        client.stdin.close()
        client.wait(20 * PATIENCE)


def test_a_client_without_any_of_the_groups_is_told_which_there_are(yett, authority, echo, port):
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost_rsa.pem}",
                               "groups = secp521r1, secp384r1\n"))
    s_client(port, authority, "-groups", "P-384")
    assert "handshake failure" in s_client(port, authority, "-tls1_3", "-groups", "X25519", status=1)
    line = json.loads(running.wait_for_log("no_common_group"))
    assert "(secp521r1, secp384r1)" in line["reason"] and "0x001d" in line["reason"], line
    assert line["fault"] == "client", line
    assert any("without secp256r1" in x["reason"] for x in running.log_lines("groups_exclude")), running.log()


def test_the_hybrid_one_alone_is_a_policy_that_excludes_and_check_says_whom(yett, authority, echo, port, folder,
                                                                           nss_has_hybrid, openssl_has_hybrid):
    configuration = terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}", "groups = x25519mlkem768\n")
    config = folder / "policy.conf"
    config.write_text(f"[yett]\ncontrol = {folder}/policy.sock\nintermediates = none\n{configuration}")
    line = config.read_text().splitlines().index("groups = x25519mlkem768") + 1
    status, said = check(config)
    if not nss_has_hybrid:
        assert status == 1 and f"{config}:{line}: groups: NSS" in said and "has none of these" in said, said
        return
    assert status == 0 and f"{config}:{line}: warning: groups: peers without x25519mlkem768 are excluded" in said, said
    assert "TLS is 1.2" in said, said
    yett(configuration)
    s_client(port, authority, "-groups", "X25519", status=1)
    s_client(port, authority, "-tls1_2", status=1)
    if openssl_has_hybrid:
        s_client(port, authority)
