"""Images and containers on a machine without a Docker engine: what is needed, where it is made, and how it is run.

Rules kept here and nowhere else:

1. Everything lies in one folder and is gone with it: the store of images, the registry's data, the unpacked image.
2. A container has what the template gives one on Fargate and no more: a root that cannot be written, a volume at /tmp,
   a user without rights, no capability and no way to new ones. Only the network is this machine's, for the local SQS.
3. What is not here is named, with the command that brings it, and the tests are skipped with that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.processes.harness import clean_environment

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("buildah", "crun", "docker-registry", "skopeo", "umoci", "unshare")
BASE = "localhost/base-python:local"

# crun refuses a machine that has both kinds of control groups mounted, although it is to use none. It gets a mount
# namespace of its own in which there are none to be seen.
WITHOUT_CGROUPS = (
    *("unshare", "--mount", "--propagation", "private", "sh", "-c"),
    'umount -R /sys/fs/cgroup 2>/dev/null; mount -t tmpfs none /sys/fs/cgroup && exec "$@"',
    "sh",
)


def base_rootfs() -> Path:
    """The file that scripts/setup-images makes."""
    release = Path("/etc/os-release")
    told = release.read_text(encoding="utf-8") if release.exists() else ""
    named = re.search(r'^VERSION_CODENAME="?([\w-]+)', told, re.MULTILINE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "forebay" / f"base-python-{named[1] if named else 'unknown'}.tar"


def lacking() -> str | None:
    """What keeps images from being built and run here, in a sentence."""
    if not sys.platform.startswith("linux"):
        return "containers are run by Linux only"
    if os.geteuid() != 0:
        return "building and running containers here takes root"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not on this machine: {', '.join(missing)}. `make setup-images` installs them"
    if not base_rootfs().exists():
        return f"there is no base image at {base_rootfs()}. `make setup-images` makes it"
    return None


def roomy_folder() -> str | None:
    """Where some 900 MB of small files come and go fast: memory, where there is enough of it; None: the usual place."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30 else None


def carried_out(*words: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end; return what it said, or fail with it."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, f"{words}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


class Store:
    """buildah's images, in a folder of ours."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        config = folder / "storage.conf"
        config.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder / "images"}"\nrunroot = "{folder / "run"}"\n'
        )
        self.environment = {
            "CONTAINERS_STORAGE_CONF": str(config),
            "STORAGE_DRIVER": "vfs",
            # RUN in a changed root: no namespaces, no mounts of /proc, which a container may not be allowed.
            "BUILDAH_ISOLATION": "chroot",
            "BUILDAH_LAYERS": "false",
        }

    def buildah(self, *words: str | Path) -> str:
        return carried_out("buildah", *words, environment=self.environment).strip()

    def import_base(self, rootfs: Path) -> None:
        """Make the base image of a tar."""
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, rootfs, "/")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.buildah("config", "--env", path, "--cmd", '["python3"]', container)
        self.buildah("commit", "--quiet", "--rm", container, BASE)


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Debian's docker-registry on a port of its own; its host."""
    folder.mkdir()
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog:\n  formatter: json\nstorage:\n  filesystem:\n"
        f"    rootdirectory: {folder / 'data'}\nhttp:\n  addr: 127.0.0.1:0\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr:
        try:
            said = ""
            for line in process.stderr:
                said += line
                if listening := re.search(r"listening on (127\.0\.0\.1:\d+)", line):
                    break
            else:
                raise AssertionError(f"docker-registry ended before it listened: {said}")
            reader = threading.Thread(target=process.stderr.read)  # Else it stops at a full pipe.
            reader.start()
            yield listening[1]
        finally:
            process.kill()  # What it has stored is thrown away.
            process.wait()
        reader.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def package_index(folder: Path, python: str) -> Iterator[str]:
    """This tree as a wheel, with all that it needs for that Python, listed on loopback; the address."""
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    carried_out(*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("forebay-*.whl")
    carried_out(*pip, "download", "--dest", folder, "--only-binary=:all:", "--python-version", python, wheel)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def python_of(rootfs: Path) -> str:
    """The Python of a base, `3.11`."""
    with tarfile.open(rootfs) as tar:
        for member in tar:
            if found := re.search(r"/usr/bin/python(3\.\d+)$", f"/{member.name.lstrip('./')}"):
                return found[1]
    raise AssertionError(f"no Python in {rootfs}")


class Bundle:
    """An unpacked image, from which containers are run."""

    def __init__(self, folder: Path, image: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._state = folder / "state"
        self._started = 0
        carried_out(
            "skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{image}", f"oci:{folder / 'oci'}:it"
        )
        # Raw: umoci's own record of the tree takes longer than the tree, and nothing is packed again here.
        self.rootfs = folder / "rootfs"
        carried_out("umoci", "raw", "unpack", "--image", f"{folder / 'oci'}:it", self.rootfs)
        config = folder / "config.json"
        carried_out("umoci", "raw", "runtime-config", "--image", f"{folder / 'oci'}:it", config)
        self._config: dict[str, Any] = json.loads(config.read_text())

    def container(
        self, environment: Mapping[str, str], *words: str, change: Callable[[Any], None] | None = None
    ) -> Container:
        """A container as the template makes one. `words` follow the entry point; none: the image's own."""
        self._started += 1
        name = f"forebay-{os.getpid()}-{self._started}"
        config = json.loads(json.dumps(self._config))
        process = config["process"]
        entry_point = process["args"][:1]
        process.update(
            terminal=False,
            args=[*entry_point, *words] if words else process["args"],
            env=[*process["env"], *(f"{key}={value}" for key, value in environment.items())],
            capabilities={kind: [] for kind in process["capabilities"]},
            noNewPrivileges=True,
        )
        config["root"] = {"path": str(self.rootfs), "readonly": True}
        config["linux"]["namespaces"] = [kind for kind in config["linux"]["namespaces"] if kind["type"] != "network"]
        config["linux"].pop("resources", None)
        config["mounts"] = [mount for mount in config["mounts"] if not mount["destination"].startswith("/sys")]
        if change is not None:
            change(config)
        folder = self._folder / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        return Container(name, folder, self._state)


class Container:
    """One container by its name."""

    def __init__(self, name: str, folder: Path, state: Path) -> None:
        self._name = name
        self._folder = folder
        self._crun = ("crun", "--root", str(state), "--cgroup-manager=disabled")

    @property
    def command(self) -> list[str]:
        """What runs it to its end."""
        return [*WITHOUT_CGROUPS, *self._crun, "run", "--bundle", str(self._folder), self._name]

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as ECS runs a health check."""
        return subprocess.run(
            [*WITHOUT_CGROUPS, *self._crun, "exec", self._name, *words],
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(),
        )

    def signal(self, name: str) -> None:
        """Signal its first process."""
        carried_out(*WITHOUT_CGROUPS, *self._crun, "kill", self._name, name)

    def remove(self) -> None:
        """Kill what is left of it."""
        subprocess.run(
            [*WITHOUT_CGROUPS, *self._crun, "delete", "--force", self._name], capture_output=True, check=False
        )


def listing(rootfs: Path) -> dict[str, tuple[int, int, int]]:
    """Every file of a tree with what tells a change of it."""
    return {
        str(path.relative_to(rootfs)): (found.st_mode, found.st_size, found.st_mtime_ns)
        for path in rootfs.rglob("*")
        for found in (path.lstat(),)
    }


def programs(rootfs: Path, names: Sequence[str]) -> list[str]:
    """Which of these programs are in the image."""
    folders = ("usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin", "opt/venv/bin")
    return sorted({name for folder in folders for name in names if (rootfs / folder / name).exists()})
