"""Work on incidents: the list, one incident whole, and what is done about it, all in place."""
