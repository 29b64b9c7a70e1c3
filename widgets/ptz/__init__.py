"""Steering a camera's head."""
