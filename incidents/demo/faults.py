"""What can go wrong at a shop: kinds of trouble in words, and the tools that notice them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A kind of trouble. `{place}` in the texts is where it happens; minutes are a typical length."""

    source: str  # one of SOURCES
    class_name: str
    severity: str
    title: str
    description: str
    places: Sequence[str]
    component: str
    minutes: float  # until the tool says that it is over
    notes: Sequence[str] = ()  # what those who look into it write
    ends: Sequence[str] = ()  # how they say that it is over


STOREFRONT, PLATFORM, CHECKOUT, BACK_OFFICE = "storefront", "platform", "checkout", "back office"
SOURCES = (STOREFRONT, PLATFORM, CHECKOUT, BACK_OFFICE)

WEB = ("web-1", "web-2", "web-3", "web-4")
DATABASES = ("db-1", "db-2", "db-3")
NODES = ("node-a1", "node-a2", "node-b1", "node-b2", "node-c1")

FAULTS = (
    Fault(
        STOREFRONT,
        "latency.high",
        "critical",
        "99th percentile over 2 s on {place}",
        "Page loads are slow for one customer in a hundred or more. The usual cause is the search cluster.",
        WEB,
        "frontend",
        22,
        ("Search is fine. Looking at the cache.", "The cache was cold after the deploy; it is filling."),
        ("Cache warm again, back to 300 ms.", "Rolled the last deploy back."),
    ),
    Fault(
        STOREFRONT,
        "http.5xx",
        "critical",
        "5 % of the requests to {place} fail",
        "More than one request in twenty is answered with 5xx.",
        WEB,
        "frontend",
        14,
        ("One pod does not come up: image pull fails.", "Draining it."),
        ("Pod replaced.",),
    ),
    Fault(
        STOREFRONT,
        "queue.length",
        "error",
        "Order mails wait: queue {place} over 5000",
        "Customers get their confirmations late.",
        ("mails", "invoices"),
        "worker",
        41,
        ("The provider throttles us. Nothing is lost.",),
        ("Queue is empty.",),
    ),
    Fault(
        STOREFRONT,
        "certificate.expiry",
        "warning",
        "Certificate of {place} ends in 14 days",
        "Renewal has not run. It is due at 30 days.",
        ("shop.example.com", "api.example.com", "img.example.com"),
        "edge",
        300,
        (),
        ("Renewed; the DNS token had expired.",),
    ),
    Fault(
        STOREFRONT,
        "deploy",
        "info",
        "Deployed storefront to {place}",
        "By the pipeline, from main.",
        ("production", "staging"),
        "pipeline",
        6,
    ),
    Fault(
        PLATFORM,
        "disk.full",
        "error",
        "Disk 91 % full on {place}",
        "At the present rate it is full in 9 hours.",
        DATABASES,
        "postgres",
        75,
        ("Old WAL segments: a replication slot is stuck.",),
        ("Dropped the dead slot, 40 % free.", "Grew the volume."),
    ),
    Fault(
        PLATFORM,
        "replication.lag",
        "critical",
        "Replica {place} is 120 s behind",
        "Reports read old data, and a failover now would lose orders.",
        DATABASES[1:],
        "postgres",
        18,
        ("A long query on the replica holds it back.",),
        ("Cancelled the query; it has caught up.",),
    ),
    Fault(
        PLATFORM,
        "node.notready",
        "error",
        "Node {place} is not ready",
        "Its pods are moved elsewhere.",
        NODES,
        "kubernetes",
        12,
        ("The kubelet was killed for memory.",),
        ("Node is back.", "Replaced the node."),
    ),
    Fault(
        PLATFORM,
        "backup.failed",
        "warning",
        "Last night's backup of {place} failed",
        "The one before is good.",
        DATABASES,
        "backup",
        180,
        (),
        ("Ran it again by hand: good.",),
    ),
    Fault(
        PLATFORM,
        "memory.high",
        "warning",
        "Memory over 90 % on {place}",
        "No swap on this machine.",
        NODES,
        "kubernetes",
        35,
    ),
    Fault(
        CHECKOUT,
        "payment.failing",
        "critical",
        "Card payments fail: {place}",
        "Fewer than 80 % of the payments of the last five minutes went through.",
        ("Visa", "Mastercard", "Amex"),
        "payments",
        27,
        ("The acquirer's status page is green, but they confirm it by phone.", "Switched to the second acquirer."),
        ("The acquirer has mended it; switched back.", "Payments at 98 % again."),
    ),
    Fault(
        CHECKOUT,
        "latency.high",
        "error",
        "Checkout takes over 8 s: {place}",
        "Carts are left standing.",
        ("address check", "shipping quote", "voucher"),
        "checkout",
        19,
        ("The carrier's service is slow; its time-out is now 2 s.",),
        ("Quotes come from the cache until the carrier is well.",),
    ),
    Fault(
        CHECKOUT,
        "fraud.score",
        "warning",
        "Unusually many orders under review: {place}",
        "Over 30 in an hour; 4 is usual.",
        ("Germany", "France", "Sweden"),
        "fraud",
        95,
    ),
    Fault(
        BACK_OFFICE,
        "export.late",
        "warning",
        "The export to {place} has not run",
        "It is due by 06:00.",
        ("accounting", "the warehouse", "marketing"),
        "exports",
        140,
        (),
        ("Started it by hand.",),
    ),
    Fault(
        BACK_OFFICE,
        "report.ready",
        "info",
        "The report {place} is ready",
        "Recorded so that one can see that it was made.",
        ("daily sales", "weekly stock"),
        "reports",
        3,
    ),
)

STORMS = (  # days ago, hour and minute (UTC), what is behind it, and the classes that cry
    (61, 2, 10, "db-1 failed over", ("replication.lag", "http.5xx", "payment.failing", "latency.high", "queue.length")),
    (33, 14, 40, "a switch lost power", ("node.notready", "http.5xx", "latency.high", "memory.high")),
    (9, 3, 25, "the cloud's network broke", ("node.notready", "payment.failing", "http.5xx", "queue.length")),
)
