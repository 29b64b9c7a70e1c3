"""A field device in a process of its own: `sender.py PORT N_PER_S SECONDS`; prints what was sent and confirmed."""

import sys
import time
from types import SimpleNamespace

from tests.e2e.field.rig import FieldDevice


def main(port: int, n_per_s: int, seconds: float) -> None:
    device = FieldDevice(SimpleNamespace(host="127.0.0.1", port=port))
    while not device.client.is_connected():
        time.sleep(0.01)
    began = time.monotonic()
    n_sent = 0
    while (passed := time.monotonic() - began) < seconds:
        while n_sent < passed * n_per_s:
            device.event({"intensity": 17, "occupancy": 0.31, "averageVehicleSpeed": 42.1, "laneId": 2})
            n_sent += 1
        device.resend()
        time.sleep(0.005)
    while device.outbox and time.monotonic() - began < seconds + 30:
        device.resend()
        time.sleep(0.02)
    print(device.seq, device.acked, device.n_resent, round(time.monotonic() - began - seconds, 2))
    device.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
