"""One file a backend, and the proof that every one gives the same bits."""
