"""Bays from files of other programs: the format is found by looking, and each outline is checked by itself."""
