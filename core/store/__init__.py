"""The truth: tables, one writer, readers, migrations."""
