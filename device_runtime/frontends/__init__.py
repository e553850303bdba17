"""Front ends: samples in, frames out. The manifest names one and holds its settings."""
