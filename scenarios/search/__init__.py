"""`tinyrnn search`: the best recipes for a board's budget, found by Optuna, each one measured before it is trained."""
