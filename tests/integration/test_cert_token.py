"""yett cert and yett token, from the outside: what they make is read by openssl and softhsm2-util."""
import json
import os
import re
import subprocess

import pytest
from conftest import TOP, YETT
from peers import SoftHsm, has_name
from test_token_faults import FAULTY_TOKEN


def run(*args, status=0, env=None):
    """yett ARGS; its standard output. A status other than the wanted one fails the test."""
    result = subprocess.run([YETT, *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                            env={**os.environ, **(env or {})}, timeout=120)
    assert result.returncode == status, f"{args}: {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout if status == 0 else result.stderr


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def cert(folder):
    """cert(command, ...) in a database of the test's own."""
    def cert(command, *args, **options):
        return run("cert", command, "--database", f"sql:{folder}/nss", *args, **options)
    return cert


@pytest.fixture
def ca(cert, folder):
    return cert("create", "--ca", "--subject", "CN=test CA", "--out", folder / "ca.pem").strip()


def test_create_makes_a_chain_that_openssl_accepts(cert, ca, folder):
    assert re.fullmatch(r"sha256=[0-9a-f]{64}", ca)
    for issuer in (ca, folder / "ca.pem"):
        name = f"server-{'file' if issuer != ca else 'sha256'}"
        cert("create", "--issuer", issuer, "--subject", "CN=localhost,O=Example", "--san", "dns:localhost", "--san",
             "ip:::1", "--key-type", "rsa2048", "--out", folder / f"{name}.pem", "--out-key", folder / f"{name}.key")
        openssl("verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile",
                folder / "ca.pem", folder / f"{name}.pem")
        assert openssl("pkey", "-in", folder / f"{name}.key", "-pubout") == \
            openssl("x509", "-in", folder / f"{name}.pem", "-noout", "-pubkey")
        assert (folder / f"{name}.key").stat().st_mode & 0o777 == 0o600
    assert (folder / "nss").stat().st_mode & 0o777 == 0o700


def test_create_never_writes_over_a_key(cert, ca, folder):
    (folder / "key").write_text("mine")
    error = cert("create", "--issuer", ca, "--client", "--subject", "CN=x", "--out-key", folder / "key", status=1)
    assert "never written over" in error
    assert (folder / "key").read_text() == "mine"
    assert len(json.loads(cert("list", "--json"))) == 1


def test_list_show_export_trust_delete(cert, ca, folder):
    alice = cert("create", "--issuer", ca, "--client", "--subject", "CN=alice", "--san", "email:a@example.org").strip()
    entries = {"sha256=" + e["sha256"]: e for e in json.loads(cert("list", "--json"))}
    assert set(entries) == {ca, alice}
    assert entries[ca]["ca"] and entries[ca]["has_key"] and entries[ca]["trust"] == []
    assert entries[alice]["names"] == "email:a@example.org" and entries[alice]["issuer"] == "CN=test CA"
    assert alice in cert("list")

    shown = cert("show", alice)
    assert "CN=alice" in shown and "-----BEGIN CERTIFICATE-----" in shown
    assert "CN=test CA" in run("cert", "show", folder / "ca.pem")

    assert cert("export", alice) == shown[shown.index("-----BEGIN"):]
    cert("export", alice, "--out", folder / "id.pem", "--out-key", folder / "id.pem")
    both = (folder / "id.pem").read_text()
    assert both.index("BEGIN CERTIFICATE") < both.index("BEGIN PRIVATE KEY")

    cert("trust", ca, "--server", "--client")
    trusted = {"sha256=" + e["sha256"]: e["trust"] for e in json.loads(cert("list", "--json"))}
    assert trusted == {ca: ["server", "client"], alice: []}
    assert "only the certificate of an authority" in cert("trust", alice, "--client", status=1)
    cert("trust", ca, "--none")
    assert json.loads(cert("show", ca, "--json"))["trust"] == []

    assert "private key" in cert("delete", alice, status=1)
    cert("delete", alice, "--with-key")
    assert "no certificate" in cert("show", alice, status=1)


def test_import_pem_and_pkcs12(cert, authority, folder):
    leaf = authority.alice
    fingerprint = "sha256=" + openssl("x509", "-in", leaf.cert, "-noout", "-fingerprint", "-sha256") \
        .strip().partition("=")[2].replace(":", "").lower()
    assert fingerprint in cert("import", leaf.cert, "--key", leaf.key)
    assert json.loads(cert("show", fingerprint, "--json"))["has_key"]
    cert("delete", fingerprint, "--with-key")

    (folder / "password").write_text("secret\n")
    openssl("pkcs12", "-export", "-in", leaf.cert, "-inkey", leaf.key, "-passout", f"file:{folder}/password", "-out",
            folder / "alice.p12")
    assert "its password is another" in cert("import", folder / "alice.p12", "--pkcs12", status=1)
    assert json.loads(cert("list", "--json")) == []
    cert("import", folder / "alice.p12", "--pkcs12", "--pkcs12-password-file", folder / "password")
    assert json.loads(cert("show", fingerprint, "--json"))["has_key"]
    cert("export", fingerprint, "--out-key", folder / "out.key")
    assert openssl("pkey", "-in", folder / "out.key") == openssl("pkey", "-in", leaf.key)


@pytest.mark.parametrize("key, password", [
    ("p256", "secret"), ("p384", "p\u00e4ssw\u00f6rd \u20ac"), ("rsa2048", "x" * 200)])
def test_pkcs12_out_is_read_by_others_and_by_us(cert, ca, folder, key, password):
    """The same certificate and key, with the issuer; encrypted as is usual today."""
    (folder / "password").write_text(password + "\n")
    (folder / "password").chmod(0o600)
    secret, out = f"file:{folder}/password", folder / "alice.p12"
    name = cert("create", "--issuer", ca, "--client", "--subject", "CN=alice", "--key-type", key, "--out",
                folder / "alice.pem", "--out-key", folder / "alice.key").strip()
    cert("export", name, "--pkcs12", "--pkcs12-password", secret, "--out", out)
    assert out.stat().st_mode & 0o777 == 0o600
    assert "never written over" in cert("export", name, "--pkcs12", "--pkcs12-password", secret, "--out", out, status=1)

    certificates = openssl("pkcs12", "-in", out, "-passin", secret, "-nokeys")
    assert has_name("CN", "alice", certificates) and certificates.count("BEGIN CERTIFICATE") == 2
    _, begin, rest = openssl("pkcs12", "-in", out, "-passin", secret, "-nocerts", "-nodes").partition("-----BEGIN")
    assert begin + rest == openssl("pkey", "-in", folder / "alice.key")
    info = subprocess.run(["openssl", "pkcs12", "-in", out, "-passin", secret, "-info", "-noout"], check=True,
                          capture_output=True, text=True).stderr
    assert "MAC: sha256" in info and info.count("PBES2, PBKDF2, AES-256-CBC") == 2, info
    if password.isascii():
        told = subprocess.run(["certtool", "--p12-info", "--inder", "--infile", out, "--password", password],
                              capture_output=True, text=True)
        assert told.returncode == 0 and "BEGIN" in told.stdout, told.stderr

    cert("delete", name, "--with-key")
    cert("import", out, "--pkcs12", "--pkcs12-password", secret)
    assert json.loads(cert("show", name, "--json"))["has_key"]
    cert("export", name, "--out-key", folder / "again.key")
    assert openssl("pkey", "-in", folder / "again.key") == openssl("pkey", "-in", folder / "alice.key")


@pytest.mark.parametrize("maker", ["openssl", "openssl-legacy", "openssl-aes128-sha1", "openssl-no-chain", "gnutls",
                                   "gnutls-3des", "gnutls-rc2"])
def test_pkcs12_of_others_is_read(cert, authority, folder, maker):
    leaf = authority.alice
    (folder / "password").write_text("secret\n")
    (folder / "password").chmod(0o600)
    out, secret = folder / "alice.p12", f"file:{folder}/password"
    if maker.startswith("openssl"):
        options = {"openssl": ("-certfile", authority.cert), "openssl-no-chain": (),
                   "openssl-legacy": ("-legacy", "-certfile", authority.cert),
                   "openssl-aes128-sha1": ("-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha1",
                                           "-certfile", authority.cert)}[maker]
        openssl("pkcs12", "-export", "-in", leaf.cert, "-inkey", leaf.key, *options, "-passout", secret, "-out", out)
    else:
        cipher = {"gnutls": "aes-256", "gnutls-3des": "3des-pkcs12", "gnutls-rc2": "rc2-40"}[maker]
        subprocess.run(["certtool", "--to-p12", "--load-privkey", leaf.key, "--load-certificate", leaf.cert,
                        "--load-ca-certificate", authority.cert, "--pkcs-cipher", cipher, "--password", "secret",
                        "--p12-name", "alice", "--outder", "--outfile", out], check=True, capture_output=True)
    cert("import", out, "--pkcs12", "--pkcs12-password", secret)
    entries = {e["subject"]: e for e in json.loads(cert("list", "--json"))}
    assert entries["CN=alice"]["has_key"]
    assert ("CN=Test CA" in entries) == (maker != "openssl-no-chain")
    assert not any(e["trust"] for e in entries.values())


def test_pkcs12_misuse_and_a_certificate_without_its_key(cert, ca, authority, folder):
    fingerprint = cert("import", authority.bob.cert).splitlines()[0]
    env = {"P12": "secret"}
    assert "is not in the database" in cert("export", fingerprint, "--pkcs12", "--pkcs12-password", "env:P12", "--out",
                                            folder / "x.p12", status=1, env=env)
    assert not (folder / "x.p12").exists()
    for args in (["--pkcs12"], ["--pkcs12", "--out", "x", "--out-key", "y"], ["--pkcs12-password", "prompt"],
                 ["--pkcs12", "--out", "x", "--pkcs12-password", "secret"],
                 ["--pkcs12", "--out", "x", "--pkcs12-password", "prompt", "--pkcs12-password-file", "y"]):
        cert("export", ca, *args, status=2)
    (folder / "empty").write_text("\n")
    assert "password" in cert("export", ca, "--pkcs12", "--pkcs12-password-file", folder / "empty", "--out",
                              folder / "x.p12", status=1)


def test_database_with_a_password(folder):
    (folder / "password").write_text("open sesame\n")
    database = ("--database", f"sql:{folder}/locked")
    password = ("--password-file", folder / "password")
    ca = run("cert", "create", *database, *password, "--ca", "--subject", "CN=locked").strip()
    assert "has a password" in run("cert", "list", *database, status=1)
    assert ca in run("cert", "list", *database, *password)


@pytest.mark.parametrize("args", [
    ["cert"], ["cert", "nothing"], ["cert", "create"], ["cert", "create", "--nothing"], ["cert", "create", "--days"],
    ["cert", "create", "--ca", "--subject", "CN=x", "--days", "0"], ["cert", "list", "--ca"], ["cert", "show"],
    ["cert", "create", "--subject", "CN=x"], ["cert", "trust", "00"], ["token"], ["token", "nothing"],
    ["token", "list"], ["token", "keygen", "--module", "/x"], ["token", "keygen", "--module", "/x", "--pin", "1234", "u"],
    ["token", "list", "--module", "/x", "--pin", "env:PIN"],
])
def test_wrong_usage_is_told_and_is_2(args):
    error = run(*args, status=2)
    assert error.startswith(f"yett {args[0]}") and "--help" in error


@pytest.mark.parametrize("command, subcommands", [
    ("cert", ["create", "list", "show", "import", "export", "trust", "delete"]),
    ("token", ["list", "info", "set-pin", "init", "keygen", "request", "import", "login", "logout"]),
])
def test_help_teaches_with_examples(command, subcommands):
    overview = run(command, "--help")
    for subcommand in subcommands:
        assert f"\n  {subcommand} " in overview
        text = run(command, subcommand, "--help")
        assert text.removeprefix("Usage: ").startswith(f"yett {command} {subcommand}") and "Example" in text
        assert all(len(line) <= 120 for line in text.splitlines())


@pytest.fixture
def token(folder):
    """token(command, ...) on SoftHSM with a token folder of the test's own, empty."""
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    env = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    for name in ("pin", "so-pin"):
        (folder / name).write_text(f"{name}-1234\n")
        (folder / name).chmod(0o600)

    def token(command, *args, pin=True, **options):
        pin = ("--pin", f"file:{folder}/pin") if pin else ()
        return run("token", command, "--module", SoftHsm.module, *pin, *args, env=env, **options)
    return token


@pytest.mark.parametrize("key_type", ["p256", "p384", "rsa2048"])
def test_a_key_made_on_a_token_gets_its_certificate(cert, ca, token, folder, key_type):
    token("init", "--label", "demo", "--so-pin", f"file:{folder}/so-pin")
    uri = token("keygen", "--type", key_type, "pkcs11:token=demo;object=alice").strip()
    assert uri.startswith("pkcs11:") and "object=alice" in uri

    token("request", uri, "--subject", "CN=alice", "--san", "email:alice@example.org", "--out", folder / "alice.csr")
    text = openssl("req", "-in", folder / "alice.csr", "-verify", "-noout", "-text")
    assert has_name("CN", "alice", text) and "email:alice@example.org" in text

    cert("create", "--issuer", ca, "--client", "--request", folder / "alice.csr", "--out", folder / "alice.pem")
    openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", folder / "ca.pem", folder / "alice.pem")
    token("import", "pkcs11:token=demo", folder / "alice.pem")
    listed = token("list", pin=False)
    assert "token=demo" in listed and "type=cert" in listed
    assert json.loads(token("list", "--json", pin=False))

    # A certificate whose key is elsewhere is not for this token.
    cert("create", "--issuer", ca, "--client", "--subject", "CN=bob", "--out", folder / "bob.pem")
    token("import", "pkcs11:token=demo", folder / "bob.pem", status=1)


def test_a_label_is_used_once(token, folder):
    token("init", "--label", "demo", "--so-pin", f"file:{folder}/so-pin")
    first = token("keygen", "pkcs11:token=demo;object=alice").strip()
    refused = token("keygen", "pkcs11:token=demo;object=alice", status=1)
    assert first in refused and "--force" in refused
    second = token("keygen", "--force", "pkcs11:token=demo;object=alice").strip()
    assert first != second and ";id=" in first and ";id=" in second
    token("keygen", "pkcs11:token=demo;object=bob")


def test_a_key_has_its_id_from_the_beginning(token, folder):
    """A token that lets nobody change it keeps the first; killed before that, a key can be named all the same."""
    token("init", "--label", "demo", "--so-pin", f"file:{folder}/so-pin")
    (folder / "faults").write_text("fail C_SetAttributeValue 0x10\n")
    made = run("token", "keygen", "--module", FAULTY_TOKEN, "--pin", f"file:{folder}/pin", "pkcs11:token=demo;object=alice",
               env={"SOFTHSM2_CONF": str(folder / "softhsm2.conf"), "YETT_FAULTS": str(folder / "faults")}).strip()
    assert re.search(";id=(%[0-9A-F]{2}|[^%;]){20};", made), made
    token("request", made, "--subject", "CN=alice", "--out", folder / "alice.csr")
    (folder / "faults").write_text("crash C_SetAttributeValue\n")
    run("token", "keygen", "--module", FAULTY_TOKEN, "--pin", f"file:{folder}/pin", "pkcs11:token=demo;object=bob",
        env={"SOFTHSM2_CONF": str(folder / "softhsm2.conf"), "YETT_FAULTS": str(folder / "faults")}, status=-6)
    token("request", "pkcs11:token=demo;object=bob", "--subject", "CN=bob", "--out", folder / "bob.csr")
    openssl("req", "-in", folder / "bob.csr", "-verify", "-noout")


def test_a_wrong_pin_is_told(token, folder):
    token("init", "--label", "demo", "--so-pin", f"file:{folder}/so-pin")
    (folder / "pin").write_text("wrong\n")
    assert "PIN" in token("keygen", "pkcs11:token=demo;object=alice", status=1)


def test_info_tells_what_a_token_can_do(token, folder):
    token("init", "--label", "demo", "--so-pin", f"file:{folder}/so-pin")
    told = json.loads(token("info", "--json", pin=False))
    assert told["module"]["manufacturer"] == "SoftHSM" and told["module"]["path"] == SoftHsm.module
    (demo,) = told["tokens"]
    assert (demo["label"], demo["login"]) == ("demo", "not logged in")
    assert "login-required" in demo["flags"] and demo["pin_length_min"] == 4
    ecdsa = next(m for m in demo["mechanisms"] if m["name"] == "CKM_ECDSA")
    assert ecdsa["key_size_min"] <= 256 <= ecdsa["key_size_max"] and "sign" in ecdsa["flags"]
    text = token("info", "pkcs11:token=demo", pin=False)
    assert "CKM_RSA_PKCS_PSS" in text and "4 to 255 characters" in text
    token("info", "pkcs11:token=nobody", pin=False, status=1)
    env = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    assert run("token", "info", SoftHsm.module, env=env).startswith(SoftHsm.module)
    run("token", "info", "pkcs11:token=demo", env=env, status=2)  # of which module?


def test_set_pin_changes_it_and_measures_it(token, folder):
    token("init", "--label", "demo", "--so-pin", f"file:{folder}/so-pin")

    def set_pin(new, *options, status=0):
        (folder / "new-pin").write_text(new + "\n")
        (folder / "new-pin").chmod(0o600)
        return token("set-pin", "pkcs11:token=demo", "--new-pin", f"file:{folder}/new-pin", *options, status=status)

    assert "weak" in set_pin("123456", status=1)
    assert "it is the PIN that it replaces" in set_pin((folder / "pin").read_text().strip(), status=1)
    assert "4 to 255 characters" in set_pin("x!7", "--insecure-weak-pin", status=1)  # the token's own word
    set_pin("583907")
    assert "CKR_PIN_INCORRECT" in set_pin("948201", status=1)  # the old one is wrong now
    (folder / "pin").write_text("583907\n")
    token("keygen", "pkcs11:token=demo;object=alice")
    set_pin("1111", "--insecure-weak-pin")
    assert "no token matches" not in token("set-pin", "pkcs11:token=demo", "--new-pin", "1234", status=2)


def quickstart_checks_out(*before):
    result = subprocess.run([*map(str, before), TOP / "scripts/quickstart", "--check"], capture_output=True, text=True,
                            timeout=600, stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) >= 7 and all(line.startswith("ok ") for line in lines), result.stdout


def test_quickstart_checks_out():
    """Builds if need be, makes its own authority and token, and runs every command it prints."""
    quickstart_checks_out()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a hosts file of its own")
def test_quickstart_checks_out_where_localhost_has_two_addresses(folder):
    """As Debian's installer writes it; machines in clouds often have the first line alone."""
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
    quickstart_checks_out("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts)
