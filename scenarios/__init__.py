"""Recipes: train, compress, export and check, each within a budget."""
