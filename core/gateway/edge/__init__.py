"""The edge camera's side of the gateway: takes pictures and posts them; needs Python and what a Raspberry Pi has."""
