"""The image, really built, pushed, and run as Fargate runs it: from the generated Dockerfile to a drained worker.

What these tests cannot show is in docs/image.md: the real base image, ECR itself, arm64, Fargate's own runtime.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.deploy.moto_server import running_moto
from tests.processes import containers
from tests.processes.containers import BASE, Bundle, Container, Store
from tests.processes.harness import KEYS, Sqs, WorkerProcess, assert_exact, free_port, running

from forebay.cli.main import carry_out
from forebay.deploy.clients import Clients
from forebay.deploy.image.building import build_and_push
from forebay.deploy.image.dockerfile import USER_ID, dockerfile, dockerignore
from forebay.deploy.image.requirements import found
from forebay.deploy.manifest.loading import Loaded, load

pytestmark = [
    pytest.mark.processes,
    pytest.mark.images,
    pytest.mark.slow,
    pytest.mark.skipif(containers.lacking() is not None, reason=f"the image: {containers.lacking()}"),
]

HANDLERS = '''\
"""Jobs that say who does them, and that take their time."""

import os
import time

from forebay import Worker

worker = Worker("thumbnails")


@worker.job
def note(text: str) -> None:
    with open(f"/tmp/{text}", "w") as file:
        file.write(str(os.getpid()))


@worker.job
def rest(seconds: float) -> None:
    time.sleep(seconds)
'''

MANIFEST = f"""\
name: thumbnails
handler: jobs:worker
image:
  build:
    args:
      BASE_IMAGE: {BASE}
    secrets:
      pip.conf: pip.conf
"""

CANARY = "canary-5b1f-not-for-an-image"


@dataclass(frozen=True, slots=True)
class Built:
    """The image, where it is, and what was said on the way."""

    image: str
    folder: Path
    """The project's."""
    host: str
    bundle: Bundle
    said: tuple[str, ...]
    heard: tuple[str, ...]
    config: dict[str, Any]
    registered: str
    again: tuple[str, tuple[str, ...]]
    """What a second build returned, and said."""


def project(folder: Path, index: str) -> Loaded:
    """A project as a user has it, with secrets lying about."""
    folder.mkdir()
    (folder / "jobs.py").write_text(HANDLERS)
    (folder / "requirements.txt").write_text("forebay\n")
    (folder / ".env").write_text(f"TOKEN={CANARY}\n")
    (folder / "pip.conf").write_text(f"# {CANARY}\n[global]\nno-index = true\nfind-links = {index}\n")
    (folder / "forebay.yml").write_text(MANIFEST)
    (folder / "Dockerfile").write_text(dockerfile("thumbnails", found(folder)))
    (folder / ".dockerignore").write_text(dockerignore())
    (folder / "jobs.py").chmod(0o600)  # As a strict umask leaves it. The worker must be able to read it all the same.
    return load(folder / "forebay.yml")


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    """The image, built with buildah and pushed to a registry of this machine."""
    base = containers.base_rootfs()
    with (
        TemporaryDirectory(prefix="forebay-image-", dir=containers.roomy_folder()) as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = Path(name)
        store = Store(folder / "store")
        for key, value in {**store.environment, "FOREBAY_ENGINE": "buildah"}.items():
            patch.setenv(key, value)
        store.import_base(base)
        wheels = folder / "wheels"
        wheels.mkdir()
        with (
            containers.package_index(wheels, containers.python_of(base)) as index,
            containers.registry(folder / "registry") as host,
        ):
            yield made(folder, project(folder / "shop", index), host)


def made(folder: Path, loaded: Loaded, host: str) -> Built:
    said: list[str] = []
    heard: list[str] = []
    place = f"{host}/shop/thumbnails"
    image = build_and_push(loaded, Clients(), say=said.append, hear=heard.append, registry=place)
    again: list[str] = []
    second = build_and_push(loaded, Clients(), say=again.append, registry=place)
    tags = json.loads(containers.carried_out("skopeo", "list-tags", "--tls-verify=false", f"docker://{place}"))["Tags"]
    assert len(tags) == 1, tags
    address = f"http://{host}/v2/shop/thumbnails/manifests/{tags[0]}"
    accepted = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=accepted), timeout=30) as answer:
        registered = str(answer.headers["Docker-Content-Digest"])
    config = json.loads(
        containers.carried_out("skopeo", "inspect", "--config", "--tls-verify=false", f"docker://{image}")
    )
    bundle = Bundle(folder / "bundle", image)
    return Built(
        image, loaded.folder, host, bundle, tuple(said), tuple(heard), config, registered, (second, tuple(again))
    )


@contextmanager
def worker_in(container: Container, sqs: Sqs) -> Iterator[WorkerProcess]:
    """Run the container for the length of a block."""
    try:
        with running(sqs, [], command=container.command) as worker:
            yield worker
    finally:
        container.remove()


def variables(sqs: Sqs, queue: str, **more: str) -> dict[str, str]:
    """What the template gives a container, with the local SQS for AWS's. The drain fits into a stopTimeout of 120 s."""
    return {
        **KEYS,
        "AWS_ENDPOINT_URL_SQS": sqs.endpoint,
        "FOREBAY_QUEUE_URL": queue,
        "FOREBAY_LOG": "json",
        "FOREBAY_DRAIN": "110",
        **more,
    }


def test_what_is_deployed_is_the_digest_that_the_registry_has(built: Built) -> None:
    assert built.image == f"{built.host}/shop/thumbnails@{built.registered}"


def test_a_second_build_of_the_same_takes_what_is_there(built: Built) -> None:
    image, said = built.again

    assert image == built.image
    assert len(said) == 1
    assert said[0].endswith("it is not built again")


def test_forebay_deploy_brings_that_very_image_to_the_service(
    built: Built, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command itself, with moto for AWS: it finds the image in the registry and names it by digest."""
    monkeypatch.chdir(built.folder)
    with running_moto() as cloud:
        for name, value in cloud.env.items():
            monkeypatch.setenv(name, value)
        status = carry_out("deploy", ["--registry", f"{built.host}/shop/thumbnails", "--yes"])
        told = capsys.readouterr()
        task = cloud.clients().ecs.describe_task_definition(taskDefinition="thumbnails-test")["taskDefinition"]

    assert status == 0, told.err
    assert "it is not built again" in told.out + told.err
    assert task["containerDefinitions"][0]["image"] == built.image


def test_the_images_configuration_is_the_dockerfiles_and_holds_no_secret(built: Built) -> None:
    config = built.config["config"]

    assert config["User"] == f"{USER_ID}:{USER_ID}"
    assert config["Entrypoint"] == ["forebay"]
    assert config["Cmd"] == ["run"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Volumes"] == {"/tmp": {}}
    assert config["Labels"]["org.opencontainers.image.title"] == "thumbnails"
    assert {"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"} <= set(config["Env"])
    assert CANARY not in json.dumps(built.config)
    assert CANARY not in "\n".join((*built.said, *built.heard))


def test_the_image_has_the_code_and_no_tool_that_made_it(built: Built) -> None:
    rootfs = built.bundle.rootfs
    code = {path.name for path in (rootfs / "app").iterdir()}
    size = sum(path.lstat().st_size for part in ("app", "opt") for path in (rootfs / part).rglob("*"))

    assert code == {"jobs.py", "forebay.yml", "requirements.txt", "__pycache__"}
    assert containers.programs(rootfs, ("cc", "gcc", "g++", "ld", "make", "pip", "pip3", "curl", "git")) == []
    assert not (rootfs / "etc/pip.conf").exists() or CANARY not in (rootfs / "etc/pip.conf").read_text()
    assert not (rootfs / "root/.cache").exists()
    print(f"the image has {size / 2**20:.0f} MiB on top of its base")
    assert size < 100 * 2**20


def test_a_worker_in_it_does_jobs_as_nobody_answers_health_checks_and_drains(built: Built, sqs: Sqs) -> None:
    """Read-only root, no capabilities, PID 1: everything that ECS does to a task, from its start to its SIGTERM."""
    queue = sqs.queue()
    health = f"127.0.0.1:{free_port()}"
    container = built.bundle.container(variables(sqs, queue, FOREBAY_HEALTH=health, FOREBAY_SLOTS="1"))
    with worker_in(container, sqs) as worker:
        sqs.send(queue, {"text": "done"}, job="note")
        worker.wait_line("attempt.finished", outcome="succeeded")
        written_by = container.ask("cat", "/tmp/done").stdout
        first = container.ask("cat", "/proc/1/cmdline").stdout.split("\0")
        rights = dict(
            line.split(":\t", 1) for line in container.ask("cat", "/proc/1/status").stdout.splitlines() if ":\t" in line
        )
        alive = container.ask("forebay", "health")
        refused = container.ask("sh", "-c", "echo x > /app/x")

        sqs.send(queue, {"seconds": 3}, job="rest")
        worker.wait_line("attempt.started", count=2)
        container.signal("TERM")
        status = worker.wait()

    assert written_by == "1"
    assert first[1:] == ["/opt/venv/bin/forebay", "run", ""]
    assert rights["Uid"].split() == [str(USER_ID)] * 4
    assert (rights["CapPrm"], rights["CapEff"], rights["CapBnd"]) == ("0" * 16,) * 3
    assert rights["NoNewPrivs"] == "1"
    assert (alive.returncode, alive.stdout.split()[0]) == (0, "alive")
    assert "Read-only file system" in refused.stderr
    assert status == 0
    assert worker.ledger["succeeded"] == 2
    assert_exact(worker.ledger)
    assert worker.errors == ""
    assert [line for line in worker.raw if "Read-only" in line] == []
    assert sqs.counts(queue) == (0, 0, 0)


def test_a_job_longer_than_the_drain_is_given_back_by_pid_1(built: Built, sqs: Sqs) -> None:
    queue = sqs.queue()
    container = built.bundle.container(variables(sqs, queue, FOREBAY_DRAIN="1"))
    with worker_in(container, sqs) as worker:
        sqs.send(queue, {"seconds": 600}, job="rest")
        worker.wait_line("attempt.started")

        container.signal("TERM")
        status = worker.wait()

    assert status == 0
    assert worker.ledger["released"] == 1
    assert_exact(worker.ledger)


def test_even_root_in_a_writable_container_leaves_no_trace_outside_of_the_volume(built: Built, sqs: Sqs) -> None:
    """A read-only root only shows that nothing could be written. Here all could, and the tree is compared."""
    queue = sqs.queue()
    sqs.send(queue, {"text": "done"}, job="note")

    def free(config: Any) -> None:
        config["root"]["readonly"] = False
        config["process"]["user"] = {"uid": 0, "gid": 0}

    environment = variables(sqs, queue, FOREBAY_EXIT_WHEN_EMPTY="true")
    container = built.bundle.container(environment, change=free)
    before = containers.listing(built.bundle.rootfs)
    with worker_in(container, sqs) as worker:
        status = worker.wait()

    after = containers.listing(built.bundle.rootfs)
    assert status == 0
    assert worker.ledger["succeeded"] == 1
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == set()
    assert os.geteuid() == 0  # Else the comparison would prove nothing.
