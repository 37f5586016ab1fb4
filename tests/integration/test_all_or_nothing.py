"""Commands that write several things write all of them, or leave none behind; and the first database is made."""
import json
import os
import subprocess

import pytest
from authority import Authority
from conftest import PATIENCE, YETT, Yett
from peers import free_port, tool
from revocation import crl


@pytest.fixture
def ca(folder):
    return Authority(folder / "ca")


def cert(folder, *args, status=0):
    result = tool(YETT, "cert", args[0], "--database", f"sql:{folder}/state/nss", *args[1:], check=False)
    assert result.returncode == status, result
    return result.stdout if status == 0 else result.stderr


def stored(folder):
    """(subject, has a key) of each certificate of the database; the database must be there."""
    return sorted((x["subject"], x["has_key"]) for x in json.loads(cert(folder, "list", "--json")))


def test_import_leaves_no_certificate_without_its_key(ca, folder):
    server, other = ca.server("localhost"), ca.server("other")
    encrypted, both = folder / "encrypted.key", folder / "both.pem"
    tool("openssl", "pkey", "-in", server.key, "-aes256", "-passout", "pass:x", "-out", encrypted)
    both.write_text(server.cert.read_text() + server.key.read_text() + other.key.read_text())
    rubbish = folder / "rubbish.key"
    rubbish.write_text("-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n")
    cert(folder, "create", "--ca", "--subject", "CN=Mine")
    for args, words in (([server.chain, "--key", other.key], f"{other.key}: line 1: the private key"),
                        ([server.chain, "--key", rubbish], f"{rubbish}: line 1: "),
                        ([server.chain, "--key", encrypted], f"{encrypted}:1: the block \"ENCRYPTED PRIVATE KEY\" has no "
                                                             "place here: the key is encrypted"),
                        ([server.chain, "--key", folder / "none"], "No such file"),
                        ([both], f"{both}: line ")):
        said = cert(folder, "import", *args, status=1)
        assert words in said, said
        assert stored(folder) == [("CN=Mine", True)], args
    cert(folder, "import", server.pem)
    # What was there before stays, whatever becomes of the rest.
    cert(folder, "import", server.chain, "--key", other.key, status=1)
    assert stored(folder) == [("CN=Mine", True), ("CN=localhost", True)]
    cert(folder, "import", other.chain)
    cert(folder, "import", both, "--key", rubbish, status=1)  # other's key goes in, and comes out again
    assert stored(folder) == [("CN=Mine", True), ("CN=localhost", True), ("CN=other", False)]
    cert(folder, "import", both)
    assert stored(folder) == [("CN=Mine", True), ("CN=localhost", True), ("CN=other", True)]


def test_create_leaves_nothing_when_a_file_cannot_be_written(folder):
    cert(folder, "create", "--ca", "--subject", "CN=Mine")
    key = folder / "new.key"
    cert(folder, "create", "--self-signed", "--subject", "CN=localhost", "--san", "dns:localhost",
         "--out", folder / "none" / "cert.pem", "--out-key", key, status=1)
    assert not key.exists() and stored(folder) == [("CN=Mine", True)]
    cert(folder, "create", "--self-signed", "--subject", "CN=localhost", "--san", "dns:localhost",
         "--out", folder / "cert.pem", "--out-key", folder / "none" / "new.key", status=1)
    assert not (folder / "cert.pem").exists() and stored(folder) == [("CN=Mine", True)]
    cert(folder, "create", "--self-signed", "--subject", "CN=localhost", "--san", "dns:localhost",
         "--out", folder / "cert.pem", "--out-key", key)
    assert key.stat().st_mode & 0o777 == 0o600 and len(stored(folder)) == 2


def test_crl_add_stores_all_lists_or_none(ca, folder):
    crls, path, other = folder / "state" / "crls", folder / "two.crl", Authority(folder / "o", "Other")
    path.write_bytes(crl(ca) + b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n")
    assert "crl_malformed" in tool(YETT, "crl", "add", "--directory", crls, path, check=False).stderr
    assert list(crls.iterdir()) == []
    path.write_bytes(crl(ca) + crl(other) + crl(ca, days=(-2, 7), number=3))
    assert "has another list of this issuer" in tool(YETT, "crl", "add", "--directory", crls, path, check=False).stderr
    assert list(crls.iterdir()) == []
    path.write_bytes(crl(ca) + crl(other))
    assert tool(YETT, "crl", "add", "--directory", crls, path).stdout.splitlines()[-1] == f"{path}: 2 lists"
    assert len(list(crls.iterdir())) == 2 and all(p.name.endswith(".crl") for p in crls.iterdir())


def test_first_create_makes_the_folder(folder):
    old = os.umask(0)
    try:
        result = tool(YETT, "cert", "create", "--database", f"sql:{folder}/a/b/nss", "--ca", "--subject", "CN=Mine")
    finally:
        os.umask(old)
    nss = folder / "a" / "b" / "nss"
    assert nss.stat().st_mode & 0o777 == 0o700 and (nss / "key4.db").stat().st_mode & 0o077 == 0
    assert nss.parent.stat().st_mode & 0o777 == 0o755
    if os.geteuid() == 0:
        assert f"chown -R USER: {nss}" in result.stderr
    assert "chown" not in tool(YETT, "cert", "create", "--database", f"sql:{nss}", "--ca", "--subject", "CN=B").stderr


def with_database(folder, nss):
    return Yett(folder, f"[service s]\nlisten = 127.0.0.1:{free_port()}\nconnect = 127.0.0.1:2\nconnect_tls = none\n",
                settings=f"database = sql:{nss}\n")


def check(one, *prefix):
    result = subprocess.run([*prefix, str(YETT), "check", "-c", str(one.config)], capture_output=True, text=True,
                            timeout=60 * PATIENCE)
    return result.returncode, result.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused as another user")
def test_database_of_root_is_told_as_one(folder):
    """Root has made it, and yett is nobody; then root has given away the folder and not the files."""
    cert(folder, "create", "--self-signed", "--subject", "CN=localhost", "--san", "dns:localhost")
    nss = folder / "state" / "nss"
    one = with_database(folder, nss)
    one.config.chmod(0o644)
    nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    assert check(one)[0] == 0
    status, said = check(one, *nobody)
    assert status == 1 and f"cannot open the NSS database \"sql:{nss}\": {nss}: Permission denied: it belongs to " \
        "root:root (mode 0700), and this process runs as nobody; chown" in said, said
    tool("chown", "nobody", nss)
    status, said = check(one, *nobody)
    assert status == 1 and f"{nss}/cert9.db: Permission denied: it belongs to root:root (mode 0600), and this process " \
        "runs as nobody" in said, said
    tool("chown", "-R", "nobody:", nss)
    assert check(one, *nobody) == (0, f"{one.config}: good, 1 service\n")


@pytest.mark.parametrize("name,mode,words", [(".", 0o777, "others may write to it (mode 0777"),
                                             ("cert9.db", 0o666, "everybody may write to it (mode 0666"),
                                             ("key4.db", 0o644, "everybody may read it (mode 0644")])
def test_database_that_others_may_change_is_refused(folder, name, mode, words):
    cert(folder, "create", "--self-signed", "--subject", "CN=localhost", "--san", "dns:localhost")
    nss = folder / "state" / "nss"
    (nss / name).chmod(mode)
    one = with_database(folder, nss)
    status, said = check(one)
    assert status == 1 and words in said, said
