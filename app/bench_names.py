"""Names of the benches: the command line tells them without loading any."""

BENCHES = (
    "decode",
    "detect",
    "track",
    "stream",
    "cameras",
    "memory",
    "ui",
    "wall",
    "twin",
    "start",
    "recover",
    "alarms",
    "fleet",
    "exit",
    "figures",
    "parking",
    "source",
    "count",
    "speed",
    "gateway",
    "drone-http",
    "drones",
    "sync",
    "soak",
)
LONG = frozenset({"soak", "sync"})
"""Run only where they are named."""
