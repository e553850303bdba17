"""From a sensor log to a bundle that forecasts it with intervals."""
