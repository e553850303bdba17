"""Recordings to a distilled student: data sets, features, teacher, student, training."""
