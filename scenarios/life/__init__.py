"""From engines that ran until they failed to a bundle that says how long others will last."""
