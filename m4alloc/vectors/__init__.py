"""Reference vectors against the models of `capability` and against `spec.ltl`: one row, one recorded answer.

row        what a check says of one row: the fields that disagree, or why the row is not judged
registry   which check a file's name asks for
cheri_*    the rows of CHERI vectors; mte: those of MTE vectors; ltl: those of temporal logic
superopt   the superoptimiser's cases, which name functions in other files
run        files to a report
"""
