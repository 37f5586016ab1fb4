"""packaging/container: the recipe of the image, and the manifests for Kubernetes. There is no engine here to try them with: what can
be known without one is held against a schema and against each other, and the configuration in them against yett check."""
import json
import re
import socket
import subprocess
import threading

import jsonschema
import pytest
import yaml
from conftest import TOP, YETT
from peers import free_port

FOLDER = TOP / "packaging/container"
MANIFESTS = sorted((FOLDER / "kubernetes").glob("*.yaml"))
SCHEMA = json.loads((FOLDER / "kubernetes/schema.json").read_text())
# Those of Dockerfile(5) and Containerfile(5); MAINTAINER is no more.
INSTRUCTIONS = {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD", "RUN",
                "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}


class Strict(yaml.SafeLoader):
    """As kubectl reads: YAML 1.1, in which 0440 is octal; a key given twice is a mistake, which PyYAML passes over."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"given twice: {keys}, {node.start_mark}"
        return super().construct_mapping(node, deep)


def documents(path):
    return list(yaml.load_all(path.read_text(), Loader=Strict))


def instructions():
    """[(instruction, its text)], lines that go on and comments taken care of."""
    text = "\n".join(x for x in (FOLDER / "Containerfile").read_text().splitlines() if not x.startswith("#"))
    return [tuple(x.split(None, 1)) for x in text.replace("\\\n", " ").splitlines() if x.strip()]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.name)
def test_manifests_are_what_kubernetes_takes(path):
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    for document in documents(path):
        jsonschema.validate(document, SCHEMA)


@pytest.mark.parametrize("change", [
    lambda d: d["spec"]["template"]["spec"]["containers"][0].update(readinesProbe={}),
    lambda d: d["spec"]["template"]["spec"]["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False),
    lambda d: d["spec"].update(replicas="two"),
    lambda d: d["spec"].pop("selector"),
    lambda d: d["spec"]["template"]["spec"]["volumes"].append({"name": "x", "emptyDir": {}, "secret": {"secretName": "y"}})])
def test_the_schema_finds_mistakes(change):
    deployment = next(d for d in documents(MANIFESTS[0]) if d["kind"] == "Deployment")
    change(deployment)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(deployment, SCHEMA)


def test_manifests_fit_each_other_and_the_image():
    by_kind = {d["kind"]: d for path in MANIFESTS for d in documents(path)}
    deployment, service, configuration = by_kind["Deployment"], by_kind["Service"], by_kind["ConfigMap"]
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert all(p["targetPort"] in ports for p in service["spec"]["ports"])
    volumes = {v["name"]: v for v in pod["volumes"]}
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert volumes.keys() == mounts.keys()
    assert volumes["configuration"]["configMap"]["name"] == configuration["metadata"]["name"]
    assert volumes["certificates"]["secret"]["defaultMode"] == 0o440, "yett refuses a key that everybody may read"
    assert all(bool(x.get("readOnly")) == (n in ("configuration", "certificates"))
               for n, x in ((m["name"], m) for m in container["volumeMounts"]))
    # The image's user, its folders and its programs.
    image = dict(instructions())
    assert image["USER"] == f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    assert json.loads(image["ENTRYPOINT"]) == ["/usr/bin/yett"] and json.loads(image["CMD"]) == container["args"]
    probe = json.loads(image["HEALTHCHECK"].removeprefix("CMD "))
    assert container["readinessProbe"]["exec"]["command"] == probe
    # It is ended after the drain has had its time.
    sleep = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= 30 + sleep


def test_the_configuration_in_the_manifests_is_good(folder, authority):
    """Listening on the container's port; the certificate's and yett's own folders are this test's."""
    by_kind = {d["kind"]: d for path in MANIFESTS for d in documents(path)}
    pod = by_kind["Deployment"]["spec"]["template"]["spec"]
    certificates = next(m["mountPath"] for m in pod["containers"][0]["volumeMounts"] if m["name"] == "certificates")
    text = "".join(by_kind["ConfigMap"]["data"].values())
    for port in pod["containers"][0]["ports"]:
        assert f":{port['containerPort']}" in text
        text = text.replace(f":{port['containerPort']}", f":{free_port()}")
    own = re.search(r"printf '(\[yett\].*?)'", (FOLDER / "Containerfile").read_text())[1].replace("\\n", "\n")
    assert "control = /run/yett/" in own and "admin = 127.0.0.1:9180" in own
    own = own.replace("/run/yett", str(folder)).replace("9180", str(free_port()))
    (folder / "www.pem").write_bytes(authority.localhost.pem.read_bytes())
    (folder / "www.pem").chmod(0o440)
    (folder / "yett.conf").write_text(own + "\n" + text.replace(certificates, str(folder)))
    result = subprocess.run([YETT, "check", "-c", folder / "yett.conf"], capture_output=True, text=True, check=False)
    assert result.returncode == 0 and "good, 1 service" in result.stdout, result


def test_the_image_is_not_roots():
    names = [name for name, _ in instructions()]
    assert set(names) <= INSTRUCTIONS and names[0] == "ARG" and names[1] == "FROM"
    assert "ADD" not in names, "COPY says what is copied"
    image = dict(instructions())
    user, group = image["USER"].split(":")
    assert user.isdigit() and group.isdigit() and user != "0", "runAsNonRoot wants a number"
    run = image["RUN"]
    assert f"--uid {user} " in run and f"--gid {group} " in run
    for step in run.split("&&"):
        assert "apt-get install" not in step or ("-y" in step and "--no-install-recommends" in step), step
    assert names.index("USER") > names.index("RUN") and names.count("RUN") == 1
    assert "rm -rf" in run and "/var/lib/apt/lists/*" in run
    copied = [text.split() for name, text in instructions() if name == "COPY"]
    assert [x[-1] for x in copied] == ["/tmp/packages/", "/usr/local/bin/healthz"]
    assert "/tmp/packages" in run.split("rm -rf", 1)[1]


@pytest.mark.parametrize("answer,status", [(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0),
                                           (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1), (b"", 1)])
def test_healthz_says_what_yett_says(answer, status):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += connection.recv(4096)
            connection.sendall(answer)
    thread = threading.Thread(target=serve)
    thread.start()
    result = subprocess.run([FOLDER / "healthz", str(listener.getsockname()[1])], capture_output=True, check=False)
    thread.join()
    listener.close()
    assert result.returncode == status, result


def test_healthz_of_a_yett_that_drains(yett, authority, echo, port, folder):
    from test_process_reload import service
    admin = free_port()
    running = yett(service(port, echo.port, authority.localhost))
    running.settings = f"admin = 127.0.0.1:{admin}\n"
    running.configure(service(port, echo.port, authority.localhost))
    running.command("reload")
    assert subprocess.run([FOLDER / "healthz", str(admin)], check=False).returncode == 0
    running.command("drain")
    assert subprocess.run([FOLDER / "healthz", str(admin)], check=False).returncode == 1
    assert subprocess.run([FOLDER / "healthz", str(free_port())], capture_output=True, check=False).returncode == 1
