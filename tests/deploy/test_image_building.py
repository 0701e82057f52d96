"""Which engine is taken, what it is told, and what comes of it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.enforced import credentials
from tests.deploy.moto_server import MotoCloud
from tests.deploy.stand_in_engines import DIGEST, StandIns

from forebay.cli.wanted_image import WantedImage
from forebay.deploy.clients import Clients
from forebay.deploy.image import commands
from forebay.deploy.image.building import build_and_push
from forebay.deploy.image.engines import Engine, find, is_on_this_machine
from forebay.deploy.image.processors import doubt
from forebay.deploy.image.recipe import digest, recipe, tag
from forebay.deploy.manifest.loading import Loaded
from forebay.deploy.manifest.model import Manifest
from forebay.errors import DeployError, SettingsError

NO_DAEMON = {"version": (1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")}


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """A PATH with no engine on it yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return StandIns(folder)


@pytest.fixture
def said() -> list[str]:
    """What was said to the user."""
    return []


def project(folder: Path, **keys: Any) -> Loaded:
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return Loaded(Manifest.model_validate({"name": "thumbnails", **keys}), "test", ("test",), folder)


def contents(loaded: Loaded) -> str:
    return digest(recipe(loaded))


class TestWhichEngine:
    """The first that answers."""

    def test_docker_goes_first(self, engines: StandIns, said: list[str]) -> None:
        for name in ("buildah", "podman", "finch", "docker"):
            engines.add(name)

        assert find(said.append).name == "docker"
        assert said == []

    def test_a_client_without_its_engine_is_passed_over_and_the_reason_is_said(
        self, engines: StandIns, said: list[str]
    ) -> None:
        engines.add("docker", NO_DAEMON)
        engines.add("buildah")

        assert find(said.append).name == "buildah"
        assert said == [f"building with buildah, since docker is of no use ({NO_DAEMON['version'][1]})"]

    def test_none_at_all_says_why_of_each_and_what_to_do(self, engines: StandIns, said: list[str]) -> None:
        engines.add("docker", NO_DAEMON)

        with pytest.raises(DeployError) as refused:
            find(said.append)

        words = str(refused.value)
        assert "docker is of no use (Cannot connect to the Docker daemon" in words
        assert "finch is not installed; podman is not installed; buildah is not installed" in words
        assert "--image REPOSITORY@sha256:" in words

    def test_the_one_that_is_wanted_is_the_only_one_that_is_asked(self, engines: StandIns, said: list[str]) -> None:
        engines.add("docker")
        engines.add("podman")

        assert find(said.append, wanted="podman").name == "podman"
        assert [call.program for call in engines.calls] == ["podman"]

    def test_an_unknown_engine_is_named_with_the_known_ones(self, said: list[str]) -> None:
        with pytest.raises(DeployError, match=r"FOREBAY_ENGINE='kaniko'.*docker, finch, podman, buildah"):
            find(said.append, wanted="kaniko")

    def test_a_program_that_cannot_be_started_is_of_no_use(self, engines: StandIns, said: list[str]) -> None:
        (engines.folder / "docker").write_text("#!/nowhere/at/all\n")
        (engines.folder / "docker").chmod(0o755)

        with pytest.raises(DeployError, match=r"docker is of no use \(No such file or directory\)"):
            find(said.append)


class TestWhatAnEngineIsTold:
    """Lists of arguments."""

    def test_a_build_names_all_that_the_manifest_says(self, tmp_path: Path) -> None:
        (tmp_path / "pip.conf").write_text("[global]\n")
        build = {"args": {"A": "1", "B": "two words"}, "target": "small", "secrets": {"pip.conf": "pip.conf"}}
        made = recipe(project(tmp_path, architecture="arm64", image={"build": build}))

        words = Engine("docker", "/usr/bin/docker").build(made, "host/shop:1", {"label": "x"}, fresh=False)

        assert words == [
            *("/usr/bin/docker", "build", "--platform", "linux/arm64", "--file", str(tmp_path / "Dockerfile")),
            *("--tag", "host/shop:1", "--target", "small", "--build-arg", "A=1", "--build-arg", "B=two words"),
            *("--label", "label=x", "--secret", f"id=pip.conf,src={tmp_path / 'pip.conf'}", str(tmp_path / ".")),
        ]

    def test_a_fresh_build_takes_nothing_from_before(self, tmp_path: Path) -> None:
        words = Engine("podman", "podman").build(recipe(project(tmp_path)), "host/shop:1", {}, fresh=True)

        assert ("--no-cache" in words, "--pull" in words) == (True, True)

    def test_buildah_is_told_the_same_list_of_ignored_files_as_docker_finds(self, tmp_path: Path) -> None:
        made = recipe(project(tmp_path))
        (tmp_path / ".dockerignore").write_text("x\n")
        with_list = recipe(project(tmp_path))

        buildah = Engine("buildah", "buildah")
        assert "--ignorefile" not in buildah.build(made, "host/shop:1", {}, fresh=False)
        words = buildah.build(with_list, "host/shop:1", {}, fresh=False)
        assert words[words.index("--ignorefile") + 1] == str(tmp_path / ".dockerignore")

    @pytest.mark.parametrize("name", ["docker", "finch", "podman", "buildah"])
    def test_no_login_has_a_password_among_its_arguments(self, name: str, tmp_path: Path) -> None:
        words = Engine(name, name).login("host", "AWS", tmp_path)

        assert "--password-stdin" in words
        assert words[-1] == "host"

    @pytest.mark.parametrize(
        ("image", "is_here"),
        [
            ("127.0.0.1:5000/shop:1", True),
            ("localhost/shop:1", True),
            ("[::1]:5000/shop:1", True),
            ("registry.example.com/shop:1", False),
            ("127.0.0.1.example.com/shop:1", False),
        ],
    )
    def test_only_loopback_is_this_machine(self, image: str, is_here: bool) -> None:
        assert is_on_this_machine(image) is is_here


class TestBuildAndPush:
    """From the manifest to a digest, with ECR of moto and engines that note what they are told."""

    def test_an_image_is_built_pushed_and_named_by_digest(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker")
        loaded = project(tmp_path / "shop")

        image = build_and_push(loaded, moto_cloud.clients(), say=said.append)

        host = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
        assert image == f"{host}/thumbnails@{DIGEST}"
        assert engines.verbs == ["version", "build", "image", "login", "push", "image"]
        name = f"{host}/thumbnails:{tag(contents(loaded), None)}"
        assert engines.call("push").words == ["push", name]
        assert f"pushing {name}" in said

    def test_the_password_goes_in_by_standard_input_and_nowhere_else(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("buildah")

        build_and_push(project(tmp_path / "shop"), moto_cloud.clients(), say=said.append, hear=said.append)

        password = engines.call("login").given
        assert password
        assert engines.call("login").words[-1].endswith(".amazonaws.com")
        assert not [word for call in engines.calls for word in call.words if password in word]
        assert not [line for line in said if password in line]

    def test_credentials_of_a_push_are_gone_after_it(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("buildah")

        build_and_push(project(tmp_path / "shop"), moto_cloud.clients(), say=said.append)

        words = engines.call("login").words
        assert not Path(words[words.index("--authfile") + 1]).parent.exists()

    def test_what_the_registry_has_is_not_built_again(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        loaded, clients = project(tmp_path / "shop"), moto_cloud.clients()
        digest = registered(clients, loaded)

        image = build_and_push(loaded, clients, say=said.append)

        assert image.endswith(f"/thumbnails@{digest}")
        assert engines.calls == []
        assert said == [f"the registry has {tag(contents(loaded), None)} already: it is not built again"]

    def test_a_fresh_build_of_the_same_gets_a_tag_beside_it(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker")
        loaded, clients = project(tmp_path / "shop"), moto_cloud.clients()
        registered(clients, loaded)

        build_and_push(loaded, clients, say=said.append, fresh=True)

        assert engines.call("push").words[-1].endswith(f":{tag(contents(loaded), None)}-2")
        assert "--no-cache" in engines.call("build").words

    def test_a_failed_build_shows_its_last_lines_and_a_remedy(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker", {"build": (1, "exec /bin/sh: exec format error")})

        with pytest.raises(DeployError, match=r"docker could not build the image \(status 1\).*qemu-user-static"):
            build_and_push(project(tmp_path / "shop"), moto_cloud.clients(), say=said.append)

        assert said[-1] == "  exec /bin/sh: exec format error"
        assert "push" not in engines.verbs

    @pytest.mark.parametrize(
        ("words", "remedy"),
        [
            ("the --mount option requires BuildKit. Refer to https://docs.docker.com", "buildx plugin"),
            ("ERROR: BuildKit is enabled but the buildx component is missing or broken.", "buildx plugin"),
            ("unknown flag: --secret", "buildx plugin"),
            ("write /var/lib: no space left on device", "disk is full"),
            ("toomanyrequests: Rate exceeded", "BASE_IMAGE"),
        ],
    )
    def test_what_engines_say_often_comes_with_what_to_do(
        self, words: str, remedy: str, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker", {"build": (1, words)})

        with pytest.raises(DeployError, match=remedy):
            build_and_push(project(tmp_path / "shop"), moto_cloud.clients(), say=said.append)

    def test_an_image_for_another_processor_is_not_pushed(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker")  # It says amd64 of every image.

        with pytest.raises(DeployError, match=r"is for amd64, but the manifest's architecture is arm64"):
            build_and_push(project(tmp_path / "shop", architecture="arm64"), moto_cloud.clients(), say=said.append)

        assert "push" not in engines.verbs

    def test_a_push_that_fails_is_told_when_the_registry_has_nothing(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker", {"push": (1, "connection reset")})

        with pytest.raises(DeployError, match=r"docker could not push the image"):
            build_and_push(project(tmp_path / "shop"), moto_cloud.clients(), say=said.append)

    def test_the_engine_is_heard_by_who_asks_for_it(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker", {"build": (0, "STEP 1/1")})
        heard: list[str] = []

        build_and_push(project(tmp_path / "shop"), moto_cloud.clients(), say=said.append, hear=heard.append)

        assert "STEP 1/1" in heard
        assert "STEP 1/1" not in said


def registered(clients: Clients, loaded: Loaded) -> str:
    """Put an image under the tag of the project into ECR; return its digest."""
    clients.ecr.create_repository(repositoryName="thumbnails")
    manifest = (
        '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", '
        '"config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, '
        f'"digest": "{DIGEST}"}}, "layers": []}}'
    )
    name = tag(contents(loaded), None)
    put = clients.ecr.put_image(repositoryName="thumbnails", imageManifest=manifest, imageTag=name)
    return str(put["image"]["imageId"]["imageDigest"])


class TestCommands:
    """Programs and what they say."""

    def test_every_line_is_heard_and_the_last_are_kept(self) -> None:
        heard: list[str] = []

        ended = commands.run([sys.executable, "-c", "for i in range(100): print(i)"], hear=heard.append)

        assert heard == [str(number) for number in range(100)]
        assert ended.last_lines == tuple(heard[-commands.KEPT_LINES :])

    def test_a_program_that_leaves_without_reading_is_no_error_of_ours(self) -> None:
        heard: list[str] = []

        ended = commands.run(
            [sys.executable, "-c", "import sys; sys.stdin.close(); sys.exit(3)"],
            hear=heard.append,
            given="x" * 1_000_000,
        )

        assert ended.status == 3

    def test_a_question_that_is_not_answered_in_time_says_so(self) -> None:
        answer = commands.ask([sys.executable, "-c", "import signal; signal.pause()"], within_s=0.2)

        assert (answer.status, answer.complaint) == (127, "no answer within 0.2 s")

    def test_control_codes_of_an_engine_reach_no_log(self) -> None:
        heard: list[str] = []

        commands.run(["printf", r"\033[1;31mboom\033[0m\a\r\n\tin line 3\n"], hear=heard.append)

        assert heard == ["boom", "\tin line 3"]

    def test_docker_hub_is_known_by_either_of_its_names(self, engines: StandIns, tmp_path: Path) -> None:
        known = f"shop/thumbnails@{DIGEST}"
        engines.add("docker", {"image": (0, known)})
        docker = Engine("docker", str(engines.folder / "docker"))

        assert docker.pushed_digest("docker.io/shop/thumbnails:1", tmp_path) == DIGEST

    def test_an_interrupted_program_does_not_stay_behind(self, tmp_path: Path) -> None:
        mark = tmp_path / "pid"
        code = (
            f"import os, pathlib, signal; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); "
            "print('up', flush=True); signal.pause()"
        )

        def interrupt(line: str) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            commands.run([sys.executable, "-c", code], hear=interrupt)

        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


class TestWhatTheCommandsOptionsSay:
    """`forebay deploy` with --image, --registry and --rebuild."""

    @pytest.mark.parametrize("more", [{"registry": "ghcr.io/shop/thumbnails"}, {"is_built_again": True}])
    def test_an_image_that_is_named_cannot_be_built_too(self, more: dict[str, Any]) -> None:
        with pytest.raises(SettingsError, match=r"--image names what exists.*leave --registry and --rebuild out"):
            WantedImage(named="ghcr.io/shop/thumbnails:1", **more)


class TestWhatIsRemarked:
    """Doubts are said before a build, and forbid nothing."""

    def test_a_context_without_a_list_of_what_to_leave_out_is_told_what_goes_in(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker")
        loaded = project(tmp_path / "shop")
        (tmp_path / "shop" / ".venv").mkdir()

        build_and_push(loaded, moto_cloud.clients(), say=said.append)

        assert "there is no .dockerignore, so the build gets .venv too: `forebay init` writes one" in said

    @pytest.mark.parametrize(
        ("name", "value", "is_told"),
        [
            ("GITHUB_TOKEN", "gho_1", True),
            ("npm_password", "open-sesame", True),
            ("PIP_INDEX_URL", "https://ci:hunter2@pypi.shop.example/simple", True),
            ("PIP_INDEX_URL", "https://pypi.shop.example/simple", False),
            ("BASE_IMAGE", "python:3.13@sha256:0", False),
        ],
    )
    def test_an_argument_that_looks_secret_is_told_by_its_name_alone(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str], name: str, value: str,
        is_told: bool,
    ) -> None:  # fmt: skip
        engines.add("docker")
        loaded = project(tmp_path / "shop", image={"build": {"args": {name: value}}})

        build_and_push(loaded, moto_cloud.clients(), say=said.append)

        assert [line.split()[0] for line in said if "secrets:" in line] == ([name] if is_told else [])
        assert not [line for line in said if value in line and is_told]

    def test_files_that_change_during_the_build_are_not_deployed_under_a_tag_that_lies(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, said: list[str]
    ) -> None:
        engines.add("docker", {"build": (0, "STEP 1/1")})
        loaded = project(tmp_path / "shop")

        def save_meanwhile(line: str) -> None:
            (tmp_path / "shop" / "late.py").write_text("")

        with pytest.raises(DeployError, match="changed while the image was built"):
            build_and_push(loaded, moto_cloud.clients(), say=said.append, hear=save_meanwhile)

        assert "push" not in engines.verbs

    def test_another_processor_without_an_emulator_is_doubted(self, tmp_path: Path) -> None:
        remark = doubt("arm64", machine="x86_64", system="Linux", binary_formats=tmp_path)

        assert remark is not None
        assert "this machine is amd64" in remark
        assert "qemu-user-static" in remark

    def test_an_emulator_that_the_kernel_knows_takes_the_doubt_away(self, tmp_path: Path) -> None:
        (tmp_path / "qemu-aarch64").touch()

        assert doubt("arm64", machine="x86_64", system="Linux", binary_formats=tmp_path) is None

    @pytest.mark.parametrize(
        ("wanted", "machine", "system"),
        [("amd64", "x86_64", "Linux"), ("arm64", "aarch64", "Linux"), ("amd64", "arm64", "Darwin")],
    )
    def test_ones_own_processor_and_virtual_machines_are_not_doubted(
        self, wanted: str, machine: str, system: str, tmp_path: Path
    ) -> None:
        assert doubt(wanted, machine=machine, system=system, binary_formats=tmp_path) is None


class TestPermissions:
    """The page's list of actions is enough, and each that our own calls need is told when it is missing."""

    def test_the_actions_of_the_page_suffice(
        self, engines: StandIns, moto_cloud: MotoCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        engines.add("docker")
        for name, value in credentials(moto_cloud, "deployer", actions_of_the_page()).items():
            monkeypatch.setenv(name, value)
        moto_cloud.check_permissions()

        assert build_and_push(project(tmp_path / "shop"), Clients(), say=said.append).endswith(DIGEST)

    @pytest.mark.parametrize(
        "action",
        [
            "ecr:DescribeRepositories",
            "ecr:CreateRepository",
            "ecr:PutLifecyclePolicy",
            "ecr:DescribeImages",
            "ecr:GetAuthorizationToken",
        ],
    )
    def test_an_action_that_is_missing_is_named(
        self,
        action: str,
        engines: StandIns,
        moto_cloud: MotoCloud,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        said: list[str],
    ) -> None:
        engines.add("docker")
        for name, value in credentials(moto_cloud, "deployer", actions_of_the_page() - {action}).items():
            monkeypatch.setenv(name, value)
        moto_cloud.check_permissions()

        with pytest.raises(DeployError, match=action):
            build_and_push(project(tmp_path / "shop"), Clients(), say=said.append)


def actions_of_the_page() -> set[str]:
    """What docs/image.md says that a deploying role needs."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "image.md").read_text(encoding="utf-8")
    return set(re.findall(r"\becr:[A-Z]\w+", text))
