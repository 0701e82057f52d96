"""What becomes a line, and how many lines a second: the worker's one mouth.

Rules kept here and nowhere else:

1. Attempts are told one by one up to `ATTEMPTS_PER_SECOND`; what is beyond is counted in one `attempts.summary` a
   second. Every attempt is in exactly one of the two.
2. Failures have a budget of their own, so that a flood of successes never hides one.
3. Any other event is told up to its `per_second` for each queue; the rest is counted, and the last one is told when
   the second is over.
4. Called by the control loop only: nothing here blocks, and nothing is raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from forebay.clock import Clock
from forebay.model import Attempt, Succeeded
from forebay.observability.attempts import WORDS, Conclusion, ErrorDetail, finished_fields, started_fields
from forebay.observability.events import CATALOGUE, LIMIT_SECONDS, Keep
from forebay.observability.lines import RenderLine, json_line, text_line
from forebay.observability.writer import LineWriter
from forebay.settings import LogFormat

ATTEMPTS_PER_SECOND = 100
"""Successes, and again failures, told one by one in a second."""

JOBS_IN_SUMMARY = 20
"""Jobs that a summary counts one by one; the rest are in its totals only."""


@dataclass(slots=True)
class _Limit:
    """How often one event of one queue has been told in this second."""

    since_at: float
    told: int = 0
    suppressed: int = 0
    last: Mapping[str, object] = field(default_factory=dict[str, object])


class Reporter:
    """Turns events into lines, at a bearable rate."""

    def __init__(
        self,
        writer: LineWriter,
        clock: Clock,
        *,
        log: LogFormat = "text",
        error_detail: ErrorDetail = "frames",
        tell_successes: bool = True,
        is_on_terminal: bool = False,
    ) -> None:
        """`is_on_terminal`: somebody sits there who may press Ctrl-C again.

        `tell_successes=False` leaves started and succeeded attempts to the handler's own text (the sample's).
        """
        self._writer = writer
        self._clock = clock
        self._render: RenderLine = json_line if log == "json" else text_line
        self._detail: ErrorDetail = error_detail
        self._tell_successes = tell_successes or log == "json"
        self._is_on_terminal = is_on_terminal
        self._limits: dict[tuple[str, object], _Limit] = {}
        self._second_at = clock.now()
        self._started_told = 0
        self._succeeded_told = 0
        self._failed_told = 0
        self._started_beyond = 0
        self._beyond: dict[tuple[str, type], list[float]] = {}
        """(job, outcome) → count, total seconds, longest, of the attempts of this second that no line tells."""

    def report(self, event: str, fields: Mapping[str, object]) -> None:
        """Tell that `event` has happened, or count it when it happens too often."""
        if event == "worker.stopped":
            self.close()  # So that the ledger is the last line.
        elif event == "drain.started" and self._is_on_terminal:
            fields = {**fields, "note": "A second Ctrl-C stops now"}
        kind = CATALOGUE.get(event)
        if kind is not None and kind.keep is not Keep.VITAL:
            now = self._clock.now()
            key = event, fields.get("queue")
            limit = self._limits.get(key)
            if limit is None:
                limit = self._limits[key] = _Limit(now)
            elif now - limit.since_at >= LIMIT_SECONDS:
                limit.since_at, limit.told = now, 0
            if limit.told >= kind.per_second:
                limit.suppressed += 1
                limit.last = fields
                return
            limit.told += 1
            if limit.suppressed:
                fields = {**fields, "suppressed": limit.suppressed}
                limit.suppressed = 0
        self._tell(event, fields)

    def started(self, attempts: Sequence[Attempt]) -> None:
        """Tell that these attempts have been handed to their executors."""
        if not self._tell_successes:
            return
        self._turn(self._clock.now())
        room = ATTEMPTS_PER_SECOND - self._started_told
        if room > 0:
            for attempt in attempts[:room]:
                self._tell("attempt.started", started_fields(attempt))
            self._started_told += min(room, len(attempts))
        self._started_beyond += max(0, len(attempts) - max(room, 0))

    def concluded(self, conclusions: Sequence[Conclusion]) -> None:
        """Tell how these attempts ended. Beyond the limit one costs well under a microsecond."""
        self._turn(self._clock.now())
        beyond = self._beyond
        for conclusion in conclusions:
            outcome_type = type(conclusion.outcome)
            if outcome_type is Succeeded:
                if self._succeeded_told < ATTEMPTS_PER_SECOND:
                    self._succeeded_told += 1
                    if self._tell_successes:
                        self._tell("attempt.finished", finished_fields(conclusion, self._detail))
                    continue
            elif self._failed_told < ATTEMPTS_PER_SECOND:
                self._failed_told += 1
                self._tell("attempt.finished", finished_fields(conclusion, self._detail), Keep.IMPORTANT)
                continue
            key = conclusion.attempt.job, outcome_type
            lasted_s = conclusion.lasted_s
            counts = beyond.get(key)
            if counts is None:
                beyond[key] = [1, lasted_s, lasted_s]
            else:
                counts[0] += 1
                counts[1] += lasted_s
                if lasted_s > counts[2]:
                    counts[2] = lasted_s

    def tick(self) -> None:
        """Tell what a finished second has left over. To be called about once a second, and costs next to nothing."""
        now = self._clock.now()
        self._turn(now)
        for (event, queue), limit in list(self._limits.items()):
            if now - limit.since_at >= LIMIT_SECONDS:
                if limit.suppressed:
                    self._tell_the_last(event, limit)
                    limit.since_at, limit.told = now, 1
                else:
                    del self._limits[event, queue]
        self._tell_dropped()

    def close(self) -> None:
        """Tell everything that was only counted so far. The writer is closed by whoever made it.

        Repeating it changes nothing.
        """
        self._summarise(self._clock.now())
        for (event, _), limit in self._limits.items():
            if limit.suppressed:
                self._tell_the_last(event, limit)
        self._limits.clear()
        self._tell_dropped(at_the_end=True)

    def _turn(self, now: float) -> None:
        if now - self._second_at >= LIMIT_SECONDS:
            self._summarise(now)
            self._second_at = now
            self._started_told = self._succeeded_told = self._failed_told = 0

    def _summarise(self, now: float) -> None:
        if self._beyond or self._started_beyond:
            self._tell("attempts.summary", summary_fields(self._beyond, self._started_beyond, now - self._second_at))
            self._beyond = {}
            self._started_beyond = 0

    def _tell_the_last(self, event: str, limit: _Limit) -> None:
        """Tell the newest suppressed event, with the number of those before it."""
        more = limit.suppressed - 1
        self._tell(event, {**limit.last, "suppressed": more} if more else limit.last)
        limit.suppressed = 0

    def _tell_dropped(self, *, at_the_end: bool = False) -> None:
        dropped = self._writer.take_dropped(at_the_end=at_the_end)
        if dropped:
            self._tell("log.dropped", {"count": dropped})

    def _tell(self, event: str, fields: Mapping[str, object], keep: Keep | None = None) -> None:
        line = self._render(event, fields, self._clock.utc())
        if line is not None:
            if keep is None:
                kind = CATALOGUE.get(event)
                keep = kind.keep if kind is not None else Keep.IMPORTANT
            self._writer.write(line, keep)


def summary_fields(
    beyond: Mapping[tuple[str, type], Sequence[float]], started: int, period_s: float
) -> dict[str, object]:
    """Return the fields of `attempts.summary` for counts by job and outcome."""
    totals = {"succeeded": 0}
    jobs: dict[str, dict[str, float]] = {}
    for (job, outcome_type), (count, total_s, _) in beyond.items():
        word = WORDS[outcome_type]
        totals[word] = totals.get(word, 0) + int(count)
        by_job = jobs.setdefault(job, {"lasted_s_total": 0.0})
        by_job[word] = int(count)
        by_job["lasted_s_total"] += total_s
    fields: dict[str, object] = {
        "count": sum(totals.values()),
        **({"started": started} if started else {}),
        **totals,
        "lasted_s_total": sum(counts[1] for counts in beyond.values()),
        "lasted_s_max": max((counts[2] for counts in beyond.values()), default=0.0),
        "period_s": period_s,
    }
    for job in sorted(jobs)[:JOBS_IN_SUMMARY]:
        fields |= {f"job.{job}.{name}": value for name, value in jobs[job].items()}
    return fields
