"""What each way to make a model smaller buys: every method on the same student, measured on its bundle."""
