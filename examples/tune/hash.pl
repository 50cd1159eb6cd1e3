# A hash whose values grow and are thrown away: what `m4alloc tune -- perl examples/tune/hash.pl` is tried on.
use strict;
use warnings;

my %table;
for my $round (1 .. 400_000) {
    $table{ $round % 50_000 } .= "x" x ($round % 40);
    delete $table{ $round * 7 % 50_000 } if $round % 3 == 0;
}
print scalar(keys %table), "\n";
