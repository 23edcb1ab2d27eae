"""Kernels that need no start of their own: split off one process that has imported everything.

Nothing is imported here: :mod:`explorer.kernels.parent` is to hold what a kernel needs, and no more.
"""
