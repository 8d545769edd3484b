"""`sockdiag metrics`: what there is to know, for monitoring systems."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import INT, TEXT, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.metrics.scrape import Scraped

# Seconds between the looks that --listen compares, unless told.
_INTERVAL = 15.0
_TOP = 20


def prepare(_env: Env, given: Given) -> None:
    """Open what --listen names in the network namespace of the caller, who will look for it there."""
    if given.listen is not None:
        _refuse(given)
        from sockdiag.metrics.serve import listen

        given.server = listen(given.listen)  # type: ignore[attr-defined]


def run(env: Env, given: Given) -> int:
    """Write metrics, or serve them."""
    from sockdiag.cli import exit as status
    from sockdiag.metrics.scrape import Scraper
    from sockdiag.metrics.textfile import replace_file
    from sockdiag.survey.diagnose import check_interval
    from sockdiag.survey.session import Session

    _refuse(given)
    check_interval(Session(env, given))
    if given.listen is not None:
        from sockdiag.metrics.serve import serve

        return serve(env, given.server, Scraper(env, given, given.interval or _INTERVAL))
    scraped = Scraper(env, given).scrape()
    if given.textfile is None:
        return _show(scraped, given)
    try:
        replace_file(given.textfile, "".join(_lines(scraped, given)))
    except OSError as error:
        env.warn(f"cannot write {given.textfile}: {error.strerror}; what was there is as it was")
        return status.FAILED
    return status.PARTIAL if given.strict and scraped.session.gaps else status.OK


def _refuse(given: Given) -> None:
    """Refuse options that exclude each other.

    Raises:
        UsageError: some do.
    """
    from sockdiag.errors import UsageError

    names = ("json", "ndjson", "csv", "table", "influx", "prometheus", "listen")
    chosen = [name for name in names if getattr(given, name) not in (None, False)]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} exclude each other")
    if given.textfile is not None and chosen not in ([], ["prometheus"]):
        raise UsageError(f"--textfile and --{chosen[0]} exclude each other")
    if given.textfile == "":
        raise UsageError("--textfile names no file")
    if given.listen is not None and given.root:
        raise UsageError("--listen and --root exclude each other: a capture does not change")
    shaped = [name for name in ("output", "sort", "limit") if getattr(given, name) is not None]
    if shaped and not chosen[:1] and given.textfile is not None:
        raise UsageError(f"--textfile and --{shaped[0]} exclude each other")


def _lines(scraped: Scraped, given: Given) -> Iterator[str]:
    from sockdiag.render.exposition import openmetrics, prometheus_text

    if given.influx:
        from sockdiag.render.exposition import influx

        return influx(scraped.families, scraped.session.started)
    if given.prometheus or given.textfile is not None:
        return prometheus_text(scraped.families)
    return openmetrics(scraped.families)


def _show(scraped: Scraped, given: Given) -> int:
    from sockdiag.model.metric_family import Sample, samples
    from sockdiag.render.document import Document, Table
    from sockdiag.survey.session import choose_columns, ordered

    session = scraped.session
    columns, chosen = choose_columns(session, Sample)
    rows = ordered(samples(scraped.families), session, Sample)
    table = Table(columns, rows, chosen=chosen, header=not given.no_header)
    shaped = chosen or given.sort or given.limit is not None
    interval = None if scraped.interval is None else round(scraped.interval, 3)
    keys = {"verdict": scraped.verdict, "interval_s": interval}
    lines = None if shaped else lambda _style: _lines(scraped, given)
    return session.show(Document("metrics", session.seen, table=table, table_key="samples", keys=keys, lines=lines))


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.model.metric_family import Sample

    return {"verdict": "str", "interval_s": "float | None", "samples": [Sample]}


COMMAND = Command(
    run,
    name="metrics",
    summary=summary("metrics"),
    help=(
        "OpenMetrics text of states, memory against limits, queues and drops of listeners and UDP ports, losses on the way of a "
        "packet, findings, and what could not be read. What is unknown has no sample; the HELP of a family says what it is.\n\n"
        "With --interval, findings tell what is lost now; --listen compares each look with one that is at least that old "
        f"({_INTERVAL:g} s unless told).\n\n"
        "--listen needs the extra: pip install 'sockdiag[metrics]'."
    ),
    options=(
        Option(
            "textfile",
            "Replace this file, whole or not at all, for node_exporter's textfile collector.",
            kind=TEXT,
            metavar="PATH",
            completion="path",
        ),
        Option(
            "listen", "Serve http://ADDR:PORT/metrics; without ADDR on loopback only.", kind=TEXT, metavar="[ADDR:]PORT"
        ),
        Option("prometheus", "The older text format of Prometheus, which promtool and the textfile collector read."),
        Option("influx", "InfluxDB's line protocol, for telegraf."),
        Option(
            "top",
            "Show N listeners, UDP ports and devices one by one; the rest is summed as 'other'.",
            kind=INT,
            metavar="N",
            default=_TOP,
        ),
        options.INTERVAL,
        options.HORIZON,
        *options.EVERYWHERE,
    ),
    examples=(
        ("metrics", "OpenMetrics text"),
        (
            "metrics --textfile /var/lib/prometheus/node-exporter/sockdiag.prom",
            "for node_exporter, from cron or a timer",
        ),
        ("metrics --listen :9756", "for Prometheus to scrape on loopback"),
        ("metrics --influx", "for telegraf's inputs.exec"),
    ),
    everywhere=True,
    prepare=prepare,
    document=document,
)
