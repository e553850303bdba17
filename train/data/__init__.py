"""One file a data set: finds it locally, else downloads it once and verifies its hash."""
