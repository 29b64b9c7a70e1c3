"""Alarm rules as data: which conditions call, how urgently, with which figures, and what to do about them."""
