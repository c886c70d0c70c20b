"""Workers, feed and broker."""

from typing import Any

from grafana.panels import GREEN, MARKET, RED, Query, board, lines, numbers
from grafana.queries import RATE, UP, per_quarter, per_second


def dashboard() -> Any:
    """The dashboard, not yet built."""
    workers = [
        numbers(
            "Services",
            "Whether each target answers Prometheus.",
            "none",
            Query("up", "{{job}} {{instance}}"),
            width=24,
            height=6,
            steps={None: RED, 1: GREEN},
            words=UP,
        ),
        lines(
            "Owned markets",
            "Markets that each worker folds.",
            "none",
            Query("paper_owned_markets", "{{job}} {{instance}}"),
            low=0,
        ),
        lines(
            "Lease changes",
            "Markets acquired, released, lost or fenced in 15 minutes.",
            "none",
            Query("sum by (job, reason) (increase(paper_lease_changes_total[15m]))", "{{job}} {{reason}}"),
        ),
        lines(
            "Behind the feed",
            "Event time by which each service lags behind the feed.",
            "s",
            Query(f"max by (job) (job_market:paper_clock_behind_feed_seconds:min{{{MARKET}}})", "{{job}}"),
        ),
        lines(
            "Messages waiting",
            "Messages of the log that each service has still to fold.",
            "none",
            Query(f"sum by (job) (paper_bus_lag_messages{{{MARKET}}})", "{{job}}"),
            low=0,
        ),
        lines(
            "Folding time per round",
            "Mean time that a fold takes for one round.",
            "s",
            Query(
                f"{per_second('paper_step_seconds_total', 'job', MARKET)} "
                f"/ {per_second('paper_rounds_folded_total', 'job', MARKET)}",
                "{{job}}",
            ),
            low=0,
        ),
        lines(
            "Rounds per second",
            "Rounds that each service folds.",
            "none",
            Query(per_second("paper_rounds_folded_total", "job", MARKET), "{{job}}"),
            low=0,
        ),
        lines(
            "CPU",
            "Cores that each service uses.",
            "none",
            Query(f"sum by (job) (rate(process_cpu_seconds_total[{RATE}]))", "{{job}}"),
            stacked=True,
            low=0,
        ),
        lines(
            "Memory",
            "Resident memory of each process.",
            "bytes",
            Query("process_resident_memory_bytes", "{{job}} {{instance}}"),
            low=0,
        ),
        lines(
            "Trouble",
            "Bus resets, reconnections, slow-consumer drops, fenced writes and refused messages in 15 minutes.",
            "none",
            [
                Query(f"sum(increase(paper_{name}[15m]))", legend)
                for name, legend in (
                    ("bus_resets_total", "resets"),
                    ("bus_reconnects_total", "reconnections"),
                    ("slow_consumer_drops_total", "slow consumer"),
                    ("fenced_writes_total", "fenced"),
                    ("bad_messages_total", "refused"),
                )
            ],
        ),
    ]
    feed = [
        lines(
            "Market data",
            "Messages published per second, by kind.",
            "none",
            Query(per_second("paper_feed_messages_total", "kind", MARKET), "{{kind}}"),
            stacked=True,
            low=0,
        ),
        lines(
            "Refused market data",
            "Messages refused in 15 minutes, by reason.",
            "none",
            Query(per_quarter("paper_feed_bad_messages_total", "reason", MARKET), "{{reason}}"),
            stacked=True,
            low=0,
        ),
        lines(
            "Gaps",
            "Breaks in the market data in 15 minutes, by reason.",
            "none",
            Query(per_quarter("paper_feed_gaps_total", "reason", MARKET), "{{reason}}"),
            stacked=True,
            low=0,
        ),
    ]
    broker = [
        lines(
            "Broker traffic",
            "Messages per second from clients and to them.",
            "none",
            Query(f"sum by (direction) (rate(paper_broker_messages_total[{RATE}]))", "{{direction}}"),
            low=0,
        ),
        lines(
            "Log size",
            "Bytes of each stream, and the most that it keeps.",
            "bytes",
            [
                Query("paper_broker_stream_bytes", "{{stream}}"),
                Query("paper_broker_stream_max_bytes", "{{stream}} limit"),
            ],
            low=0,
        ),
        lines(
            "Storage used",
            "Share of the broker's disk space that is used.",
            "percentunit",
            Query("paper_broker_storage_bytes / paper_broker_storage_limit_bytes", "all streams"),
            low=0,
            high=1,
        ),
        lines(
            "Messages in the log",
            "Messages of each stream.",
            "none",
            Query("paper_broker_stream_messages", "{{stream}}"),
            low=0,
        ),
        lines(
            "Clients and slow consumers",
            "Connections, and clients dropped for not reading in time.",
            "none",
            [
                Query("paper_broker_connections", "connections"),
                Query("paper_broker_slow_consumers_total", "slow consumers"),
            ],
            low=0,
        ),
        lines(
            "Broker memory",
            "Memory of the broker's process.",
            "bytes",
            Query("paper_broker_memory_bytes", "nats"),
            low=0,
        ),
    ]
    return board(
        "Services", "paper-services", "Workers, feed and broker.", {"Workers": workers, "Feed": feed, "Broker": broker}
    )
