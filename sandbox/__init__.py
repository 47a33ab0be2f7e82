"""What stands in for the outside world on one machine: the embedded PostgreSQL server and the vendor simulator.

`python -m sandbox --help` lists the commands; the Makefile calls them.
"""
