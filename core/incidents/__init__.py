"""What happened and what calls an operator."""
