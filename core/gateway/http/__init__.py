"""The node's HTTP gateway: edge cameras in, lots, alarms, devices and incidents out; off until the settings open it."""
