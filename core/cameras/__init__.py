"""The cameras of the room."""
