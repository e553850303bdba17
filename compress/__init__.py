"""One file a method: prune, factorise, quantize."""
