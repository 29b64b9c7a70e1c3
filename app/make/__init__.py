"""Scripts that make what ships in `resources`; the program never imports them."""
