"""How the broker is reached; the password travels apart from it and is never part of a setting."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ProtocolChoice = Literal["auto", "5", "3.1.1"]


class BrokerSettings(BaseModel):
    """One broker, and who we are there.

    Attributes:
        ca_file: Whom we trust; None means the system's own list.
        cert_file, key_file: Our client certificate, both or neither.
        core_id: Names this core; also the client id, so one core cannot be connected twice.
        protocol: "auto" tries MQTT 5 and falls back to 3.1.1 where the broker does not answer to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1, max_length=255)
    port: int = Field(default=1883, ge=1, le=65_535)
    is_tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str = Field(default="", max_length=255)
    tenant: str = Field(default="city", pattern=r"^[a-z0-9-]{1,32}$")
    core_id: str = Field(default="core", pattern=r"^[a-z0-9-]{1,32}$")
    protocol: ProtocolChoice = "auto"
    keepalive_s: int = Field(default=10, ge=2, le=3600)
    is_embedded: bool = False

    @model_validator(mode="after")
    def _certificate_and_key_go_together(self) -> BrokerSettings:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("a client certificate needs both cert_file and key_file")
        if self.cert_file is not None and not self.is_tls:
            raise ValueError("a client certificate needs is_tls = true")
        return self

    @property
    def address(self) -> str:
        """Host and port, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def client_id(self) -> str:
        """The fixed id the broker keeps our session under."""
        return f"watchfloor-{self.tenant}-{self.core_id}"
