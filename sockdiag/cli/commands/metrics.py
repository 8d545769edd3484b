"""`sockdiag metrics`: all measures, for monitoring systems."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, flag, text, whole
from sockdiag.metrics.scrape import TOP as _TOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.cli.env import Env
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.metrics.http_server import Server
    from sockdiag.metrics.scrape import Scraped, ScrapeOptions

# Seconds between the samples that --listen compares, by default.
_INTERVAL = 15.0

TEXTFILE = text(
    "textfile",
    "Replace this file atomically, for node_exporter's textfile collector.",
    metavar="PATH",
    completion="path",
)
LISTEN = text(
    "listen",
    "Serve http://ADDR:PORT/metrics; without ADDR on loopback only. An address that others reach needs the three --tls "
    "options, or --insecure.",
    metavar="[ADDR:]PORT",
)
TLS_CERT = text("tls_cert", "Serve HTTPS with this certificate (PEM).", metavar="FILE", completion="path")
TLS_KEY = text("tls_key", "The certificate's private key, not encrypted (PEM).", metavar="FILE", completion="path")
TLS_CLIENT_CA = text(
    "tls_client_ca",
    "Serve only clients whose certificates these authorities have signed (PEM).",
    metavar="FILE",
    completion="path",
)
INSECURE = flag("insecure", "Serve others than this host also without TLS and certificates of clients.")
PROMETHEUS = flag(
    "prometheus", "Print the older text format of Prometheus, which promtool and the textfile collector read."
)
INFLUX = flag("influx", "Print InfluxDB's line protocol, for telegraf.")
TOP = whole(
    "top",
    "Show N listeners, UDP ports and devices individually, and the sum of the rest as 'other'.",
    metavar="N",
    default=_TOP,
)


def prepare(env: Env, args: Args) -> Callable[[], int]:
    """Open the address of --listen in the caller's network namespace, where clients expect it."""
    address = args[LISTEN]
    if address is None:
        return lambda: run(env, args)
    _refuse(args)
    from sockdiag.metrics.protection import Protection
    from sockdiag.metrics.serve import listen

    protection = Protection(args[TLS_CERT], args[TLS_KEY], args[TLS_CLIENT_CA], insecure=args[INSECURE])
    server = listen(address, protection)
    return lambda: _serve(env, args, server)


def run(env: Env, args: Args) -> int:
    """Write metrics."""
    from sockdiag.cli import exit as status
    from sockdiag.cli.invocation import Invocation
    from sockdiag.metrics.scrape import Scraper
    from sockdiag.metrics.textfile import replace_file

    _refuse(args)
    this = Invocation(env, args)
    scraped = Scraper(lambda: this.survey, _scrape_options(this)).scrape()
    path = args[TEXTFILE]
    if path is None:
        return _show(scraped, this)
    try:
        replace_file(path, "".join(_lines(scraped, args)))
    except OSError as error:
        env.warn(f"cannot write {path}: {error.strerror}; the previous file was kept")
        return status.FAILED
    return status.PARTIAL if args[options.STRICT] and scraped.survey.gaps else status.OK


def _serve(env: Env, args: Args, server: Server) -> int:
    from sockdiag.cli.invocation import Invocation, open_survey
    from sockdiag.metrics.scrape import Scraper
    from sockdiag.metrics.serve import serve

    wanted = _scrape_options(Invocation(env, args))
    # The clients are elsewhere: progress here would help no one.
    env.unwatch()
    scraper = Scraper(
        lambda: open_survey(env, args), wanted, (args[options.INTERVAL] and wanted.interval_s) or _INTERVAL
    )
    return serve(server, scraper, env.warn, debug=bool(env.environ.get("SOCKDIAG_DEBUG")))


def _scrape_options(this: Invocation) -> ScrapeOptions:
    from sockdiag.metrics.scrape import ScrapeOptions

    how = this.judging()
    codes = {} if how.codes is None else {"codes": how.codes}
    return ScrapeOptions(how.interval_s, how.horizon_s, top=this.args[TOP], **codes)


def _refuse(args: Args) -> None:
    """Refuse options that exclude each other.

    Raises:
        UsageError: two of them were given.
    """
    from sockdiag.errors import UsageError

    chosen = [option.name for option in (*options.FORMATS, INFLUX, PROMETHEUS, LISTEN) if args.given(option)]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} exclude each other")
    textfile = args[TEXTFILE]
    if textfile is not None and chosen not in ([], ["prometheus"]):
        raise UsageError(f"--textfile and --{chosen[0]} exclude each other")
    for option in (TLS_CERT, TLS_KEY, TLS_CLIENT_CA, INSECURE):
        if args.given(option) and not args.given(LISTEN):
            raise UsageError(f"{option.flags[0]} needs --listen")
    if textfile == "":
        raise UsageError("--textfile names no file")
    if args[LISTEN] is not None and args[options.ROOT]:
        raise UsageError("--listen and --root exclude each other: a capture does not change")
    shaped = [option.name for option in (options.COLUMNS, options.SORT, options.LIMIT) if args.given(option)]
    if shaped and not chosen[:1] and textfile is not None:
        raise UsageError(f"--textfile and --{shaped[0]} exclude each other")


def _lines(scraped: Scraped, args: Args) -> Iterator[str]:
    from sockdiag.render.exposition import openmetrics, prometheus_text

    if args[INFLUX]:
        from sockdiag.render.exposition import influx

        return influx(scraped.families, scraped.survey.started)
    if args[PROMETHEUS] or args[TEXTFILE] is not None:
        return prometheus_text(scraped.families)
    return openmetrics(scraped.families)


def _show(scraped: Scraped, this: Invocation) -> int:
    from sockdiag.model.metric_family import MetricSample, samples
    from sockdiag.render.document import Document

    args = this.args
    columns, chosen = this.columns(MetricSample)
    table = this.table(columns, this.ordered(samples(scraped.families), MetricSample), chosen=chosen)
    shaped = chosen or args[options.SORT] or args[options.LIMIT] is not None
    interval = None if scraped.interval is None else round(scraped.interval, 3)
    keys = {"verdict": scraped.verdict, "interval_s": interval}
    lines = None if shaped else lambda _style: _lines(scraped, args)
    provenance = scraped.survey.provenance
    return this.show(Document(COMMAND.name, provenance, table=table, table_key="samples", keys=keys, lines=lines))


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.model.metric_family import MetricSample

    return {"verdict": "str", "interval_s": "float | None", "samples": [MetricSample]}


COMMAND = Command(
    run,
    name="metrics",
    help=(
        "Prints OpenMetrics text: sockets by state, memory against its limits, queues and drops of listeners and UDP ports, "
        "losses along the path of a packet, findings and gaps. An unknown value has no sample. The HELP line of each family "
        "says what it measures.\n\n"
        "Findings compare two samples, --interval apart. --listen compares each scrape with an earlier sample that is at least "
        f"--interval old (default there: {_INTERVAL:g} s).\n\n"
        "--listen needs the Python library prometheus_client: on Debian and Ubuntu the package python3-prometheus-client; if "
        "sockdiag was installed by pip or pipx, prometheus-client in the same environment."
    ),
    options=(
        TEXTFILE,
        LISTEN,
        TLS_CERT,
        TLS_KEY,
        TLS_CLIENT_CA,
        INSECURE,
        PROMETHEUS,
        INFLUX,
        TOP,
        *options.SELECTION,
        *options.RULES,
        options.INTERVAL,
        options.HORIZON,
        # It shows no users, and uses no colours.
        *(option for option in options.COMMON if option not in (options.NUMERIC, options.COLOR)),
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
    all_namespaces=True,
    prepare=prepare,
    document=document,
)
