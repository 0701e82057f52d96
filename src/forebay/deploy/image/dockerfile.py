"""The Dockerfile and `.dockerignore` that a project gets from `forebay init`, as text.

Rules kept here and nowhere else:

1. Two stages. Packages are installed once, in the first; nothing that can install or compile comes into the second.
2. The container writes nowhere but in `/tmp`: byte code is made at the build, the user is a number without rights, and
   what it runs belongs to root.
3. The entry point is PID 1 and hears SIGTERM itself: exec form, no shell between.
4. Nothing here is a secret, and the one that a build may need (pip's configuration) is mounted, never copied.
"""

from __future__ import annotations

from typing import assert_never

from forebay.deploy.image.requirements import Listed, Locked, Packaged, Requirements, Unsaid

BASE_IMAGE = "public.ecr.aws/docker/library/python:3.13-slim-bookworm"
BUILDER_WITH_COMPILER = "public.ecr.aws/docker/library/python:3.13-bookworm"

USER_ID = 10001
"""User and group of the worker. The template's task definition names the same."""

_HEAD = f"""\
# The image of a Forebay worker: `forebay deploy` builds it with docker, finch, podman or buildah.
# It is yours to change. Keep ENTRYPOINT in this form: behind a shell the worker would never hear SIGTERM, nor drain.

# Python 3.11 or newer. Add @sha256:… to get the same bytes at every build.
ARG BASE_IMAGE={BASE_IMAGE}
# Where packages are installed. One that has no wheel and needs a compiler gets it here, and the image stays small:
# {BUILDER_WITH_COMPILER}
ARG BUILDER_IMAGE=${{BASE_IMAGE}}

FROM ${{BUILDER_IMAGE}} AS builder
# Two environments: pip stays behind in its own.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv
WORKDIR /app
"""

_PIP = """\
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \\
    /opt/pip/bin/pip --python /opt/venv/bin/python install \\
        --no-cache-dir --no-compile --disable-pip-version-check {what}
"""
_PIP_NOTE = """\
# For an index of your own: `image: {build: {secrets: {pip.conf: ~/.config/pip/pip.conf}}}` in forebay.yml.
# It is mounted for this one step and stays out of the image.
"""

_CODE = """\
COPY . .
"""

_COMPILED = """\
RUN test -x /opt/venv/bin/forebay || { echo "forebay is missing: add it to __WHERE__" >&2; exit 1; }
# Byte code is made here, since the container's file system is read-only. A syntax error in your code ends the build;
# packages may bring files for other Pythons. Any user may read all this, whatever umask it was checked out with.
RUN { /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv || true; } && \\
    /opt/venv/bin/python -m compileall -q --invalidation-mode checked-hash /app && \\
    chmod -R go=rX /opt/venv /app
"""

_FINAL = f"""\

FROM ${{BASE_IMAGE}}
# A user with a name, for libraries that look theirs up, but with no home, shell or rights.
RUN groupadd --gid {USER_ID} worker && \\
    useradd --uid {USER_ID} --gid {USER_ID} --no-log-init --no-create-home \\
        --home-dir /tmp --shell /usr/sbin/nologin worker
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
ENV PATH=/opt/venv/bin:$PATH \\
    HOME=/tmp \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1
LABEL org.opencontainers.image.title="__NAME__"
WORKDIR /app
USER {USER_ID}:{USER_ID}
# The only place to write in: a volume of the task, empty at its start.
VOLUME ["/tmp"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["forebay"]
# `forebay run`: the handler is that of forebay.yml, or of the task definition.
CMD ["run"]
"""

_IGNORED = """\
# What is not sent to the build: what the image does not need, and what must never be in one.
.git
.github
.gitlab-ci.yml
.dockerignore
Dockerfile
docker-compose*.yml
compose*.yml
copilot

# Secrets
**/.env
**/.env.*
**/*.pem
**/*.key
**/id_rsa*
**/id_ed25519*
**/.netrc
**/.pypirc
**/pip.conf
.aws
.ssh

# What tools leave behind
**/__pycache__
**/*.py[cod]
**/*.egg-info
**/.DS_Store
**/node_modules
.venv*
venv
.coverage*
.hypothesis
.idea
.mypy_cache
.nox
.pytest_cache
.ruff_cache
.tox
.vscode
build
dist
htmlcov
"""


def dockerfile(name: str, requirements: Requirements) -> str:
    """Return the Dockerfile of the service `name`."""
    match requirements:
        case Locked(file):
            install = f"COPY {file} ./\n" + _pip(f"--require-hashes --requirement {file}") + _CODE
        case Listed(file):
            install = f"COPY {file} ./\n" + _pip(f"--requirement {file}") + _CODE
        case Packaged():
            install = _CODE + _pip("/app")
        case Unsaid(forebay):
            install = _pip(forebay) + _CODE
        case _:
            assert_never(requirements)
    compiled = _COMPILED.replace("__WHERE__", _where(requirements))
    return _HEAD + install + compiled + _FINAL.replace("__NAME__", name)


def dockerignore() -> str:
    """Return what a build of a Python worker leaves out."""
    return _IGNORED


def _pip(what: str) -> str:
    return _PIP_NOTE + _PIP.format(what=what)


def _where(requirements: Requirements) -> str:
    match requirements:
        case Locked(file) | Listed(file):
            return file
        case Packaged():
            return "the dependencies in pyproject.toml"
        case Unsaid():
            return "the packages that pip installs above"
        case _:
            assert_never(requirements)
