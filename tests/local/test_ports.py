"""Which ports the page and the AWS endpoint get."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from forebay.errors import SettingsError
from forebay.local.ports import LOOPBACK, BoundPorts, bind


def may_have(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return False
        except OSError:
            return True
    return True


def test_zero_leaves_both_to_the_system() -> None:
    assert bind(0, has_page=True) == BoundPorts(0, 0)


def test_a_port_that_something_else_has_is_told_without_inventing_who() -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(SettingsError, match=rf"^port {port} is taken; choose another --port, or 0"):
            bind(port - 1, has_page=False)


@pytest.mark.skipif(may_have(81) or not Path("/proc").is_dir(), reason="this user may have port 81")
def test_a_port_of_the_systems_own_is_told_as_such() -> None:
    with pytest.raises(SettingsError, match="port 81 is not for everybody: choose a --port of 1024 or above"):
        bind(80, has_page=False)
