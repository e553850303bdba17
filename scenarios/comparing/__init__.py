"""The verb `tinyrnn compare`: what changed between two bundles of the same task."""
