"""Our engines beside the float runtimes that people use today: `make bench`."""
