"""Grading other people's code: a folder of submissions in, a gradebook out.

`intake` finds what was handed in, `cell` runs the trusted tests on one kata of it in confinement, `verdict` says what
that proves, `journal` keeps it, `scoring` makes points of it, `book` writes the gradebook, and `supervisor` holds them
together. Nothing that a submission can influence runs in the supervisor's process.
"""
