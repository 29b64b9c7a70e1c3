"""The device's side of the field: small enough for a Raspberry Pi; needs paho, pydantic and msgspec, nothing else."""
