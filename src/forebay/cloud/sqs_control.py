"""The local SQS's own controls over HTTP, for tests of real processes: `/_forebay/…` on the same port, in JSON.

| path | methods |
|---|---|
| `/_forebay/chaos` | GET, PUT, POST, DELETE: see `cloud.chaos` |
| `/_forebay/stats` | GET: requests by operation, refusals by code, messages, counts of each queue. DELETE: from zero |
| `/_forebay/metrics` | GET, of all queues; `?queue=NAME` of one; `newest=N` with so many points only. See below |
| `/_forebay/denied` | GET, PUT `{"denied": ["GetQueueAttributes", …]}`: answered with AccessDenied |
| `/_forebay/modes` | PUT `{"url": …, "modes": {"is_sampled": true}}`; also `abandoned_polls_swallow`, `clock_ahead_s` |

The metrics of a queue: `live`, its figures now, with counts since the start; `wait` (send to first receive) and `total`
(send to delete), percentiles of the last minute in seconds; `points`, one a period, under CloudWatch's names;
`period_s`. A queue that was inactive has no points for that time (`cloud.queue_metrics`).

Rules kept here and nowhere else:

1. A control that cannot be carried out changes nothing and says why, with 400 or 404.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from forebay.cloud.chaos import CHAOS_PATH, control
from forebay.cloud.queue_metrics import POINTS_KEPT
from forebay.cloud.queue_metrics_shown import shown_metrics
from forebay.rules.queue_errors import ServiceFailure

if TYPE_CHECKING:
    from forebay.cloud.sqs_server import SqsServer

STATS_PATH = "/_forebay/stats"
METRICS_PATH = "/_forebay/metrics"
DENIED_PATH = "/_forebay/denied"
MODES_PATH = "/_forebay/modes"


def answer_control(server: SqsServer, method: str, path: str, query: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Carry out one control; return the status and the JSON of its answer."""
    try:
        match path, method:
            case "/_forebay/chaos", _:
                return control(server.chaos, method, body)
            case "/_forebay/stats", "GET":
                return 200, server.stats()
            case "/_forebay/stats", "DELETE":
                server.counts.reset()
                return 200, server.stats()
            case "/_forebay/metrics", "GET":
                return 200, _metrics(server, parse_qs(query))
            case "/_forebay/denied", "GET" | "PUT":
                if method == "PUT":
                    server.deny(*_names(_object(body), "denied"))
                return 200, {"denied": sorted(server.denied)}
            case "/_forebay/modes", "PUT":
                _set_modes(server, _object(body))
                return 200, server.stats()
            case _:
                known = ", ".join((CHAOS_PATH, STATS_PATH, METRICS_PATH, DENIED_PATH, MODES_PATH))
                return 404, {"error": f"{method} {path}: there is no such control, only {known}"}
    except ServiceFailure as failure:
        return failure.http_status, {"error": failure.message}
    except ValueError as error:
        return 400, {"error": str(error)}


def _metrics(server: SqsServer, wanted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the metrics of the queue that is asked for, or of all queues by name."""
    newest = wanted.get("newest", [str(POINTS_KEPT)])[-1]
    if not (newest.isascii() and newest.isdigit()):
        raise ValueError(f"newest={newest!r}: how many points is a whole number")
    registry = server.service.registry
    shown = {
        name: shown_metrics(server.metrics, registry.url(name), newest=int(newest))
        for name in wanted.get("queue", sorted(registry.by_name))
    }
    return shown[wanted["queue"][-1]] if "queue" in wanted else {"queues": shown}


def _object(body: bytes) -> Mapping[str, Any]:
    value: object = json.loads(body or b"{}")
    if not isinstance(value, dict):
        raise ValueError("a JSON object is needed")
    return cast("dict[str, Any]", value)


def _names(wanted: Mapping[str, Any], name: str) -> list[str]:
    value: object = wanted.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise ValueError(f"{name} must be a list of names")
    return cast("list[str]", value)


def _set_modes(server: SqsServer, wanted: Mapping[str, Any]) -> None:
    """Change what a queue, or the server, does where AWS leaves it open."""
    changes: Mapping[str, Any] = wanted.get("modes", {})
    modes = server.service.modes(str(wanted["url"])) if "url" in wanted else None
    for name, value in changes.items():
        known = asdict(modes) if modes is not None else {}
        if name not in known or type(value) is not type(known[name]):
            raise ValueError(f"{name}={value!r}: a queue (`url`) has the modes {known}")
    for name, value in changes.items():
        setattr(modes, name, value)
    if "abandoned_polls_swallow" in wanted:
        server.abandoned_polls_swallow = bool(wanted["abandoned_polls_swallow"])
    if "clock_ahead_s" in wanted:
        server.clock_ahead_s = float(wanted["clock_ahead_s"])
