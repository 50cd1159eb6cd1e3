"""Measure programs on several allocators, side by side.

peer        the allocators found here, the order of the runs, means, the machine
compiled    C programs, each compiled once a process
catalogue   the programs that come with the project
launch      one run of a program on an allocator: time, memory, output (launch.c, probe.c)
latency     single calls, timed one by one (latency.c)
heap_size   the cost of a call against the number of live blocks (heap_size.c)
job         what is to be run, in which order, and how long that takes
state       what has been run, on disk, so that it can go on later
statistic   ratios to glibc, their median and spread, geometric means, percentiles
report      what came out, as typed values and as JSON
analyse     from runs to a report
measure     carries out what is to be run
run         m4alloc.bench, which does all of it
text, draw, pictures, page, files   the report as tables, pictures, HTML, files
"""
