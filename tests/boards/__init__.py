"""Raspberry Pis, emulated: roots and profiles from Debian packages and wheels, and what runs on them. See README.md."""
