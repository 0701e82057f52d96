"""What goes into a build, what is left out, and the tag that names it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from forebay.deploy.image import revision
from forebay.deploy.image.dockerfile import dockerignore
from forebay.deploy.image.ignoring import Ignored
from forebay.deploy.image.recipe import digest, recipe, tag
from forebay.deploy.image.revision import Revision
from forebay.deploy.manifest.loading import Loaded
from forebay.deploy.manifest.model import Manifest
from forebay.errors import ManifestError


def project(folder: Path, **keys: Any) -> Loaded:
    """A project with a Dockerfile and a handler."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "jobs.py").write_text("worker = 1\n")
    return Loaded(Manifest.model_validate({"name": "thumbnails", **keys}), "test", ("test",), folder)


def contents(loaded: Loaded) -> str:
    return digest(recipe(loaded))


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=A Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def committed(folder: Path) -> None:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A beginning")


class TestPatterns:
    """Lines of .dockerignore, as Docker reads them."""

    @pytest.mark.parametrize(
        ("lines", "left_out", "sent"),
        [
            ("*.pyc", ["a.pyc"], ["b/a.pyc", "a.py"]),
            ("**/*.pyc", ["a.pyc", "b/c/a.pyc"], ["a.py"]),
            ("**/__pycache__", ["__pycache__/x", "b/__pycache__/x"], ["pycache/x"]),
            ("build", ["build", "build/lib/a.py"], ["builder.py", "src/build/a.py"]),
            ("/build/", ["build/a"], ["src/build"]),
            ("./build", ["build/a"], ["src/build"]),
            ("docs/**/*.md", ["docs/a.md", "docs/b/c.md"], ["a.md", "docs/a.txt"]),
            ("docs/**", ["docs/a", "docs/b/c"], ["other"]),
            ("?.txt", ["a.txt"], ["ab.txt", ".txt"]),
            ("[ab].txt", ["a.txt", "b.txt"], ["c.txt"]),
            ("[^ab].txt", ["c.txt"], ["a.txt"]),
            ("*.md\n!README.md", ["a.md"], ["README.md"]),
            ("!README.md\n*.md", ["README.md"], []),
            ("data\n!data/keep", ["data/a"], ["data/keep", "data/keep/b"]),
            ("# *.py\n\n  ", [], ["a.py"]),
            ("a.b", ["a.b"], ["acb"]),
            ("\\#odd", ["#odd"], ["odd"]),
            (".env.*", [".env.local"], [".env", "x/.env.local"]),
        ],
    )
    def test_a_line_means_what_it_means_to_docker(self, lines: str, left_out: list[str], sent: list[str]) -> None:
        ignored = Ignored.of(lines)

        assert [path for path in left_out if not ignored.holds(path)] == []
        assert [path for path in sent if ignored.holds(path)] == []

    def test_what_is_no_pattern_leaves_nothing_out(self) -> None:
        assert not Ignored.of("[z-a].txt").holds("b.txt")

    def test_the_generated_file_keeps_secrets_out_and_code_in(self) -> None:
        ignored = Ignored.of(dockerignore())

        kept_out = [".git/config", ".env", "conf/.env.prod", "keys/a.pem", ".venv/bin/python", "a/__pycache__/b.pyc"]
        assert [path for path in kept_out if not ignored.holds(path)] == []
        sent = ["forebay.yml", "jobs.py", "requirements.txt", "requirements.lock", "pyproject.toml", "shop/environ.py"]
        assert [path for path in sent if ignored.holds(path)] == []


class TestContents:
    """The digest changes when the image would, and only then."""

    def test_a_copy_of_the_project_has_the_same_digest(self, tmp_path: Path) -> None:
        assert contents(project(tmp_path / "one")) == contents(project(tmp_path / "two"))

    def test_a_changed_file_changes_it(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        before = contents(loaded)

        (tmp_path / "jobs.py").write_text("worker = 2\n")

        assert contents(loaded) != before

    def test_a_renamed_file_changes_it(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        before = contents(loaded)

        (tmp_path / "jobs.py").rename(tmp_path / "works.py")

        assert contents(loaded) != before

    def test_a_file_that_becomes_a_program_changes_it(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        before = contents(loaded)

        (tmp_path / "jobs.py").chmod(0o755)

        assert contents(loaded) != before

    def test_another_time_of_change_does_not(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        before = contents(loaded)

        (tmp_path / "jobs.py").touch()

        assert contents(loaded) == before

    def test_a_link_counts_by_where_it_leads(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        (tmp_path / "link").symlink_to("jobs.py")
        before = contents(loaded)

        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("nowhere")

        assert contents(loaded) != before

    def test_a_link_to_a_folder_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        loaded = project(tmp_path / "shop")
        (tmp_path / "shop" / "link").symlink_to("../elsewhere")
        before = contents(loaded)

        (tmp_path / "elsewhere" / "big").write_text("x")

        assert contents(loaded) == before

    def test_an_ignored_file_does_not_count(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        (tmp_path / ".dockerignore").write_text("cache\n")
        before = contents(loaded)

        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "x").write_text("x")

        assert contents(loaded) == before

    def test_a_file_that_is_taken_back_out_of_an_ignored_folder_counts(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        (tmp_path / ".dockerignore").write_text("cache\n!cache/model.bin\n")
        before = contents(loaded)

        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "model.bin").write_text("x")

        assert contents(loaded) != before

    def test_the_dockerfiles_own_list_goes_before_the_folders(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        (tmp_path / ".dockerignore").write_text("a\n")
        (tmp_path / "Dockerfile.dockerignore").write_text("b\n")

        assert recipe(loaded).ignore_file == tmp_path / "Dockerfile.dockerignore"

    @pytest.mark.parametrize(
        "keys",
        [
            {"architecture": "arm64"},
            {"image": {"build": {"args": {"BASE_IMAGE": "other"}}}},
            {"image": {"build": {"target": "builder"}}},
        ],
    )
    def test_each_setting_of_the_build_counts(self, keys: dict[str, Any], tmp_path: Path) -> None:
        assert contents(project(tmp_path, **keys)) != contents(project(tmp_path))

    def test_a_dockerfile_outside_of_the_context_counts(self, tmp_path: Path) -> None:
        keys = {"image": {"build": {"context": "app"}}}
        (tmp_path / "app").mkdir()
        loaded = project(tmp_path, **keys)
        before = contents(loaded)

        (tmp_path / "Dockerfile").write_text("FROM other\n")

        assert contents(loaded) != before


class TestWhatIsNotThere:
    """Each refusal names the key, the value and the remedy."""

    def test_a_missing_dockerfile_is_told_with_the_command_that_writes_one(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        (tmp_path / "Dockerfile").unlink()

        with pytest.raises(ManifestError, match=r"image: build: dockerfile: .*'Dockerfile'.*forebay init"):
            recipe(loaded)

    def test_a_missing_context_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ManifestError, match=r"context: 'app' is no folder"):
            recipe(project(tmp_path, image={"build": {"context": "app"}}))

    def test_a_missing_secret_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ManifestError, match=r"secrets: pip\.conf: there is no file .*absent\.conf"):
            recipe(project(tmp_path, image={"build": {"secrets": {"pip.conf": "absent.conf"}}}))


class TestTheTag:
    """Commit first, for people; contents last, for honesty."""

    def test_a_committed_folder_is_named_by_commit_and_contents(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        committed(tmp_path)

        at = revision.found(tmp_path)

        assert at is not None
        assert not at.is_dirty
        assert tag(contents(loaded), at) == f"{at.commit[:12]}-{contents(loaded)[:12]}"

    def test_a_change_makes_it_dirty(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        committed(tmp_path)
        (tmp_path / "jobs.py").write_text("worker = 2\n")

        at = revision.found(tmp_path)

        assert at is not None
        assert tag(contents(loaded), at) == f"{at.commit[:12]}-dirty-{contents(loaded)[:12]}"

    def test_a_file_that_git_does_not_know_makes_it_dirty(self, tmp_path: Path) -> None:
        project(tmp_path)
        committed(tmp_path)
        (tmp_path / "new.py").write_text("\n")

        at = revision.found(tmp_path)

        assert at is not None
        assert at.is_dirty

    def test_a_change_elsewhere_in_the_repository_does_not(self, tmp_path: Path) -> None:
        project(tmp_path / "shop")
        (tmp_path / "other.txt").write_text("a")
        committed(tmp_path)
        (tmp_path / "other.txt").write_text("b")

        at = revision.found(tmp_path / "shop")

        assert at is not None
        assert not at.is_dirty

    def test_a_file_that_only_git_ignores_changes_the_tag_of_one_commit(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)
        (tmp_path / ".gitignore").write_text("model.bin\n")
        committed(tmp_path)
        before = tag(contents(loaded), revision.found(tmp_path))

        (tmp_path / "model.bin").write_text("weights")

        at = revision.found(tmp_path)
        assert at is not None
        assert not at.is_dirty
        assert tag(contents(loaded), at) != before

    def test_without_git_the_contents_alone_name_it(self, tmp_path: Path) -> None:
        loaded = project(tmp_path)

        assert tag(contents(loaded), None) == contents(loaded)[:12]

    def test_a_repository_without_a_commit_has_no_revision(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "--quiet")

        assert revision.found(tmp_path) is None

    def test_every_tag_is_one_that_a_registry_takes(self, tmp_path: Path) -> None:
        made = tag(contents(project(tmp_path)), Revision("a" * 40, is_dirty=True))

        assert len(made) < 128
        assert made.replace("-", "").isalnum()
