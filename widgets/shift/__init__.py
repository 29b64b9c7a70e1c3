"""The shift: its log, and how it is handed over."""
