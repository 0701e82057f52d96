"""Where each setting of a run gets its value from.

Rules kept here and nowhere else:

1. Option > environment > `forebay.yml` > arguments in code > default. The first that names a setting wins whole.
2. Mappings come in, values go out: nothing here reads the process's environment or a file.
3. A complaint names the value, the place that it came from, and what would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from forebay.api.options import RunOptions
from forebay.api.project_file import FILE_NAME, Written
from forebay.api.setting_texts import flag, seconds, size, whole, whole_seconds
from forebay.cli.machine import Machine
from forebay.cli.values import address, plain, queue_address, queue_url
from forebay.errors import SettingsError
from forebay.settings import WorkerSettings

QUEUE_VARIABLES = ("FOREBAY_QUEUE_URL", "FOREBAY_QUEUE", "COPILOT_QUEUE_URI")
"""Environment variables that name queues, the strongest first."""

REGION_VARIABLES = ("QUEUE_REGION", "AWS_REGION")
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of `run`: its name as an option, how its text is read, and what it means."""

    name: str
    read: Callable[[str], Any]
    field: str | None
    """The field of `WorkerSettings` that it fills; None for what is not one."""
    meaning: str

    @property
    def option(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return f"FOREBAY_{self.name.upper().replace('-', '_')}"


SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("slots", whole, "slots", "room for received messages; 1 to 100,000"),
        Setting("attempts", whole, "attempts", "attempts of jobs that do not say their own; at least 1"),
        Setting("visibility", whole_seconds, "visibility_s", "seconds a message stays hidden between heartbeats"),
        Setting("margin", seconds, "margin_s", "seconds before a lease's end at which trust in it ends"),
        Setting("drain", seconds, "drain_s", "seconds that running attempts get after a stop request"),
        Setting("protect", plain, "protect", "auto, always or never"),
        Setting("linger", seconds, "protection_linger_s", "seconds that protection outlasts the last attempt"),
        Setting("log", plain, "log", "text or json"),
        Setting("buffer-bytes", size, "buffer_bytes", "bytes of message bodies held at once"),
        Setting("processes", whole, "processes", "processes that run the jobs that are not isolated; 1 to 1,000"),
        Setting("stuck", plain, "stuck", "what to do about code that will not end: replace (leave) or wait"),
        Setting("exit-when-empty", flag, "exit_when_empty", "leave when the queues are empty"),
        Setting("error-detail", plain, "error_detail", "what logs show of an exception: frames or full"),
        Setting("dead-letter-detail", plain, "dead_letter_detail", "what a buried message shows of it: frames or full"),
        Setting("dead-letter", queue_url, None, "URL of the dead-letter queue"),
        Setting("health", address, None, "HOST:PORT of the health pages"),
    )
}
"""Every setting but the queues, which may be several."""


@dataclass(frozen=True, slots=True)
class Given:
    """Everything that may name a setting, the strongest first."""

    options: Mapping[str, str | None]
    """Option name without dashes → its text; None when not given."""
    queues: Sequence[str]
    """`--queue`, as often as it was given."""
    environment: Mapping[str, str]
    file: Mapping[str, Written]
    code: Mapping[str, object]
    """Arguments of `Worker(…)`, by setting name (`queue` may be one text or several)."""


def resolve(given: Given, machine: Machine, *, needs_queue: bool = True) -> RunOptions:
    """Return the options of a run. Raises `SettingsError` for whatever cannot be."""
    _check_file(given.file)
    sources: dict[str, str] = {}
    values: dict[str, Any] = {}
    for setting in SETTINGS.values():
        value, sources[setting.name] = _find(setting, given)
        if value is not None:
            values[setting.name] = value
    values.setdefault("slots", machine.default_slots)
    values.setdefault("buffer-bytes", machine.default_buffer_bytes)
    queues, sources["queue"] = _queues(given)
    if needs_queue and not queues:
        raise SettingsError(
            "no queue is named: pass --queue URL, or set FOREBAY_QUEUE_URL (or run `forebay local` to try without AWS)"
        )
    environment = given.environment
    agent_uri = environment.get("ECS_AGENT_URI") or None
    if values.get("protect") == "always" and agent_uri is None:
        raise SettingsError(
            f"protect=always ({sources['protect']}) needs ECS: ECS_AGENT_URI is not set here. "
            "Use --protect auto, which protects where it can"
        )
    return RunOptions(
        queues=queues,
        settings=_settings(values, sources),
        dead_letter=values.get("dead-letter"),
        health=values.get("health"),
        region=_first(environment, REGION_VARIABLES, "region", sources),
        endpoint=_endpoint(environment, sources),
        agent_uri=agent_uri,
        metadata_uri=environment.get("ECS_CONTAINER_METADATA_URI_V4") or None,
        environment=environment,
        sources=sources,
    )


def _find(setting: Setting, given: Given) -> tuple[Any, str]:
    """Return the setting's value and where it was found; None and `default` when nobody names it."""
    text = given.options.get(setting.name)
    if text is not None:
        return _read(setting, text, setting.option), setting.option
    # A variable that is set but empty is how many tools say "not set".
    if text := given.environment.get(setting.variable):
        return _read(setting, text, setting.variable), setting.variable
    if (written := given.file.get(setting.name)) is not None:
        if len(written.values) != 1:
            raise SettingsError(f"{written.place}: {setting.name} takes one value, not {len(written.values)}")
        return _read(setting, written.values[0], written.place), written.place
    if (value := given.code.get(setting.name)) is not None:
        return (_read(setting, value, "code") if isinstance(value, str) else value), "code"
    return None, "default"


def _read(setting: Setting, text: str, place: str) -> Any:
    try:
        return setting.read(text)
    except ValueError as error:
        raise SettingsError(f"{place}: {setting.name}={text!r} must be {error}") from None


def _queues(given: Given) -> tuple[tuple[str, ...], str]:
    queues, place = _named_queues(given)
    for queue in queues:
        check_queue(queue, place)
    return queues, place


def check_queue(queue: str, place: str) -> str:
    """Return `queue` if it is a URL or a name. Raises `SettingsError` otherwise: no service would ever find it."""
    try:
        return queue_address(queue)
    except ValueError as error:
        raise SettingsError(f"{place}: {queue!r} must be {error}") from None


def _named_queues(given: Given) -> tuple[tuple[str, ...], str]:
    if given.queues:
        return _unique(given.queues), "--queue"
    for variable in QUEUE_VARIABLES:
        if urls := given.environment.get(variable, "").split():
            return _unique(urls), variable
    if (written := given.file.get("queue")) is not None:
        return _unique([url for value in written.values for url in value.split()]), written.place
    match given.code.get("queue"):
        case str(url) if url:
            return (url,), "code"
        case None | "":
            return (), "default"
        case several:
            return _unique(cast("Sequence[str]", several)), "code"


def queues_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the queues that the environment names. Raises `SettingsError` for what can be none."""
    for name in QUEUE_VARIABLES:
        if urls := environment.get(name, "").split():
            return tuple(check_queue(url, name) for url in _unique(urls))
    return ()


def _unique(urls: Sequence[str]) -> tuple[str, ...]:
    """Return the queues in order, each once: two sources of one queue would work against each other."""
    return tuple(dict.fromkeys(url.strip() for url in urls if url.strip()))


def _settings(values: Mapping[str, Any], sources: Mapping[str, str]) -> WorkerSettings:
    chosen = {
        setting.field: values[name]
        for name, setting in SETTINGS.items()
        if setting.field is not None and name in values
    }
    try:
        return WorkerSettings(**chosen)
    except SettingsError as error:
        subject = str(error).replace("_", "-")
        named = [f"{name} from {sources[name]}" for name in SETTINGS if f"{name}=" in subject]
        raise SettingsError(f"{error} ({', '.join(named)})" if named else str(error)) from None


def _check_file(file: Mapping[str, Written]) -> None:
    for name, written in file.items():
        if name != "queue" and name not in SETTINGS:
            known = ", ".join(("queue", *SETTINGS))
            raise SettingsError(f"{written.place}: {name!r} is no setting of {FILE_NAME}'s `run:`; there are {known}")


def _first(environment: Mapping[str, str], names: Sequence[str], setting: str, sources: dict[str, str]) -> str | None:
    """Return the first of these variables that is set, and note which one it was."""
    name = next((name for name in names if environment.get(name)), None)
    sources[setting] = name or "default"
    return None if name is None else environment[name]


def _endpoint(environment: Mapping[str, str], sources: dict[str, str]) -> str | None:
    """Return the endpoint that the environment names, by botocore's rule for switching that off."""
    is_off = environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
    endpoint = _first(environment, () if is_off else ENDPOINT_VARIABLES, "endpoint", sources)
    if endpoint is not None:
        from forebay.queue.transport import Endpoint

        try:
            Endpoint.parse(endpoint)
        except SettingsError as error:
            raise SettingsError(f"{sources['endpoint']}: {error}") from None
    return endpoint
