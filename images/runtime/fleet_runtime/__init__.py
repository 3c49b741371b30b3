"""What every image of the fleet carries: the way a service starts, its start-up report, and an honest placeholder.

Python's standard library only, from 3.10 on: it runs in every image, also in those that are kept alive for old services.
"""
