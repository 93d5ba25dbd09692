"""Confinement: what a submission can see, reach and use up.

`kernel` calls Linux, `root` makes a file system that holds nothing but what a run needs, `calls` says what else Linux
is to refuse, `cage` puts one run behind bars, and `probes` try the bars before anybody is graded.
"""
