"""Adapters: other systems that come to the same broker with topics of their own."""
