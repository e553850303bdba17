"""From any readings to a bundle that tells when a machine behaves as it never did."""
