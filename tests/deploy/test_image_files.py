"""The Dockerfile and .dockerignore that a project gets."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forebay.deploy.image import registry
from forebay.deploy.image.dockerfile import USER_ID, dockerfile, dockerignore
from forebay.deploy.image.requirements import Listed, Locked, Packaged, Requirements, Unsaid, found
from forebay.deploy.template import task
from forebay.errors import ManifestError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "image.md"

EVERY = [Locked("requirements.lock"), Listed("requirements.txt"), Packaged(), Unsaid("forebay==1.2.3")]


def hadolint() -> str:
    """The program that came with the development tools, beside this Python."""
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program, "hadolint is missing: make setup"
    return program


def final_stage(text: str) -> str:
    return text[text.rindex("\nFROM ") :]


@pytest.mark.parametrize("requirements", EVERY, ids=lambda requirements: type(requirements).__name__)
def test_hadolint_finds_nothing_in_a_generated_dockerfile(requirements: Requirements, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(dockerfile("thumbnails", requirements), encoding="utf-8")

    linted = subprocess.run([hadolint(), "--no-color", str(file)], capture_output=True, text=True, check=False)

    assert (linted.returncode, linted.stdout) == (0, "")


def test_hadolint_would_find_something() -> None:
    linted = subprocess.run(
        [hadolint(), "-"], input="FROM python\nRUN pip install x\n", capture_output=True, text=True, check=False
    )

    assert linted.returncode == 1
    assert "DL3006" in linted.stdout


@pytest.mark.parametrize("requirements", EVERY, ids=lambda requirements: type(requirements).__name__)
def test_the_final_stage_installs_nothing_and_runs_as_a_user_without_rights(requirements: Requirements) -> None:
    stage = final_stage(dockerfile("thumbnails", requirements))

    assert not re.search(r"\b(pip|apt-get|apk|gcc|curl)\b", stage)
    assert f"USER {USER_ID}:{USER_ID}\n" in stage
    assert 'ENTRYPOINT ["forebay"]\n' in stage
    assert stage.index("USER ") < stage.index("ENTRYPOINT ")
    assert 'VOLUME ["/tmp"]\n' in stage
    assert "STOPSIGNAL SIGTERM\n" in stage


def test_a_lock_is_installed_with_hashes_required_before_the_code_is_copied() -> None:
    text = dockerfile("thumbnails", Locked("requirements.lock"))

    assert "--require-hashes --requirement requirements.lock\n" in text
    assert text.index("--require-hashes") < text.index("COPY . .")


def test_a_list_without_hashes_is_not_asked_for_them() -> None:
    assert "--require-hashes" not in dockerfile("thumbnails", Listed("requirements.txt"))


def test_a_package_is_installed_from_its_own_source() -> None:
    text = dockerfile("thumbnails", Packaged())

    assert text.index("COPY . .") < text.index("--disable-pip-version-check /app\n")


def test_pip_gets_its_configuration_as_a_mount_and_never_as_a_copy() -> None:
    text = dockerfile("thumbnails", Unsaid("forebay==1.2.3"))

    assert "RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf" in text
    assert "**/pip.conf" in dockerignore().splitlines()


def test_git_environments_and_keys_are_not_sent_but_the_manifest_is() -> None:
    ignored = dockerignore().splitlines()

    assert {".git", ".venv*", "**/.env", "**/*.pem", "**/__pycache__", ".aws"} <= set(ignored)
    assert not any("forebay" in line for line in ignored)


class TestWhereAProjectNamesItsPackages:
    """What `found` makes of a folder."""

    def test_a_file_with_hashes_goes_before_one_without(self, tmp_path: Path) -> None:
        (tmp_path / "requirements.lock").write_text("forebay==1.0\n")
        (tmp_path / "requirements.txt").write_text("forebay==1.0 --hash=sha256:00\n")

        assert found(tmp_path) == Locked("requirements.txt")

    def test_a_list_goes_before_the_package(self, tmp_path: Path) -> None:
        (tmp_path / "requirements.txt").write_text("forebay\n")
        (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")

        assert found(tmp_path) == Listed("requirements.txt")

    def test_a_package_is_installed(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")

        assert found(tmp_path) == Packaged()

    def test_settings_of_tools_are_no_package(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")

        assert isinstance(found(tmp_path), Unsaid)

    def test_a_project_that_says_nothing_gets_this_forebay(self, tmp_path: Path) -> None:
        requirements = found(tmp_path)

        assert isinstance(requirements, Unsaid)
        assert re.fullmatch(r"forebay==\d+\.\d+\.\d+\S*", requirements.forebay)

    def test_a_file_that_is_no_toml_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text("[project\n")

        with pytest.raises(ManifestError, match=r"pyproject\.toml is no TOML"):
            found(tmp_path)


class TestThePage:
    """docs/image.md says what the code does."""

    def test_it_shows_the_dockerfile_of_a_project_with_a_lock(self) -> None:
        (shown,) = re.findall(r"```dockerfile\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

        assert shown == dockerfile("thumbnails", Locked("requirements.lock"))

    def test_it_names_what_the_lifecycle_keeps(self) -> None:
        row = f"{registry.UNTAGGED_DAYS} days; of images with uncommitted changes {registry.KEPT_DIRTY_IMAGES} are kept"

        assert f"{row}, of all {registry.KEPT_IMAGES} |" in PAGE.read_text(encoding="utf-8")


def test_the_task_definition_names_the_same_user_as_the_image() -> None:
    assert f"{USER_ID}:{USER_ID}" == task.USER
